/** The servers of the benchmark of records: ours on a chat of some size, and the bare limit on another one like it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { buildMillion } from '../../examples/million/build.ts'
import { startServer } from '../../test/support/server.ts'
import type { RecordTarget } from './records-scenario.ts'

export interface RunningTarget extends RecordTarget {
  close(): Promise<void>
}

const password = 'secret'
const readyMsMax = 120_000
/** Pages of keys that are fetched: rooms of one user, so many of each. */
const idsPerRoom = 512

/** Our server with `messages` rows, asked as one of its people. */
export async function startOurs(messages: number, bin: string | undefined): Promise<RunningTarget> {
  const { depot, remove } = newDepot(messages)
  // Signing in is no matter here, and a token must last for the whole run.
  const server = await startServer({ depot, readyMsMax, env: { DS_AUTH__AUTH_TOKEN_TTL_SEC: '86400' }, ...(bin === undefined ? {} : { bin }) })
  const token = await signIn(server.url)
  const api = `${server.url}/api/records/v1`
  const ask = (path: string) => recordsOf(`${api}${path}`, token)
  const rooms = (await ask('/rooms?limit=1024')).map(record => String(record.id))
  const ids: string[] = []
  for (const room of rooms) {
    const some = await ask(`/messages?filter[room]=${encodeURIComponent(room)}&fields=id&limit=${idsPerRoom}`)
    ids.push(...some.map(record => String(record.id)))
  }
  const target = { base: `${api}/messages`, pid: server.pid, token, room: rooms[0] ?? '', user: subjectOf(token), ids }
  return {
    ...target,
    async close() {
      await server.close()
      remove()
    },
  }
}

/** The bare limit on a depot of the same size; `like` says which keys to read. */
export async function startBareRecords(messages: number, like: RecordTarget, bin: string | undefined): Promise<RunningTarget> {
  const { depot, remove } = newDepot(messages)
  // The tables are made as our server makes them.
  await (await startServer({ depot, readyMsMax, ...(bin === undefined ? {} : { bin }) })).close()
  const child = Bun.spawn({ cmd: [process.execPath, join(import.meta.dir, 'records-bare.ts'), depot], stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const close = async () => {
    kill()
    await child.exited
    process.off('exit', kill)
    remove()
  }
  for await (const chunk of child.stdout) {
    const url = /ready (\S+)/.exec(Buffer.from(chunk).toString())?.[1]
    if (url !== undefined) return { ...like, base: `${url}/messages`, pid: child.pid, token: null, close }
  }
  throw new Error('the bare server did not start')
}

function newDepot(messages: number): { depot: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  const depot = join(directory, 'depot')
  buildMillion(depot, { messages, password })
  return { depot, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

async function signIn(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/auth/v1/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'user0@example.org', password }),
  })
  if (answer.status !== 200) throw new Error(`signing in: ${answer.status} ${await answer.text()}`)
  return Value.Parse(Type.Object({ auth_token: Type.String() }), await answer.json()).auth_token
}

function subjectOf(token: string): string {
  const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return Value.Parse(Type.Object({ sub: Type.String() }), payload).sub
}

async function recordsOf(url: string, token: string): Promise<readonly { readonly id: unknown }[]> {
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return Value.Parse(Type.Object({ records: Type.Array(Type.Object({ id: Type.Unknown() })) }), await answer.json()).records
}

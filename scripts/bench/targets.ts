/** The servers that are measured in turns: ours, the npm reference server, the bare limit, and peers by URL. */
import { join } from 'node:path'
import { startServer } from '../../test/support/server.ts'
import { startReference } from './reference.ts'

export interface Target {
  readonly name: string
  /** The stream root. */
  readonly base: string
  readonly pid: number | undefined
  close(): Promise<void>
}

export const ours = ['acid', 'file-durable'] as const
export const referenceMemory = 'reference memory'
export const referenceFile = 'reference file'
export const bare = 'bare limit'

/** Starts the server called `name`; `bin` is our executable, `peers` maps further names to URLs. */
export async function startTarget(name: string, bin: string | undefined, peers: ReadonlyMap<string, string>): Promise<Target> {
  const peer = peers.get(name)
  if (peer !== undefined) return { name, base: rootOf(peer), pid: undefined, close: async () => undefined }
  if (name === bare) return await startBare()
  if (name === referenceMemory || name === referenceFile) {
    const reference = await startReference(name === referenceFile ? 'file' : 'memory')
    return { name, base: `${reference.url}/v1/stream`, pid: reference.pid, close: reference.close }
  }
  const mode = ours.find(one => one === name)
  if (!mode) throw new Error(`there is no server called ${name}`)
  const server = await startServer({ mode, ...(bin === undefined ? {} : { bin }) })
  return { name, base: server.base, pid: server.pid, close: () => server.close() }
}

async function startBare(): Promise<Target> {
  const child = Bun.spawn({ cmd: [process.execPath, join(import.meta.dir, 'bare.ts')], stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  for await (const chunk of child.stdout) {
    const url = /ready (\S+)/.exec(Buffer.from(chunk).toString())?.[1]
    if (url === undefined) continue
    const close = async () => {
      kill()
      await child.exited
      process.off('exit', kill)
    }
    return { name: bare, base: `${url}/v1/stream`, pid: child.pid, close }
  }
  throw new Error('the bare server did not start')
}

function rootOf(url: string): string {
  const path = new URL(url).pathname
  return path === '/' ? `${url.replace(/\/$/, '')}/v1/stream` : url
}

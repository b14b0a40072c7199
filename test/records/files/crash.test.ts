/** A server that is killed at the worst moments: after the restart every row has its files, and after a sweep every file has its row. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from '../../support/record-server.ts'

setDefaultTimeout(60_000)

interface Running {
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>
  readonly kill: () => Promise<void>
  /** Sends a line and waits for its answer. */
  readonly tell: (line: string) => Promise<void>
  readonly ended: Promise<unknown>
}

const directories: string[] = []
const processes: Running[] = []

afterEach(async () => {
  for (const running of processes.splice(0)) await running.kill()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-file-crash-'))
  directories.push(directory)
  return directory
}

async function start(directory: string, minutesAhead = 0, point = 'never'): Promise<Running> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'file-process.ts'), directory, String(minutesAhead), point], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const line = async () => (await lines.read()).value?.trim() ?? ''
  const url = await line()
  expect(url).toStartWith('http://')
  const running: Running = {
    ask: (path, init) => fetch(`${url}/api/records/v1${path}`, init),
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
    async tell(text) {
      child.stdin.write(`${text}\n`)
      await child.stdin.flush()
      await line()
    },
    ended: child.exited,
  }
  processes.push(running)
  return running
}

const file = (text: string) => ({ filename: 'f.txt', data: Buffer.from(text).toString('base64') })
const objectsOf = (directory: string) => readdirSync(join(directory, 'uploads')).filter(name => !['.pending', '.thumbnails'].includes(name)).sort()
const pendingOf = (directory: string) => readdirSync(join(directory, 'uploads', '.pending'))

interface Listed {
  readonly id: string
  readonly one: { readonly filename: string } | null
  readonly many: readonly { readonly filename: string }[] | null
}

/** Every file that a row names comes; gives how many they are. */
async function checkRows(running: Running): Promise<number> {
  let count = 0
  for (const api of ['docs', 'papers']) {
    const { records } = (await (await running.ask(`/${api}?limit=1000`)).json()) as { records: Listed[] }
    for (const { id, one, many } of records) {
      for (const [column, each] of [...(one === null ? [] : [['one', one] as const]), ...(many ?? []).map(each => ['many', each] as const)]) {
        const answer = await running.ask(`/${api}/${id}/files/${column}/${each.filename}`)
        expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining(id)])
        count++
      }
    }
  }
  return count
}

/** After the sweep of a restarted server nothing is left that no row names. */
async function checkAll(directory: string): Promise<number> {
  const running = await start(directory, 16)
  const before = await checkRows(running)
  await running.tell('sweep')
  const count = await checkRows(running)
  expect(count).toBe(before)
  expect([objectsOf(directory).length, pendingOf(directory)]).toEqual([count, []])
  await running.kill()
  return count
}

describe('killed', () => {
  test.each(['half-written', 'before-row'])('%s', async point => {
    const directory = makeDirectory()
    const running = await start(directory, 0, point)
    expect((await running.ask('/docs', json('POST', { id: 'first', one: file('first') }))).status).toBe(200)
    const body = { id: 'second', one: file('second'), many: [file('second, too'), file('die')] }
    await running.ask('/papers', json('POST', body)).catch(() => {})
    await running.ended
    expect(objectsOf(directory).length).toBe(4)
    expect(pendingOf(directory).length).toBeGreaterThanOrEqual(3)
    expect(await checkAll(directory)).toBe(1)
  })

  test('after the row, before the journal knew', async () => {
    const directory = makeDirectory()
    const running = await start(directory)
    await running.ask('/docs', json('POST', { id: 'x', one: file('x'), many: [file('x1'), file('x2')] }))
    await running.kill()
    // The journal's removal is not synced: after a loss of power it may be back.
    for (const id of objectsOf(directory)) await Bun.write(join(directory, 'uploads', '.pending', `${id}.1.main`), '')
    expect(await checkAll(directory)).toBe(3)
  })

  test.each(['before-removal', 'after-removal'])('%s', async point => {
    const directory = makeDirectory()
    const running = await start(directory, 0, point)
    await running.ask('/papers', json('POST', { id: 'x', one: file('x'), many: [file('x1')] }))
    await running.ask('/papers', json('POST', { id: 'y', one: file('y'), many: [file('y1')] }))
    expect((await running.ask('/papers/x', { method: 'DELETE' })).status).toBe(200)
    await running.ended
    expect(objectsOf(directory).length).toBe(point === 'before-removal' ? 4 : 2)
    expect(await checkAll(directory)).toBe(2)
  })

  test('at any time, under load', async () => {
    const directory = makeDirectory()
    const acknowledged = new Map<string, number>()
    for (let round = 0; round < 4; round++) {
      const running = await start(directory)
      const clients = Array.from({ length: 4 }, (_, client) => load(running, `r${round}c${client}`, acknowledged))
      const known = acknowledged.size
      for (let i = 0; i < 4000 && acknowledged.size < known + 4 + round * 3; i++) await Bun.sleep(5)
      await Bun.sleep(round * 7)
      await running.kill()
      await Promise.all(clients)
    }
    const count = await checkAll(directory)
    const least = [...acknowledged.values()].reduce((sum, files) => sum + files, 0)
    expect(least).toBeGreaterThan(4)
    expect(count).toBeGreaterThanOrEqual(least)
    expect(existsSync(join(directory, 'data', 'main.db')) && readFileSync(join(directory, 'data', 'main.db')).length > 0).toBe(true)
  }, 100_000)
})

/** Creates, changes and deletes until the server is gone; notes how many files each record has for certain. */
async function load({ ask }: Running, name: string, acknowledged: Map<string, number>): Promise<void> {
  for (let i = 0; ; i++) {
    const api = i % 2 === 0 ? 'docs' : 'papers'
    const id = `${name}n${i}`
    try {
      if ((await ask(`/${api}`, json('POST', { id, one: file(`one of ${id}`), many: [file(`a of ${id}`), file(`b of ${id}`)] }))).status !== 200) return
      acknowledged.set(id, 3)
      if (i % 3 === 0) {
        acknowledged.set(id, 1) // until it is known which
        if ((await ask(`/${api}/${id}`, json('PATCH', { many: [file(`c of ${id}`)], one: null }))).status === 200) acknowledged.set(id, 1)
      } else if (i % 3 === 1) {
        acknowledged.delete(id)
        await ask(`/${api}/${id}`, { method: 'DELETE' })
      }
    } catch {
      return
    }
  }
}

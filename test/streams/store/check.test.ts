/** `headwater check`: what is whole is found whole; a flipped, cut off or missing byte is told, or makes no difference to any reader. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../../src/app.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { loadConfig } from '../../../src/ops/config.ts'
import { checkStore } from '../../../src/streams/store/check.ts'
import { headwater } from '../../support/cli.ts'
import { startServer } from '../../support/server.ts'

setDefaultTimeout(120_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-check-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const seed = Number(Bun.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const random = mulberry(seed)
/** Flips per store and shard count, each in a file taken at random. FLIPS=1000 for a long run. */
const flips = Number(Bun.env['FLIPS'] ?? 30)

function storeOf(depot: string): string {
  return join(depot, 'data/streams')
}

async function problems(depot: string): Promise<readonly string[]> {
  const report = await checkStore(storeOf(depot), () => {})
  return report.problems.map(({ file, problem }) => `${file}: ${problem}`)
}

/** Streams of every kind, many and few appends, producers and a fork; stopped cleanly. */
async function fill(depot: string, mode: 'acid' | 'file-durable', shards: number, end: 'stop' | 'kill'): Promise<void> {
  await using server = await startServer({ mode, shards, depot })
  const send = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    fetch(`${server.base}/${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = { 'Content-Type': 'text/plain' }
  for (let i = 0; i < 8; i++) await send('PUT', `s/${i}`, text, `first of ${i} `)
  for (let i = 0; i < 120; i++) {
    const producer = { 'Producer-Id': `p${i % 3}`, 'Producer-Epoch': '0', 'Producer-Seq': String(Math.floor(i / 3)) }
    await send('POST', `s/${i % 2}`, text, `record ${i} ${'x'.repeat(i * 20)}\n`)
    await send('POST', 's/3', { ...text, ...producer }, `produced ${i}\n`)
  }
  await send('PUT', 'f', { ...text, 'Stream-Forked-From': '/v1/stream/s/1' }, 'own')
  await send('DELETE', 's/5', {})
  if (end === 'kill') await server.kill()
}

function filesOf(depot: string): readonly string[] {
  return readdirSync(storeOf(depot), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name !== 'lock.db')
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => statSync(path).size > 0)
}

/** Everything that readers can be given, or the sentence with which the store refuses. */
async function served(depot: string, mode: string): Promise<string> {
  const { config } = loadConfig({ flags: {}, env: { DS_STORAGE__MODE: mode, DS_DEPOT: depot }, readFile: () => null, cwd: depot })
  const fence = (message: string) => {
    throw new Error(message)
  }
  const app = await createApp(config, { clock: systemClock, ids: systemIds, log: silentLog, fence }).catch(error => String(error))
  if (typeof app === 'string') return `refused: ${app}`
  try {
    const texts = ['s/0', 's/1', 's/2', 's/3', 's/4', 's/5', 's/6', 's/7', 'f'].map(async path => {
      const response = await app.controlFetch(new Request(`http://localhost/v1/stream/${path}`), null)
      const body = response.status >= 400 ? 'refused' : await response.text()
      return `${path} ${response.status} ${response.headers.get('Stream-Next-Offset')} ${body}`
    })
    return (await Promise.all(texts)).join('\n')
  } finally {
    await app.stop()
  }
}

describe.each([
  ['acid', 1],
  ['acid', 4],
  ['file-durable', 1],
] as const)('%s with %i shard(s)', (mode, shards) => {
  const whole = join(root, `${mode}-${shards}`)
  let truth = ''
  beforeAll(async () => {
    await fill(whole, mode, shards, 'stop')
    const copy = `${whole}-copy`
    cpSync(whole, copy, { recursive: true })
    truth = await served(copy, mode)
    rmSync(copy, { recursive: true })
  })

  test('what is whole is found whole, and nothing is changed', async () => {
    const before = filesOf(whole).map(path => [path, Bun.hash(readFileSync(path))] as const)
    const report = await checkStore(storeOf(whole), () => {})
    expect(report.problems).toEqual([])
    expect(report.streams).toBe(8)
    expect(report.bytes).toBeGreaterThan(100_000)
    for (const [path, hash] of before) expect(Bun.hash(readFileSync(path)), path).toBe(hash)
  })

  test(`a flipped bit is told, or no reader sees a difference (seed ${seed})`, async () => {
    const depot = `${whole}-flip`
    let told = 0
    const files = filesOf(whole)
    // Few flips may all hit what nothing uses: then there are more of them.
    for (let flip = 0; flip < flips / shards || (told === 0 && flip < flips); flip++) {
      const path = (files[Math.floor(random() * files.length)] ?? '').replace(whole, depot)
      cpSync(whole, depot, { recursive: true })
      const bytes = readFileSync(path)
      const at = Math.floor(random() * bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))
      writeFileSync(path, bytes)
      if ((await problems(depot)).length > 0) told++
      else expect(await served(depot, mode), `${path} byte ${at}, seed ${seed}`).toBe(truth)
      rmSync(depot, { recursive: true })
    }
    expect(told).toBeGreaterThan(0)
  })

  test('a file that was cut off or is missing is told', async () => {
    const depot = `${whole}-cut`
    for (const original of filesOf(whole)) {
      const path = original.replace(whole, depot)
      for (const damage of [() => truncateSync(path, Math.floor(statSync(path).size / 2)), () => rmSync(path)]) {
        cpSync(whole, depot, { recursive: true })
        damage()
        const found = existsSync(join(storeOf(depot), 'layout.json')) ? await problems(depot) : ['layout.json: missing']
        expect(found.length, path).toBeGreaterThan(0)
        rmSync(depot, { recursive: true })
      }
    }
  })
})

describe('after a kill', () => {
  test.each(['acid', 'file-durable'] as const)('%s is whole, and damage to its log is told and refused, not skipped', async mode => {
    const depot = join(root, `killed-${mode}`)
    await fill(depot, mode, 1, 'kill')
    const whole = `${depot}-whole`
    cpSync(depot, whole, { recursive: true, filter: path => !path.endsWith('.sock') })
    expect(await problems(whole)).toEqual([])
    const log = filesOf(depot).find(path => mode === 'acid' ? path.endsWith('-wal') : /0000000001-[0-9a-f]{8}\.log$/.test(path)) ?? ''
    const bytes = readFileSync(log)
    const at = mode === 'acid' ? 32 + 24 + 100 : 30
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(log, bytes)
    expect((await problems(depot)).join('\n')).toContain('damaged')
  })
})

test('the command: exit code 0 when whole, 1 with the damage by file, 75 while a server runs, 78 without a store', async () => {
  const depot = join(root, 'command')
  await using server = await startServer({ mode: 'acid', depot })
  await fetch(`${server.base}/x`, { method: 'PUT', body: 'some text that is long enough to be found' })
  const args = ['check', '--depot', depot]
  expect(await headwater(args)).toMatchObject({ code: 75, out: '' })
  await server.stop()
  expect(await headwater(args)).toMatchObject({ code: 0, out: expect.stringContaining('1 streams, 41 B: no damage found'), err: '' })
  const path = join(storeOf(depot), 'acid/shard-000.db')
  const bytes = readFileSync(path)
  // The log that it came by may have left a copy on a free page.
  for (let at = bytes.indexOf('long enough'); at >= 0; at = bytes.indexOf('long enough')) bytes[at] = 0x4c
  writeFileSync(path, bytes)
  const damaged = await headwater([...args, '--json'])
  expect(damaged.code).toBe(1)
  expect(JSON.parse(damaged.out).problems).toEqual([{ file: 'acid/shard-000.db', problem: expect.stringContaining('bytes 0 to 41') }])
  expect(await headwater(['check', '--depot', join(root, 'nothing')])).toMatchObject({ code: 78, out: '' })
})

function mulberry(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

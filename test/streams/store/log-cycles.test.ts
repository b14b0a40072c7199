/** kill -9 after many segments and checkpoints, boot after boot: everything acknowledged is there, byte for byte (field survey B1, B2). */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { checkStore } from '../../../src/streams/store/check.ts'
import { openStore } from '../../../src/streams/store/open.ts'
import type { StorageMode } from '../../../src/streams/store/store.ts'
import { Random } from '../../crash/random.ts'
import { bytesOfGroup, tailAfter } from '../../support/store-process.ts'

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-cycles-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const script = join(import.meta.dir, '../../support/store-process.ts')
/** Small, so that three cycles take a moment. */
const segmentBytes = 256 * 1024
const seed = Number(Bun.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe.concurrent.each(['file-durable', 'file-fast', 'acid'] as const)('%s', mode => {
  test(`ten boots in a row, each killed after more than three cycles of the log (seed ${seed})`, async () => {
    const random = new Random(seed)
    const directory = join(root, mode)
    let last = 0
    for (let boot = 0; boot < 10; boot++) {
      const acknowledged = await runAndKill(mode, directory, random.between(70, 100))
      expect(acknowledged, `boot ${boot}`).toBeGreaterThan(last)
      expect((await checkStore(directory, () => {})).problems, `boot ${boot}`).toEqual([])
      last = await assertStored(mode, directory, acknowledged)
    }
    expect(tailAfter(last)).toBeGreaterThan(25 * segmentBytes)
  })
})

/** Lets the process commit `groups` groups, kills it, and returns the number of the last one it said was stored. */
async function runAndKill(mode: StorageMode, directory: string, groups: number): Promise<number> {
  const child = Bun.spawn({ cmd: [process.execPath, script, mode, directory, String(segmentBytes)], stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  let said = ''
  const decoder = new TextDecoder()
  for await (const part of child.stdout) {
    said += decoder.decode(part)
    if (said.split('\n').length > groups) child.kill('SIGKILL')
  }
  await child.exited
  return Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1))
}

/** Opens the store and compares every byte; returns the last group found. */
async function assertStored(mode: StorageMode, directory: string, acknowledged: number): Promise<number> {
  const fence = (message: string) => {
    throw new Error(message)
  }
  const store = await openStore({ mode, dataDirectory: directory, acidShards: 1, logSegmentBytes: segmentBytes }, { clock: systemClock, log: silentLog, fence })
  try {
    const [shard] = store.shards
    const last = shard?.lastGroup ?? 0
    expect(last).toBeGreaterThanOrEqual(acknowledged)
    expect(last).toBeLessThanOrEqual(acknowledged + 1) // the one in flight: whole or not at all
    const tail = tailAfter(last)
    expect(shard?.streamByPath('s')?.tail).toBe(tail)
    expect(shard?.producer(0, 'p')?.seq).toBe(last - 2)
    const stored = new Bun.CryptoHasher('sha1')
    for (let at = 0; at < tail; ) {
      const block = shard?.blockAt(0, at) ?? null
      expect(block).not.toBeNull()
      stored.update(block?.bytes ?? '')
      at = block?.end ?? tail
    }
    const written = new Bun.CryptoHasher('sha1')
    for (let number = 2; number <= last; number++) written.update(bytesOfGroup(number))
    expect(stored.digest('hex')).toBe(written.digest('hex'))
    return last
  } finally {
    await store.close()
  }
}

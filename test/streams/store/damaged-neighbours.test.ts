/** A damaged stream stays one damaged stream: its writers and neighbours go on, its readers are refused, and a start is possible. */
import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { GroupEncoder } from '../../../src/streams/store/group.ts'
import { openStore } from '../../../src/streams/store/open.ts'
import type { ShardStore, StorageMode } from '../../../src/streams/store/store.ts'
import { logSegmentBytes, makeStore } from '../../support/damaged-store.ts'

const root = mkdtempSync(join(tmpdir(), 'headwater-neighbours-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Streams of damaged-store.ts whose last segments are small. */
const damagedBytes = 5
const damagedRow = 6
const whole = 7

describe.each(['acid', 'file-durable'] as const)('%s', mode => {
  test('appends to streams with damaged bytes or a damaged row end nothing', async () => {
    const directory = join(root, mode)
    await makeStore(mode, directory, `${directory}-killed`)
    damage(mode, directory)
    for (let start = 0; start < 2; start++) {
      const fences: string[] = []
      const store = await openStore({ mode, dataDirectory: directory, acidShards: 1, logSegmentBytes }, { clock: systemClock, log: silentLog, fence: message => void fences.push(message) })
      const [shard] = store.shards
      if (shard === undefined) throw new Error('a store has a shard')
      expect(() => shard.streamByPath(`s/${damagedRow}`)).toThrow('stream_damaged')
      expect(() => readAll(shard, damagedBytes)).toThrow('stream_damaged')
      const before = readAll(shard, whole)
      await appendMany(shard, shard.lastGroup, [damagedBytes, damagedRow, whole])
      expect(() => shard.streamByPath(`s/${damagedRow}`)).toThrow('stream_damaged')
      expect(() => readAll(shard, damagedBytes)).toThrow('stream_damaged')
      expect(readAll(shard, whole)).toBe(`${before}${'more '.repeat(40)}`)
      expect(fences).toEqual([])
      await store.close()
    }
  })
})

function damage(mode: StorageMode, directory: string): void {
  const db = new Database(join(directory, mode === 'acid' ? 'acid/shard-000.db' : 'file/index.db'))
  db.run(`UPDATE streams SET tail = tail + 1 WHERE id = ${damagedRow}`)
  if (mode === 'acid') db.run(`UPDATE segments SET data = zeroblob(length(data)) WHERE id = (SELECT max(id) FROM segments WHERE stream_id = ${damagedBytes})`)
  db.close()
  if (mode === 'acid') return
  const folder = join(directory, 'file/streams')
  const name = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(each => each.endsWith(`/${damagedBytes}.data`)) ?? ''
  const bytes = readFileSync(join(folder, name))
  bytes[bytes.length - 1] = 0
  writeFileSync(join(folder, name), bytes)
}

/** Groups with small appends, each applied, so that small segments are joined. */
async function appendMany(shard: ShardStore, lastGroup: number, ids: readonly number[]): Promise<void> {
  const encoder = new GroupEncoder()
  const tails = new Map(ids.map(id => [id, id === damagedRow ? 1_000_000 + lastGroup * 1000 : (shard.streamById(id)?.tail ?? 0)]))
  for (let number = lastGroup + 1; number <= lastGroup + 40; number++) {
    for (const id of ids) {
      const start = tails.get(id) ?? 0
      encoder.add({ kind: 'append', id, start, bytes: Buffer.from('more '), atMs: number, closes: false, seq: null, producer: null })
      tails.set(id, start + 5)
    }
    await shard.commit(number, encoder.seal(number))
    await shard.drain()
  }
}

function readAll(shard: ShardStore, id: number): string {
  const row = shard.streamById(id)
  let text = ''
  for (let at = row?.start ?? 0; at < (row?.tail ?? 0); ) {
    const block = shard.blockAt(id, at)
    if (block === null) throw new Error('stream_damaged')
    text += Buffer.from(block.bytes).toString()
    at = block.end
  }
  return text
}

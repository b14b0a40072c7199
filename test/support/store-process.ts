/** A process that commits numbered groups to a store and says so, until it is killed. Started by tests of crashes; the pattern is theirs to check. */
import { writeSync } from 'node:fs'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { GroupEncoder } from '../../src/streams/store/group.ts'
import { openStore } from '../../src/streams/store/open.ts'
import type { StorageMode } from '../../src/streams/store/store.ts'

/** The bytes that group `number` (from 2 on; group 1 creates the stream) appends to stream 0. */
export function bytesOfGroup(number: number): Uint8Array {
  return new Uint8Array(3000 + ((number * 7919) % 20_000)).fill(number % 251)
}

/** How many bytes groups 2 to `last` append. */
export function tailAfter(last: number): number {
  let tail = 0
  for (let number = 2; number <= last; number++) tail += bytesOfGroup(number).byteLength
  return tail
}

async function run(mode: StorageMode, dataDirectory: string, logSegmentBytes: number): Promise<void> {
  const fence = (message: string) => {
    writeSync(2, `${message}\n`)
    process.exit(1)
  }
  const store = await openStore({ mode, dataDirectory, acidShards: 1, logSegmentBytes }, { clock: systemClock, log: silentLog, fence })
  const [shard] = store.shards
  if (shard === undefined) throw new Error('a store has a shard')
  const encoder = new GroupEncoder()
  let tail = tailAfter(shard.lastGroup)
  for (let number = shard.lastGroup + 1; ; number++) {
    if (number === 1) encoder.add({ kind: 'create', stream: stream0 })
    else {
      const bytes = bytesOfGroup(number)
      encoder.add({ kind: 'append', id: 0, start: tail, bytes, atMs: number, closes: false, seq: null, producer: { id: 'p', epoch: 0, seq: number - 2 } })
      tail += bytes.byteLength
    }
    await shard.commit(number, encoder.seal(number))
    writeSync(1, `${number}\n`)
  }
}

const stream0 = { id: 0, path: 's', contentType: 'application/octet-stream', createdAtMs: 1, ttlSecs: null, expiresAtMs: null, closed: false, start: 0, fork: null }

if (import.meta.main) {
  const [mode, directory, segmentBytes] = process.argv.slice(2)
  await run(mode as StorageMode, String(directory), Number(segmentBytes))
}

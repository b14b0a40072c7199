/** A body larger than a usual log segment: limits.max_request_body_bytes may ask for it, and it must not end the process. */
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { GroupEncoder } from '../../../src/streams/store/group.ts'
import { defaultSegmentBytes, segmentBytesFor } from '../../../src/streams/store/log-segments.ts'
import { openStore } from '../../../src/streams/store/open.ts'

test('a segment takes the largest body that the settings allow', async () => {
  expect(segmentBytesFor(10 * 1024 * 1024)).toBe(defaultSegmentBytes)
  const bodyBytesMax = 65 * 1024 * 1024
  const directory = mkdtempSync(join(tmpdir(), 'headwater-large-'))
  const fences: string[] = []
  const parts = { clock: systemClock, log: silentLog, fence: (message: string) => void fences.push(message) }
  const store = await openStore({ mode: 'file-fast', dataDirectory: directory, acidShards: null, logSegmentBytes: segmentBytesFor(bodyBytesMax) }, parts)
  const encoder = new GroupEncoder()
  encoder.add({ kind: 'append', id: 7, start: 0, bytes: new Uint8Array(bodyBytesMax), atMs: 0, closes: false, seq: null, producer: null })
  await store.shards[0]?.commit(1, encoder.seal(1))
  await store.close()
  expect(fences).toEqual([])
  rmSync(directory, { recursive: true })
})

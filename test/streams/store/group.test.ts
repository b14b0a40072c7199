/** The form of a group: every record comes back as it went in, and a flipped bit is seen. */
import { expect, test } from 'bun:test'
import { decodeGroup, GroupEncoder, groupIntact, groupNumber, type LogRecord } from '../../../src/streams/store/group.ts'

const largest = Number.MAX_SAFE_INTEGER
const stream = { id: 7, path: 'ü/😀', contentType: 'text/plain; charset=utf-8', createdAtMs: 1, ttlSecs: null, expiresAtMs: null, closed: false, start: 0, fork: null }
const records: LogRecord[] = [
  { kind: 'create', stream },
  { kind: 'create', stream: { ...stream, ttlSecs: 0, closed: true } },
  { kind: 'create', stream: { ...stream, expiresAtMs: -1 } },
  { kind: 'create', stream: { ...stream, ttlSecs: largest, expiresAtMs: 0, start: largest } },
  { kind: 'create', stream: { ...stream, fork: { parentId: 3, from: 'a', offset: null, subOffset: 0 } } },
  { kind: 'create', stream: { ...stream, fork: { parentId: 3, from: 'a', offset: '', subOffset: largest } } },
  { kind: 'append', id: 1, start: 0, bytes: Buffer.from('bytes'), atMs: 5, closes: false, seq: null, producer: null },
  { kind: 'append', id: 1, start: 5, bytes: Buffer.alloc(600_000, 'x'), atMs: 5, closes: true, seq: '', producer: { id: 'p', epoch: largest, seq: 0 } },
  { kind: 'append', id: 1, start: 9, bytes: Buffer.alloc(0), atMs: 5, closes: true, seq: 'ü', producer: null },
  { kind: 'touch', id: 1, atMs: 2 },
  { kind: 'hide', id: 1 },
  { kind: 'purge', id: largest },
  { kind: 'rename', id: 1, path: '' },
  { kind: 'meta', key: 'k', value: null },
  { kind: 'meta', key: 'k', value: '' },
]

function sealed(number: number): Uint8Array<SharedArrayBuffer> {
  const encoder = new GroupEncoder()
  for (const record of records) encoder.add(record)
  return encoder.seal(number)
}

test('every record comes back', () => {
  const decoded: LogRecord[] = []
  const group = sealed(largest)
  decodeGroup(group, record => decoded.push(record.kind === 'append' ? { ...record, bytes: Buffer.from(record.bytes) } : record))
  expect(decoded).toEqual(records)
  expect(groupNumber(group)).toBe(largest)
  expect(groupIntact(group)).toBe(true)
})

test('an encoder begins anew after each group', () => {
  const encoder = new GroupEncoder()
  encoder.add({ kind: 'hide', id: 1 })
  const first = encoder.seal(1)
  encoder.add({ kind: 'hide', id: 1 })
  encoder.clear()
  expect(encoder.records).toBe(0)
  encoder.add({ kind: 'hide', id: 1 })
  expect(encoder.seal(1)).toEqual(first)
})

test('a group that is posted to a thread is not copied', async () => {
  const { port1, port2 } = new MessageChannel()
  const received = new Promise<Uint8Array>(resolve => (port2.onmessage = ({ data }: MessageEvent<Uint8Array>) => resolve(data)))
  const group = sealed(3)
  port1.postMessage(group)
  const taken = await received
  group[0] = 0
  expect(taken[0]).toBe(0)
  port1.close()
})

test('a flipped bit or a missing byte anywhere is seen', () => {
  const encoder = new GroupEncoder()
  for (const record of records.filter(each => each.kind !== 'append' || each.bytes.byteLength < 100)) encoder.add(record)
  const group = encoder.seal(12)
  for (let at = 0; at < group.byteLength; at++) {
    const flipped = group.slice()
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    if (groupIntact(flipped)) throw new Error(`byte ${at} flipped and not seen`)
    if (groupIntact(group.slice(0, at))) throw new Error(`cut at ${at} and not seen`)
  }
})

/** The export format: round trips, and every kind of damage is seen. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ArchiveReader, ArchiveWriter, type ArchivedStream, type ArchiveEvent } from '../../src/admin/archive.ts'
import { LineSplitter } from '../../src/admin/lines.ts'

const offset = (position: number) => `0000000000000000_${String(position).padStart(16, '0')}`

function streamWith(path: string, records: readonly Uint8Array[]): ArchivedStream {
  const bytes = records.reduce((sum, record) => sum + record.byteLength, 0)
  return {
    path,
    contentType: 'application/octet-stream',
    closed: false,
    createdAtMs: 1,
    ttlSecs: null,
    expiresAtMs: null,
    start: offset(0),
    tail: offset(bytes),
    bytes,
    forkedFrom: null,
    seq: null,
    producers: [{ id: 'p', epoch: 0, seq: 3 }],
  }
}

function archiveOf(streams: readonly { path: string; records: readonly Uint8Array[] }[]): string {
  const writer = new ArchiveWriter()
  let text = writer.header(0, 'test')
  for (const { path, records } of streams) {
    text += writer.stream(streamWith(path, records))
    for (const record of records) text += writer.record(record)
    text += writer.endStream()
  }
  return text + writer.end()
}

function readAll(bytes: Uint8Array, chunkBytes: number): ArchiveEvent[] {
  const reader = new ArchiveReader()
  const splitter = new LineSplitter({ lineBytesMax: 1_000_000, tooLong: () => { throw new Error('too long') } })
  const events: ArchiveEvent[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const line of splitter.push(bytes.subarray(at, at + chunkBytes))) events.push(reader.take(line))
  }
  const rest = splitter.rest()
  if (rest !== null) events.push(reader.take(rest))
  reader.finish()
  return events
}

const one = [{ path: 'a/b', records: [Buffer.from('hello'), Buffer.from([0, 255, 10])] }, { path: 'a/c', records: [] }]

describe('archive', () => {
  test('what was written is read, in whatever chunks it comes', () => {
    const record = fc.uint8Array({ maxLength: 40 })
    const streams = fc.uniqueArray(fc.record({ path: fc.string({ minLength: 1, maxLength: 8 }).filter(isWellFormed), records: fc.array(record, { maxLength: 5 }) }), {
      selector: stream => stream.path,
      maxLength: 5,
    })
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 200 }), (unsorted, chunkBytes) => {
        const sorted = unsorted.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
        const events = readAll(Buffer.from(archiveOf(sorted)), chunkBytes)
        const seen = events.flatMap(event => (event.kind === 'record' ? [Buffer.from(event.bytes).toString('hex')] : []))
        expect(seen).toEqual(sorted.flatMap(stream => stream.records.map(bytes => Buffer.from(bytes).toString('hex'))))
        expect(events.flatMap(event => (event.kind === 'stream' ? [event.stream] : []))).toEqual(
          sorted.map(stream => streamWith(stream.path, stream.records)),
        )
      }),
    )
  })

  test('cutting the archive off anywhere is seen', () => {
    const bytes = Buffer.from(archiveOf(one))
    for (let length = 0; length < bytes.length - 1; length++) {
      expect(() => readAll(bytes.subarray(0, length), 64), `cut at ${length}`).toThrow('invalid_archive')
    }
    expect(() => readAll(bytes.subarray(0, bytes.length - 1), 64)).not.toThrow()
  })

  test('flipping any bit is seen', () => {
    const bytes = Buffer.from(archiveOf(one))
    for (let at = 0; at < bytes.length - 1; at++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      expect(() => readAll(flipped, 1000), `flipped at ${at}`).toThrow('invalid_archive')
    }
  })

  test('lines that moved, came twice or follow the end are seen', () => {
    const lines = archiveOf(one).trimEnd().split('\n')
    for (let at = 0; at < lines.length; at++) {
      const twice = lines.toSpliced(at, 0, lines[at] ?? '').join('\n')
      expect(() => readAll(Buffer.from(twice), 1000), `line ${at} twice`).toThrow('invalid_archive')
      const missing = lines.toSpliced(at, 1).join('\n')
      expect(() => readAll(Buffer.from(missing), 1000), `line ${at} missing`).toThrow('invalid_archive')
    }
  })

  test('another version, and what is no archive, say so', () => {
    const newer = archiveOf(one).replace('"headwater_export":1', '"headwater_export":2')
    expect(() => readAll(Buffer.from(newer), 1000)).toThrow('line 1: format version 2; this program reads version 1')
    expect(() => readAll(Buffer.from('hello\n'), 1000)).toThrow('line 1: not a line of JSON')
    expect(() => readAll(Buffer.from('{}\n'), 1000)).toThrow('line 1: not a Headwater export')
  })

  test('streams out of order are refused, so that none comes twice', () => {
    expect(() => archiveAndRead([{ path: 'b', records: [] }, { path: 'a', records: [] }])).toThrow('ascending order')
    expect(() => archiveAndRead([{ path: 'a', records: [] }, { path: 'a', records: [] }])).toThrow('ascending order')
  })
})

function archiveAndRead(streams: readonly { path: string; records: readonly Uint8Array[] }[]): void {
  readAll(Buffer.from(archiveOf(streams)), 1000)
}

function isWellFormed(text: string): boolean {
  return text.isWellFormed()
}

/** The export format: JSON lines with checksums, written and verified line by line. Not where the lines come from or go to. */
import { crc32 } from 'node:zlib'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'

/** The format's version; an archive of another version is refused. */
export const archiveVersion = 1
/** Longest accepted line: one record of 768 MiB in base64. */
export const archiveLineBytesMax = 1024 * 1024 * 1024

export interface ArchivedProducer {
  readonly id: string
  readonly epoch: number
  readonly seq: number
}

/** What an archive says about a stream before its records. Offsets are kept, internal numbers are not. */
export interface ArchivedStream {
  readonly path: string
  readonly contentType: string
  readonly closed: boolean
  readonly createdAtMs: number
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  readonly start: string
  readonly tail: string
  /** Stored bytes from `start` to `tail`, what a fork inherited included. */
  readonly bytes: number
  readonly forkedFrom: string | null
  readonly seq: string | null
  readonly producers: readonly ArchivedProducer[]
}

export interface ArchiveTotals {
  readonly streams: number
  readonly records: number
  readonly bytes: number
}

export type ArchiveEvent =
  | { readonly kind: 'stream'; readonly stream: ArchivedStream }
  | { readonly kind: 'record'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream_end' }
  /** The stream was deleted while it was exported: what came of it is to be ignored. */
  | { readonly kind: 'stream_abandoned' }
  | { readonly kind: 'none' }

/** Forms the lines of one archive, each with its line end, in the order header, (stream, record…, endStream)…, end. */
export class ArchiveWriter {
  #fileCrc = 0
  #streamCrc = 0
  #records = 0
  #bytes = 0
  readonly #totals = { streams: 0, records: 0, bytes: 0 }

  header(createdAtMs: number, product: string): string {
    return this.#line({ headwater_export: archiveVersion, created_at: new Date(createdAtMs).toISOString(), product })
  }

  stream(stream: ArchivedStream): string {
    this.#streamCrc = this.#records = this.#bytes = 0
    return this.#line({ stream: wireOf(stream) })
  }

  record(bytes: Uint8Array): string {
    this.#records++
    this.#bytes += bytes.byteLength
    return this.#line({ record: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') })
  }

  endStream(): string {
    this.#totals.streams++
    this.#totals.records += this.#records
    this.#totals.bytes += this.#bytes
    return this.#line({ end_stream: { records: this.#records, bytes: this.#bytes, crc32: this.#streamCrc } })
  }

  /** Takes back the stream that was begun: it is gone. */
  abandonStream(): string {
    return this.#line({ abandon_stream: true })
  }

  end(): string {
    return this.#line({ end: { ...this.#totals, crc32: this.#fileCrc } })
  }

  #line(value: object): string {
    const text = `${JSON.stringify(value)}\n`
    this.#streamCrc = crc32(text, this.#streamCrc)
    this.#fileCrc = crc32(text, this.#fileCrc)
    return text
  }
}

/**
 * Checks an archive line by line: order, shapes, counts, checksums, streams in ascending order of their path.
 * Refuses with `invalid_archive` and the number of the line. Holds one line at a time.
 */
export class ArchiveReader {
  #lineNumber = 0
  #state: 'start' | 'between' | 'in_stream' | 'ended' = 'start'
  #fileCrc = 0
  #streamCrc = 0
  #stream: ArchivedStream | null = null
  #records = 0
  #bytes = 0
  readonly #totals = { streams: 0, records: 0, bytes: 0 }

  /** Takes one line without its line end. */
  take(line: Uint8Array): ArchiveEvent {
    this.#lineNumber++
    const value = this.#parse(line)
    const fileCrc = this.#fileCrc
    const streamCrc = this.#streamCrc
    this.#fileCrc = crc32(lineEnd, crc32(line, fileCrc))
    this.#streamCrc = crc32(lineEnd, crc32(line, streamCrc))
    switch (this.#state) {
      case 'start':
        return this.#header(value)
      case 'between':
        if (isStreamLine().Check(value)) return this.#begin(value.stream, line)
        if (isEndLine().Check(value)) return this.#end(value.end, fileCrc)
        return this.#refuse('expected a stream or the end')
      case 'in_stream':
        if (isRecordLine().Check(value)) return this.#record(value.record)
        if (isEndStreamLine().Check(value)) return this.#endStream(value.end_stream, streamCrc)
        if (isAbandonLine().Check(value)) return this.#abandon()
        return this.#refuse('expected a record or the end of the stream')
      case 'ended':
        return this.#refuse('nothing may follow the end')
    }
  }

  /** Call after the last line: refuses an archive that was cut off. */
  finish(): ArchiveTotals {
    if (this.#state !== 'ended') this.#refuse('the archive is cut off: its end line is missing')
    return { ...this.#totals }
  }

  #parse(line: Uint8Array): unknown {
    try {
      return JSON.parse(decoder.decode(line))
    } catch {
      return this.#refuse('not a line of JSON in UTF-8')
    }
  }

  #header(value: unknown): ArchiveEvent {
    if (!isHeaderLine().Check(value)) return this.#refuse('not a Headwater export')
    if (value.headwater_export !== archiveVersion) {
      return this.#refuse(`format version ${value.headwater_export}; this program reads version ${archiveVersion}`)
    }
    this.#state = 'between'
    return { kind: 'none' }
  }

  #begin(wire: Static<typeof streamSchema>, line: Uint8Array): ArchiveEvent {
    const before = this.#stream
    if (before !== null && Buffer.compare(Buffer.from(before.path), Buffer.from(wire.path)) >= 0) {
      return this.#refuse('streams are not in ascending order of their path')
    }
    this.#stream = streamOf(wire)
    this.#records = this.#bytes = 0
    this.#streamCrc = crc32(lineEnd, crc32(line))
    this.#state = 'in_stream'
    return { kind: 'stream', stream: this.#stream }
  }

  #record(base64: string): ArchiveEvent {
    const bytes = Buffer.from(base64, 'base64')
    // Buffer.from skips what is not base64; only an exact round trip proves that nothing was skipped.
    if (bytes.toString('base64') !== base64) return this.#refuse('not base64')
    this.#records++
    this.#bytes += bytes.byteLength
    return { kind: 'record', bytes }
  }

  #endStream(claimed: Static<typeof endStreamSchema>, crc: number): ArchiveEvent {
    const wrong = claimed.records !== this.#records || claimed.bytes !== this.#bytes || this.#bytes !== this.#stream?.bytes
    if (wrong) return this.#refuse('the counts of the stream are wrong')
    if (claimed.crc32 !== crc) return this.#refuse('the checksum of the stream is wrong')
    this.#totals.streams++
    this.#totals.records += this.#records
    this.#totals.bytes += this.#bytes
    this.#state = 'between'
    return { kind: 'stream_end' }
  }

  #abandon(): ArchiveEvent {
    this.#state = 'between'
    return { kind: 'stream_abandoned' }
  }

  #end(claimed: Static<typeof endSchema>, crc: number): ArchiveEvent {
    const totals = this.#totals
    const wrong = claimed.streams !== totals.streams || claimed.records !== totals.records || claimed.bytes !== totals.bytes
    if (wrong) return this.#refuse('the totals are wrong')
    if (claimed.crc32 !== crc) return this.#refuse('the checksum of the archive is wrong')
    this.#state = 'ended'
    return { kind: 'none' }
  }

  #refuse(why: string): never {
    return fail('invalid_archive', { detail: `line ${this.#lineNumber}: ${why}` })
  }
}

/** What an archive and a listing say of a stream alike, by the names that they give it. */
export function summaryOf(stream: Omit<ArchivedStream, 'seq' | 'producers'>) {
  return {
    path: stream.path,
    content_type: stream.contentType,
    closed: stream.closed,
    created_at_ms: stream.createdAtMs,
    ttl_secs: stream.ttlSecs,
    expires_at_ms: stream.expiresAtMs,
    start: stream.start,
    tail: stream.tail,
    bytes: stream.bytes,
    forked_from: stream.forkedFrom,
  }
}

const lineEnd = new Uint8Array([10])
const decoder = new TextDecoder('utf-8', { fatal: true })

const count = Type.Integer({ minimum: 0 })
const offset = Type.String({ pattern: '^[0-9]{16}_[0-9]{16}$' })
const streamSchema = Type.Object(
  {
    path: Type.String({ minLength: 1, maxLength: 65_536 }),
    content_type: Type.String({ maxLength: 65_536 }),
    closed: Type.Boolean(),
    created_at_ms: Type.Number(),
    ttl_secs: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
    expires_at_ms: Type.Union([Type.Number(), Type.Null()]),
    start: offset,
    tail: offset,
    bytes: count,
    forked_from: Type.Union([Type.String(), Type.Null()]),
    seq: Type.Union([Type.String(), Type.Null()]),
    producers: Type.Array(
      Type.Object({ id: Type.String({ minLength: 1 }), epoch: count, seq: Type.Integer({ minimum: -1 }) }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
)
const endStreamSchema = Type.Object({ records: count, bytes: count, crc32: count }, { additionalProperties: false })
const endSchema = Type.Object({ streams: count, records: count, bytes: count, crc32: count }, { additionalProperties: false })
const isHeaderLine = lazily(() => Compile(Type.Object({ headwater_export: Type.Integer(), created_at: Type.String(), product: Type.String() })))
const isStreamLine = lazily(() => Compile(Type.Object({ stream: streamSchema }, { additionalProperties: false })))
const isRecordLine = lazily(() => Compile(Type.Object({ record: Type.String() }, { additionalProperties: false })))
const isEndStreamLine = lazily(() => Compile(Type.Object({ end_stream: endStreamSchema }, { additionalProperties: false })))
const isAbandonLine = lazily(() => Compile(Type.Object({ abandon_stream: Type.Literal(true) }, { additionalProperties: false })))
const isEndLine = lazily(() => Compile(Type.Object({ end: endSchema }, { additionalProperties: false })))

function wireOf(stream: ArchivedStream): Static<typeof streamSchema> {
  return {
    ...summaryOf(stream),
    seq: stream.seq,
    producers: stream.producers.map(producer => ({ id: producer.id, epoch: producer.epoch, seq: producer.seq })),
  }
}

function streamOf(wire: Static<typeof streamSchema>): ArchivedStream {
  return {
    path: wire.path,
    contentType: wire.content_type,
    closed: wire.closed,
    createdAtMs: wire.created_at_ms,
    ttlSecs: wire.ttl_secs,
    expiresAtMs: wire.expires_at_ms,
    start: wire.start,
    tail: wire.tail,
    bytes: wire.bytes,
    forkedFrom: wire.forked_from,
    seq: wire.seq,
    producers: wire.producers,
  }
}

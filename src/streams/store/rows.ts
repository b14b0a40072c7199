/** Rows of a shard file ↔ values, with the checksum that every row carries. No decisions. */
import { fail } from '../../lib/errors.ts'
import type { Block } from './block.ts'
import type { ForkOrigin } from './group.ts'
import { deadlineOf, type ProducerState, type StreamRow } from './store.ts'

/** The columns of `streams`, by name. */
export interface StreamColumns {
  readonly id: number
  readonly path: string
  readonly content_type: string
  readonly created_at_ms: number
  readonly ttl_secs: number | null
  readonly expires_at_ms: number | null
  readonly closed: number
  readonly start: number
  readonly tail: number
  readonly hidden: number
  readonly touched_at_ms: number
  readonly seq: string | null
  readonly closed_by: string | null
  readonly parent_id: number | null
  readonly fork: string | null
  readonly deadline_ms: number | null
  readonly small_start: number
  readonly small_count: number
  readonly sum: number
}

export interface SegmentColumns {
  readonly id: number
  readonly start: number
  readonly end: number
  readonly ends: Uint8Array | null
  readonly data: Uint8Array | null
  readonly sum: number
}

export interface ProducerColumns {
  readonly id: string
  readonly epoch: number
  readonly seq: number
  readonly sum: number
}

export interface MetaColumns {
  readonly key: string
  readonly value: string
  readonly sum: number
}

/** Where the small segments at the end of a stream begin, and how many there are. */
export interface SmallRun {
  readonly start: number
  readonly count: number
}

export function streamColumns(row: StreamRow, small: SmallRun): StreamColumns {
  const columns = {
    id: row.id,
    path: row.path,
    content_type: row.contentType,
    created_at_ms: row.createdAtMs,
    ttl_secs: row.ttlSecs,
    expires_at_ms: row.expiresAtMs,
    closed: row.closed ? 1 : 0,
    start: row.start,
    tail: row.tail,
    hidden: row.hidden ? 1 : 0,
    touched_at_ms: row.touchedAtMs,
    seq: row.seq,
    closed_by: row.closedBy && JSON.stringify(row.closedBy),
    parent_id: row.fork?.parentId ?? null,
    fork: row.fork && JSON.stringify(row.fork),
    deadline_ms: deadlineOf(row, row.touchedAtMs),
    small_start: small.start,
    small_count: small.count,
  }
  return { ...columns, sum: streamSum(columns) }
}

/** True when the checksum of a row fits. */
export function isIntact(columns: StreamColumns): boolean {
  return columns.sum === streamSum(columns)
}

/** The value of a row. Refuses a row whose checksum does not fit: stream_damaged. */
export function streamRow(columns: StreamColumns): StreamRow {
  if (!isIntact(columns)) fail('stream_damaged', { detail: `row of stream ${columns.id}` })
  return {
    id: columns.id,
    path: columns.path,
    contentType: columns.content_type,
    createdAtMs: columns.created_at_ms,
    ttlSecs: columns.ttl_secs,
    expiresAtMs: columns.expires_at_ms,
    closed: columns.closed === 1,
    start: columns.start,
    tail: columns.tail,
    hidden: columns.hidden === 1,
    touchedAtMs: columns.touched_at_ms,
    seq: columns.seq,
    closedBy: columns.closed_by === null ? null : parseProducer(columns.closed_by),
    fork: columns.fork === null ? null : parseFork(columns.fork),
  }
}

export function streamSum(row: Omit<StreamColumns, 'sum'>): number {
  return Bun.hash.crc32(
    JSON.stringify([
      row.id, row.path, row.content_type, row.created_at_ms, row.ttl_secs, row.expires_at_ms, row.closed, row.start,
      row.tail, row.hidden, row.touched_at_ms, row.seq, row.closed_by, row.parent_id, row.fork, row.deadline_ms,
    ]),
  )
}

export function producerSum(streamId: number, producer: ProducerState): number {
  return Bun.hash.crc32(JSON.stringify([streamId, producer.id, producer.epoch, producer.seq]))
}

/** The value of a producer row. Refuses a damaged one: stream_damaged. */
export function producerState(streamId: number, row: ProducerColumns): ProducerState {
  const state = { id: row.id, epoch: row.epoch, seq: row.seq }
  if (row.sum !== producerSum(streamId, state)) fail('stream_damaged', { detail: `producer of stream ${streamId}` })
  return state
}

export function metaSum(key: string, value: string): number {
  return Bun.hash.crc32(JSON.stringify([key, value]))
}

/** The value of a row of `meta`. Refuses a damaged one: stream_damaged. */
export function metaValue(row: MetaColumns): string {
  if (row.sum !== metaSum(row.key, row.value)) fail('stream_damaged', { detail: `row ${row.key} of meta` })
  return row.value
}

/** Where a segment belongs, as its checksum takes it; one for all, for it is made with every segment. */
const place = new Float64Array(3)
const placeBytes = new Uint8Array(place.buffer)

/** Guards a segment with its place: bytes that are whole but belong elsewhere are damage too. */
export function segmentSum(streamId: number, start: number, end: number, ends: Uint8Array | null, data: Uint8Array): number {
  place[0] = streamId
  place[1] = start
  place[2] = end
  const head = Bun.hash.crc32(placeBytes)
  return Bun.hash.crc32(data, ends === null ? head : Bun.hash.crc32(ends, head))
}

/** The block of a segment whose bytes are `data`. Refuses what does not fit its checksum: stream_damaged. */
export function segmentBlock(streamId: number, row: Omit<SegmentColumns, 'data' | 'id'>, data: Uint8Array): Block {
  const whole = data.byteLength === row.end - row.start && (row.ends === null || row.ends.byteLength % 4 === 0)
  if (!whole || row.sum !== segmentSum(streamId, row.start, row.end, row.ends, data)) {
    fail('stream_damaged', { detail: `bytes ${row.start} to ${row.end} of stream ${streamId}` })
  }
  return { start: row.start, end: row.end, bytes: data, ends: row.ends === null ? null : endsFromBytes(row.ends) }
}

export function endsToBytes(ends: Uint32Array | null): Uint8Array | null {
  return ends === null ? null : new Uint8Array(ends.buffer, ends.byteOffset, ends.byteLength)
}

function endsFromBytes(bytes: Uint8Array): Uint32Array {
  const copy = new Uint8Array(bytes.byteLength)
  copy.set(bytes)
  return new Uint32Array(copy.buffer)
}

/** Checked by hand: this is our own text under a checksum, read in every writer thread, which starts faster without a schema library. */
function parseProducer(text: string): ProducerState {
  const value: unknown = JSON.parse(text)
  const known = fieldsOf(value)
  if (typeof known.id !== 'string' || typeof known.epoch !== 'number' || typeof known.seq !== 'number') {
    return fail('stream_damaged', { detail: 'closing producer' })
  }
  return { id: known.id, epoch: known.epoch, seq: known.seq }
}

function parseFork(text: string): ForkOrigin {
  const value: unknown = JSON.parse(text)
  const { parentId, from, offset, subOffset } = fieldsOf(value)
  const offsetFits = offset === null || typeof offset === 'string'
  if (typeof parentId !== 'number' || typeof from !== 'string' || !offsetFits || typeof subOffset !== 'number') {
    return fail('stream_damaged', { detail: 'fork origin' })
  }
  return { parentId, from, offset, subOffset }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

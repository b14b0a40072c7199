/** Turns committed groups into the tables of a shard, in small steps inside its writer's transactions. Runs in the writer thread. */
import type { Database } from 'bun:sqlite'
import type { Block } from './block.ts'
import { decodeGroup, type CreatedStream, type LogRecord } from './group.ts'
import { isIntact, metaSum, metaValue, producerSum, streamColumns, streamRow, type MetaColumns, type StreamColumns } from './rows.ts'
import { SegmentWriter, type SegmentBytes } from './segment-writer.ts'
import type { ProducerState, StreamRow } from './store.ts'

/** Segments that one step of work writes at the most, so that a commit that carries it stays short. */
const segmentsPerStepMax = 4

/**
 * Everything that a round must do to one stream, in the order in which it is done. Steps may be repeated after a crash:
 * bytes before the stored tail are skipped, everything else is stored as a final value.
 */
interface StreamWork {
  readonly id: number
  created: CreatedStream | null
  purged: boolean
  hidden: boolean
  renamed: string | null
  closed: boolean
  closedBy: ProducerState | null
  seq: string | null
  touchedAtMs: number
  readonly producers: Map<string, ProducerState>
  blocks: Block[]
}

/** Some groups on their way into the tables. `works` and `purges` are stacks. */
interface Round {
  readonly last: number
  readonly purges: StreamWork[]
  readonly works: StreamWork[]
  readonly meta: Map<string, string | null>
  readonly bytes: number
}

export class Applier {
  readonly #db: Database
  readonly #segments: SegmentWriter
  readonly #waiting: { number: number; group: Uint8Array }[] = []
  #waitingBytes = 0
  #round: Round | null = null
  #lastId: number

  constructor(db: Database, bytes: SegmentBytes) {
    this.#db = db
    this.#segments = new SegmentWriter(db, bytes)
    this.#lastId = Number(this.#meta('shard/last_id') ?? -1)
  }

  /** Highest id that any created stream of this shard had. */
  get lastId(): number {
    return this.#lastId
  }

  /** The last group that the tables hold; 0 before the first one. */
  get lastApplied(): number {
    return Number(this.#meta('shard/last_group') ?? 0)
  }

  /** Bytes of groups that are committed and not yet applied. */
  get backlogBytes(): number {
    return this.#waitingBytes + (this.#round?.bytes ?? 0)
  }

  get idle(): boolean {
    return this.#round === null && this.#waiting.length === 0
  }

  /** True while a round is under way or there is enough to begin one. */
  busy(roundBytesMin: number): boolean {
    return this.#round !== null || this.#waitingBytes >= roundBytesMin
  }

  add(number: number, group: Uint8Array): void {
    this.#waiting.push({ number, group })
    this.#waitingBytes += group.byteLength
  }

  /**
   * Works until `deadline()` says stop or nothing is left of the round, inside the caller's transaction. Returns the
   * number of the last group of a round that is now complete (its log may go in the same transaction), else null.
   */
  step(deadline: () => boolean): number | null {
    const round = (this.#round ??= this.#beginRound())
    if (round === null) return null
    for (;;) {
      const purge = round.purges.pop()
      if (purge) this.#purge(purge.id)
      else {
        const work = round.works[round.works.length - 1]
        if (work === undefined) break
        if (this.#apply(work)) round.works.pop()
      }
      if (deadline()) return null
    }
    for (const [key, value] of round.meta) this.#setMeta(key, value)
    this.#setMeta('shard/last_id', String(this.#lastId))
    this.#setMeta('shard/last_group', String(round.last))
    return round.last
  }

  /** The round that `step` completed is durable: forget it. */
  finishRound(): void {
    this.#round = null
  }

  /** The transaction of the last steps was rolled back: the whole round is done again. */
  restartRound(groups: readonly { number: number; group: Uint8Array }[]): void {
    this.#round = null
    this.#waiting.length = 0
    this.#waitingBytes = 0
    for (const { number, group } of groups) this.add(number, group)
  }

  /** Removes some of what deleted streams left behind; true when nothing is left. */
  sweepDropped(deadline: () => boolean): boolean {
    return this.#segments.sweepDropped(deadline)
  }

  #beginRound(): Round | null {
    if (this.#waiting.length === 0) return null
    const touched = new Map<number, StreamWork>()
    const meta = new Map<string, string | null>()
    let last = -1
    for (const { number, group } of this.#waiting) {
      decodeGroup(group, record => this.#collect(record, touched, meta))
      last = number
    }
    const bytes = this.#waitingBytes
    this.#waiting.length = 0
    this.#waitingBytes = 0
    const all = [...touched.values()]
    // Purges first: they free names that creations of the same round may take. The rest in the order of the tables, so that
    // neighbours are written together: each page goes into the WAL once with every commit that touches it.
    const purges = all.filter(work => work.purged)
    const works = all.filter(work => !work.purged).sort((left, right) => right.id - left.id)
    return { last, purges, works, meta, bytes }
  }

  #collect(record: LogRecord, works: Map<number, StreamWork>, meta: Map<string, string | null>): void {
    if (record.kind === 'meta') {
      meta.set(record.key, record.value)
      return
    }
    const id = record.kind === 'create' ? record.stream.id : record.id
    let work = works.get(id)
    if (work === undefined) works.set(id, (work = newWork(id)))
    collectRecord(record, work)
    if (record.kind === 'create' && id > this.#lastId) this.#lastId = id
  }

  /** One step of `work`; true when it is done. */
  #apply(work: StreamWork): boolean {
    const stored = this.#stream(work.id)
    if (stored && !isIntact(stored)) return this.#applyBytes(work)
    const row = stored ? streamRow(stored) : work.created ? rowOf(work.created) : null
    if (row === null) return true // purged by an earlier round that this log repeats
    const small = stored ? { start: stored.small_start, count: stored.small_count } : { start: row.start, count: 0 }
    const fresh = work.blocks.filter(block => block.end > row.tail)
    const pieces = this.#segments.piecesOf(fresh, segmentsPerStepMax)
    const written = this.#segments.write(work.id, row.start, pieces.blocks, small)
    work.blocks = pieces.rest
    const tail = pieces.blocks.length === 0 ? row.tail : (pieces.blocks[pieces.blocks.length - 1]?.end ?? row.tail)
    const next: StreamRow = {
      ...row,
      path: work.renamed ?? row.path,
      tail,
      closed: row.closed || work.closed,
      hidden: row.hidden || work.hidden,
      closedBy: work.closedBy ?? row.closedBy,
      seq: work.seq ?? row.seq,
      touchedAtMs: Math.max(row.touchedAtMs, work.touchedAtMs),
    }
    const columns = streamColumns(next, written)
    if (stored && stored.path === next.path) this.#updateStream(columns)
    else this.#putStream(columns)
    for (const producer of work.producers.values()) this.#putProducer(work.id, producer)
    work.producers.clear()
    return work.blocks.length === 0
  }

  /**
   * The stream's row is damaged and stays so: readers are refused, and no tail is guessed. What was acknowledged is kept beside it for a repair,
   * and the other streams of the shard go on.
   */
  #applyBytes(work: StreamWork): boolean {
    for (const block of this.#segments.piecesOf(work.blocks, Infinity).blocks) this.#segments.write(work.id, block.start, [block], { start: block.start, count: 0 })
    for (const producer of work.producers.values()) this.#putProducer(work.id, producer)
    return true
  }

  #purge(id: number): void {
    this.#db.query('DELETE FROM streams WHERE id = ?').run(id)
    this.#db.query('DELETE FROM producers WHERE stream_id = ?').run(id)
    this.#segments.drop(id)
  }

  #stream(id: number): StreamColumns | null {
    return this.#db.query<StreamColumns, [number]>('SELECT * FROM streams WHERE id = ?').get(id)
  }

  #putStream(row: StreamColumns): void {
    this.#db
      .query(
        `INSERT INTO streams VALUES ($id, $path, $content_type, $created_at_ms, $ttl_secs, $expires_at_ms, $closed, $start,
           $tail, $hidden, $touched_at_ms, $seq, $closed_by, $parent_id, $fork, $deadline_ms, $small_start, $small_count, $sum)
         ON CONFLICT (id) DO UPDATE SET path = $path, closed = $closed, tail = $tail, hidden = $hidden,
           touched_at_ms = $touched_at_ms, seq = $seq, closed_by = $closed_by, deadline_ms = $deadline_ms,
           small_start = $small_start, small_count = $small_count, sum = $sum`,
      )
      .run({ ...row })
  }

  /** What an append changes. The name stays: to write it again would cost its place in the index, which lies elsewhere for every stream. */
  #updateStream(row: StreamColumns): void {
    this.#db
      .query(
        `UPDATE streams SET closed = ?, tail = ?, hidden = ?, touched_at_ms = ?, seq = ?, closed_by = ?, deadline_ms = ?,
           small_start = ?, small_count = ?, sum = ? WHERE id = ?`,
      )
      .run(row.closed, row.tail, row.hidden, row.touched_at_ms, row.seq, row.closed_by, row.deadline_ms, row.small_start, row.small_count, row.sum, row.id)
  }

  #putProducer(streamId: number, producer: ProducerState): void {
    this.#db
      .query('INSERT INTO producers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, sum = excluded.sum')
      .run(streamId, producer.id, producer.epoch, producer.seq, producerSum(streamId, producer))
  }

  #meta(key: string): string | null {
    const row = this.#db.query<MetaColumns, [string]>('SELECT * FROM meta WHERE key = ?').get(key)
    return row === null ? null : metaValue(row)
  }

  #setMeta(key: string, value: string | null): void {
    if (value === null) this.#db.query('DELETE FROM meta WHERE key = ?').run(key)
    else this.#db.query('INSERT INTO meta VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, sum = excluded.sum').run(key, value, metaSum(key, value))
  }
}

function newWork(id: number): StreamWork {
  return {
    id,
    created: null,
    purged: false,
    hidden: false,
    renamed: null,
    closed: false,
    closedBy: null,
    seq: null,
    touchedAtMs: 0,
    producers: new Map(),
    blocks: [],
  }
}

function collectRecord(record: Exclude<LogRecord, { kind: 'meta' }>, work: StreamWork): void {
  switch (record.kind) {
    case 'create':
      work.created = record.stream
      work.touchedAtMs = record.stream.createdAtMs
      return
    case 'append':
      if (record.bytes.byteLength > 0) {
        work.blocks.push({ start: record.start, end: record.start + record.bytes.byteLength, bytes: record.bytes, ends: null })
      }
      if (record.producer) work.producers.set(record.producer.id, record.producer)
      if (record.seq !== null) work.seq = record.seq
      if (record.closes) {
        work.closed = true
        work.closedBy = record.producer
      }
      work.touchedAtMs = Math.max(work.touchedAtMs, record.atMs)
      return
    case 'touch':
      work.touchedAtMs = Math.max(work.touchedAtMs, record.atMs)
      return
    case 'hide':
      work.hidden = true
      return
    case 'purge':
      work.purged = true
      return
    case 'rename':
      work.renamed = record.path
      return
  }
}

function rowOf(stream: CreatedStream): StreamRow {
  return { ...stream, tail: stream.start, hidden: false, touchedAtMs: stream.createdAtMs, seq: null, closedBy: null }
}

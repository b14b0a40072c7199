/** Verifies one shard file and the bytes that its rows stand for: structure, every checksum, and that no stream has a gap. Changes nothing. */
import type { Database } from 'bun:sqlite'
import { Refusal } from '../../lib/errors.ts'
import { openUntouched } from '../../storage/database.ts'
import { groupIntact, groupNumber } from './group.ts'
import { isIntact, metaValue, producerState, segmentBlock, streamRow, type MetaColumns, type ProducerColumns, type SegmentColumns, type StreamColumns } from './rows.ts'
import { formatVersion } from './schema.ts'

export interface ShardCheck {
  readonly problem: (text: string) => void
  /** Called with the number of bytes that were just verified. */
  readonly verified: (bytes: number) => void
  /** The bytes of a segment: its own, or those of the stream's file. */
  readonly bytesOf: (streamId: number, row: SegmentColumns) => Uint8Array
}

export interface ShardFacts {
  readonly streams: ReadonlySet<number>
  readonly parents: ReadonlySet<number>
  /** Deleted streams whose bytes are not all removed yet. */
  readonly dropped: ReadonlySet<number>
  /** The last group of the log that the tables hold. */
  readonly lastGroup: number
}

const cacheBytes = 8 * 1024 * 1024
/** SQLite lists at most this many faults of a file. */
const faultsMax = 20

/** Verifies the shard file `path`; `hasCommits`: its WAL holds some. Yields between streams, so that progress can be shown. */
export function* checkShard(path: string, hasCommits: boolean, check: ShardCheck): Generator<void, ShardFacts> {
  const facts = { streams: new Set<number>(), parents: new Set<number>(), dropped: new Set<number>(), lastGroup: 0 }
  const db = opened(path, hasCommits, check)
  if (db === null) return facts
  try {
    checkStructure(db, check)
    const lastGroup = checkMeta(db, check)
    checkLog(db, check, lastGroup)
    checkProducers(db, check)
    yield
    const tails = checkStreams(db, check, facts)
    for (const { stream_id } of db.query<{ stream_id: number }, []>('SELECT stream_id FROM dropped').all()) facts.dropped.add(stream_id)
    yield* checkSegments(db, check, tails, facts.dropped)
    return { ...facts, lastGroup }
  } catch (error) {
    check.problem(textOf(error))
    return facts
  } finally {
    db.close()
  }
}

function opened(path: string, hasCommits: boolean, check: ShardCheck): Database | null {
  try {
    const db = openUntouched(path, hasCommits, cacheBytes)
    const version = db.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version
    if (version === formatVersion) return db
    check.problem(`it has format ${version}; this headwater reads format ${formatVersion}`)
    db.close()
  } catch (error) {
    check.problem(textOf(error))
  }
  return null
}

function checkStructure(db: Database, check: ShardCheck): void {
  for (const { integrity_check: fault } of db.query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${faultsMax})`).all()) {
    if (fault !== 'ok') check.problem(fault)
  }
}

/** Rows of other features and of the shard itself; returns the last group that the tables hold. */
function checkMeta(db: Database, check: ShardCheck): number {
  let lastGroup = 0
  for (const row of db.query<MetaColumns, []>('SELECT * FROM meta').iterate()) {
    attempt(check, () => metaValue(row))
    if (row.key === 'shard/last_group') lastGroup = Number(row.value)
  }
  return lastGroup
}

/** Groups that were acknowledged and wait to be brought into the tables. */
function checkLog(db: Database, check: ShardCheck, applied: number): void {
  let before = applied
  for (const { number, data } of db.query<{ number: number; data: Uint8Array }, []>('SELECT number, data FROM log ORDER BY number').iterate()) {
    if (!groupIntact(data) || groupNumber(data) !== number) check.problem(`group ${number} of the log is damaged`)
    if (number !== before + 1) check.problem(`groups ${before + 1} to ${number - 1} of the log are missing`)
    before = number
    check.verified(data.byteLength)
  }
}

function checkProducers(db: Database, check: ShardCheck): void {
  const rows = db.query<ProducerColumns & { stream_id: number }, []>('SELECT stream_id, id, epoch, seq, sum FROM producers').iterate()
  for (const row of rows) attempt(check, () => producerState(row.stream_id, row))
}

interface Extent {
  readonly start: number
  readonly tail: number
}

function checkStreams(db: Database, check: ShardCheck, facts: { streams: Set<number>; parents: Set<number> }): ReadonlyMap<number, Extent> {
  const extents = new Map<number, Extent>()
  for (const columns of db.query<StreamColumns, []>('SELECT * FROM streams').iterate()) {
    if (isIntact(columns)) attempt(check, () => streamRow(columns))
    else check.problem(`damaged: row of stream ${columns.id}, named ${JSON.stringify(columns.path)}`)
    facts.streams.add(columns.id)
    if (columns.parent_id !== null) facts.parents.add(columns.parent_id)
    extents.set(columns.id, { start: columns.start, tail: columns.tail })
  }
  return extents
}

function* checkSegments(db: Database, check: ShardCheck, extents: ReadonlyMap<number, Extent>, dropped: ReadonlySet<number>): Generator<void> {
  const reached = new Map<number, number>()
  const rows = db.query<SegmentColumns & { stream_id: number }, []>('SELECT * FROM segments ORDER BY stream_id, start').iterate()
  for (const row of rows) {
    const id = row.stream_id
    if (dropped.has(id)) continue
    const extent = extents.get(id)
    if (extent === undefined) check.problem(`bytes ${row.start} to ${row.end} belong to stream ${id}, which does not exist`)
    const from = reached.get(id) ?? extent?.start
    if (from !== undefined && from !== row.start) check.problem(`stream ${id}: bytes ${from} to ${row.start} are missing`)
    reached.set(id, row.end)
    attempt(check, () => segmentBlock(id, row, check.bytesOf(id, row)))
    check.verified(row.end - row.start)
    yield
  }
  for (const [id, { start, tail }] of extents) {
    const end = reached.get(id) ?? start
    if (end !== tail) check.problem(`stream ${id}: its bytes end at ${end}, its tail is ${tail}`)
  }
}

function attempt(check: ShardCheck, run: () => unknown): void {
  try {
    run()
  } catch (error) {
    check.problem(textOf(error))
  }
}

function textOf(error: unknown): string {
  if (error instanceof Refusal) {
    const details: { readonly detail?: string } = error.details
    return `damaged: ${details.detail ?? error.code}`
  }
  return error instanceof Error ? error.message : String(error)
}

/** Writes the bytes of streams as segments of about 64 KiB and removes those of deleted streams. Part of the applier. */
import type { Database } from 'bun:sqlite'
import { Refusal } from '../../lib/errors.ts'
import { joinBlocks, segmentBytesAim, type Block } from './block.ts'
import { endsToBytes, segmentBlock, segmentSum, type SegmentColumns, type SmallRun } from './rows.ts'

/** Where the bytes of segments live: in the row itself, or in a file per stream. */
export interface SegmentBytes {
  /** Stores `bytes` at `start` of the stream (whose first own byte is `streamStart`); returns what goes into the row. */
  put(streamId: number, streamStart: number, start: number, bytes: Uint8Array): Uint8Array | null
  /** The bytes of a stored segment. */
  get(streamId: number, streamStart: number, row: SegmentColumns): Uint8Array
  /** All segments of the stream are gone from the tables. */
  drop(streamId: number): void
}

/** Segments of less than this many bytes are small; this many small ones at the end of a stream are joined. */
const smallBytes = segmentBytesAim / 4
const smallRunMax = 16
/** Segments of deleted streams removed in one statement. */
const sweepRows = 8

export class SegmentWriter {
  readonly #db: Database
  readonly #bytes: SegmentBytes

  constructor(db: Database, bytes: SegmentBytes) {
    this.#db = db
    this.#bytes = bytes
  }

  /** Joins records to pieces of at most `segmentBytesAim` (a larger record is a piece of its own), `piecesMax` at once. */
  piecesOf(records: readonly Block[], piecesMax: number): { blocks: Block[]; rest: Block[] } {
    const blocks: Block[] = []
    let at = 0
    while (at < records.length && blocks.length < piecesMax) {
      let to = at
      let size = 0
      do size += byteLength(records[to++])
      while (to < records.length && size + byteLength(records[to]) <= segmentBytesAim)
      blocks.push(joinBlocks(records.slice(at, to)))
      at = to
    }
    return { blocks, rest: records.slice(at) }
  }

  /** Stores `blocks` at the end of the stream and returns where its run of small segments is now. */
  write(streamId: number, streamStart: number, blocks: readonly Block[], small: SmallRun): SmallRun {
    let run = small
    for (const block of blocks) {
      if (run.count > 0 && run.count >= smallRunMax - 1) {
        this.#joinRun(streamId, streamStart, run, block)
        run = { start: block.end, count: 0 }
        continue
      }
      this.#insert(streamId, streamStart, block)
      const isSmall = block.end - block.start < smallBytes
      if (!isSmall) run = { start: block.end, count: 0 }
      else run = { start: run.count === 0 ? block.start : run.start, count: run.count + 1 }
    }
    return run
  }

  drop(streamId: number): void {
    this.#db.query('INSERT OR IGNORE INTO dropped VALUES (?)').run(streamId)
  }

  sweepDropped(deadline: () => boolean): boolean {
    for (;;) {
      const dropped = this.#db.query<{ stream_id: number }, []>('SELECT stream_id FROM dropped LIMIT 1').get()
      if (dropped === null) return true
      const id = dropped.stream_id
      const { changes } = this.#db
        .query(`DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE stream_id = ? LIMIT ${sweepRows})`)
        .run(id)
      if (changes === 0) {
        this.#db.query('DELETE FROM dropped WHERE stream_id = ?').run(id)
        this.#bytes.drop(id)
      }
      if (deadline()) return false
    }
  }

  /** Replaces the small segments of `run` and the new `block` by few large ones. */
  #joinRun(streamId: number, streamStart: number, run: SmallRun, block: Block): void {
    const rows = this.#db
      .query<SegmentColumns, [number, number]>('SELECT * FROM segments WHERE stream_id = ? AND start >= ? ORDER BY start')
      .all(streamId, run.start)
    const old = this.#blocksOf(streamId, streamStart, rows)
    if (old === null) return this.#insert(streamId, streamStart, block)
    this.#db.query('DELETE FROM segments WHERE stream_id = ? AND start >= ?').run(streamId, run.start)
    for (const piece of this.piecesOf([...old, block], Infinity).blocks) this.#insert(streamId, streamStart, piece)
  }

  /** null when one of `rows` is damaged: then all are left as they are, and readers are refused where it is. */
  #blocksOf(streamId: number, streamStart: number, rows: readonly SegmentColumns[]): readonly Block[] | null {
    try {
      return rows.map(row => segmentBlock(streamId, row, this.#bytes.get(streamId, streamStart, row)))
    } catch (error) {
      if (error instanceof Refusal && error.code === 'stream_damaged') return null
      throw error
    }
  }

  #insert(streamId: number, streamStart: number, block: Block): void {
    const ends = endsToBytes(block.ends)
    const sum = segmentSum(streamId, block.start, block.end, ends, block.bytes)
    const data = this.#bytes.put(streamId, streamStart, block.start, block.bytes)
    this.#db
      .query('INSERT OR REPLACE INTO segments (stream_id, start, "end", ends, data, sum) VALUES (?, ?, ?, ?, ?, ?)')
      .run(streamId, block.start, block.end, ends, data, sum)
  }
}

function byteLength(block: Block | undefined): number {
  return block === undefined ? 0 : block.end - block.start
}

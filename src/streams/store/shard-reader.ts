/** The read side of a shard file, beside its writer: rows and segments that were applied. Synchronous point reads. */
import type { Database } from 'bun:sqlite'
import { basename } from 'node:path'
import { fail } from '../../lib/errors.ts'
import { openReader } from '../../storage/database.ts'
import { isDamage } from '../../storage/sqlite-errors.ts'
import type { Block } from './block.ts'
import { isIntact, metaValue, producerState, segmentBlock, streamRow, type MetaColumns, type ProducerColumns, type SegmentColumns, type StreamColumns } from './rows.ts'
import type { DamagedRow, ProducerState, StreamRow } from './store.ts'

const cacheBytes = 8 * 1024 * 1024

export class ShardReader {
  readonly #db: Database
  readonly #bytesOf: (streamId: number, row: SegmentColumns) => Uint8Array

  /** `bytesOf` gives the bytes of a segment: its own `data`, or a range of the stream's file. */
  constructor(file: string, bytesOf: (streamId: number, row: SegmentColumns) => Uint8Array) {
    this.#db = openReader(file, cacheBytes)
    this.#bytesOf = bytesOf
  }

  streamByPath(path: string): StreamRow | null {
    const row = this.#read(() => this.#db.query<StreamColumns, [string]>('SELECT * FROM streams WHERE path = ?').get(path))
    // A flipped bit in the index leads to the row of another stream, which is whole in itself.
    if (row !== null && row.path !== path) fail('stream_damaged', { detail: 'index of names' })
    return rowOrNull(row)
  }

  streamById(id: number): StreamRow | null {
    return rowOrNull(this.#read(() => this.#db.query<StreamColumns, [number]>('SELECT * FROM streams WHERE id = ?').get(id)))
  }

  producer(streamId: number, producerId: string): ProducerState | null {
    const row = this.#read(() =>
      this.#db
        .query<ProducerColumns, [number, string]>('SELECT id, epoch, seq, sum FROM producers WHERE stream_id = ? AND id = ?')
        .get(streamId, producerId),
    )
    return row === null ? null : producerState(streamId, row)
  }

  producers(streamId: number): readonly ProducerState[] {
    const rows = this.#read(() =>
      this.#db.query<ProducerColumns, [number]>('SELECT id, epoch, seq, sum FROM producers WHERE stream_id = ?').all(streamId),
    )
    return rows.map(row => producerState(streamId, row))
  }

  blockAt(streamId: number, position: number): Block | null {
    const row = this.#read(() =>
      this.#db
        .query<SegmentColumns, [number, number]>(
          'SELECT * FROM segments WHERE stream_id = ? AND start <= ? ORDER BY start DESC LIMIT 1',
        )
        .get(streamId, position),
    )
    if (row === null || row.end <= position) return null
    return segmentBlock(streamId, row, this.#bytesOf(streamId, row))
  }

  list(prefix: string, after: string, limit: number, damaged: (row: DamagedRow) => void): readonly StreamRow[] {
    const found: StreamRow[] = []
    for (let last = after; ; ) {
      const wanted = limit - found.length
      const rows = this.#rowsAfter(prefix, last, wanted)
      for (const row of rows) {
        if (isIntact(row)) found.push(streamRow(row))
        else damaged({ id: row.id, path: row.path })
      }
      const end = rows.at(-1)
      if (end === undefined || rows.length < wanted || found.length === limit) return found
      last = end.path
    }
  }

  expired(nowMs: number, limit: number): readonly number[] {
    const rows = this.#read(() =>
      this.#db
        .query<{ id: number }, [number, number]>('SELECT id FROM streams WHERE deadline_ms <= ? AND hidden = 0 ORDER BY deadline_ms LIMIT ?')
        .all(nowMs, limit),
    )
    return rows.map(row => row.id)
  }

  hidden(): readonly number[] {
    const rows = this.#read(() => this.#db.query<{ id: number }, []>('SELECT id FROM streams WHERE hidden = 1').all())
    return rows.map(row => row.id)
  }

  forkCounts(): readonly (readonly [number, number])[] {
    const rows = this.#read(() =>
      this.#db
        .query<{ parent: number; forks: number }, []>(
          'SELECT parent_id AS parent, count(*) AS forks FROM streams WHERE parent_id IS NOT NULL GROUP BY parent_id',
        )
        .all(),
    )
    return rows.map(row => [row.parent, row.forks])
  }

  meta(prefix: string): readonly { readonly key: string; readonly value: string }[] {
    const rows = this.#read(() =>
      this.#db.query<MetaColumns, [string, string]>('SELECT * FROM meta WHERE key >= ? AND key < ?').all(prefix, `${prefix}\u{10FFFF}`),
    )
    return rows.map(row => ({ key: row.key, value: metaValue(row) }))
  }

  close(): void {
    this.#db.close()
  }

  #rowsAfter(prefix: string, after: string, limit: number): readonly StreamColumns[] {
    return this.#read(() =>
      this.#db
        .query<StreamColumns, [string, string, string, number]>(
          'SELECT * FROM streams WHERE path > ? AND path >= ? AND path < ? ORDER BY path LIMIT ?',
        )
        .all(after, prefix, `${prefix}\u{10FFFF}`, limit),
    )
  }

  /** What SQLite cannot make sense of is refused as every other damage is: stream_damaged. */
  #read<Result>(read: () => Result): Result {
    try {
      return read()
    } catch (error) {
      if (isDamage(error)) fail('stream_damaged', { detail: `${basename(this.#db.filename)}: ${error.code}` })
      throw error
    }
  }
}

function rowOrNull(columns: StreamColumns | null): StreamRow | null {
  return columns === null ? null : streamRow(columns)
}

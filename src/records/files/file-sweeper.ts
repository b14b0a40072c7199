/**
 * Removes the bytes of files after their rows: soon after each commit, and what failed from time to time again. Also judges what the journal still
 * names after a crash. Before anything is removed, the tables are asked whether a row names it.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Program, ProgramResult } from '../../storage/program.ts'
import { quoted } from '../../storage/identifier.ts'
import { namedIds, type FileColumn, type ReadRows } from './file-columns.ts'
import type { FileMetrics } from './file-metrics.ts'
import { isObjectId, type ObjectStore } from './object-store.ts'
import type { PendingObject, PendingObjects } from './pending-objects.ts'
import { droppedIds } from './stored-file.ts'

export interface SweeperParts {
  readonly objects: ObjectStore
  readonly pending: PendingObjects
  readonly metrics: FileMetrics
  readonly clock: Clock
  readonly log: Log
  readonly columns: () => readonly FileColumn[]
  /** Names of the databases that are open. */
  readonly databases: () => readonly string[]
  readonly readNow: (database: string, sql: string, params: readonly SqlValue[]) => readonly SqlRow[]
  readonly read: ReadRows
  readonly write: (database: string, program: Program) => Promise<ProgramResult>
  /** Files that are gone: what was made of them goes, too. */
  readonly forget: (ids: readonly string[]) => void
}

/** Attempts to remove a file; then its row in `_file_deletions` stays, with the error. */
export const deletionAttemptsMax = 10
/** Time between two looks at what failed and at the journal. */
export const sweepPeriodMs = 10 * 60_000
/** An object may be without a row for so long. */
export const pendingMsMax = 15 * 60_000
/** Rows of the queue that are worked on together. */
const batchRowsMax = 1000
/** Files of one commit usually come with others. */
const eagerDelayMs = 20
/** How long a stop waits for a round that runs. */
const stopMsMax = 2000
/** A round waits this many times as long as looking through tables took the one before, so that big ones are not looked through all the time. */
const pauseFactor = 9
/** Looks of this length cost nobody anything. */
const freeScanMs = 200
const errorCharactersMax = 500

interface Queued {
  readonly id: bigint
  readonly attempts: bigint
  readonly objects: readonly string[]
}

export class FileSweeper {
  readonly #parts: SweeperParts
  /** Databases with a round that is planned or runs. */
  readonly #planned = new Map<string, () => void>()
  readonly #pauseMs = new Map<string, number>()
  #turn: Promise<void> = Promise.resolve()
  #stopPeriod: () => void = () => {}
  #isStopped = false

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  start(): void {
    this.#stopPeriod = this.#parts.clock.every(sweepPeriodMs, () => void this.sweep())
    void this.sweep()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopPeriod()
    for (const cancel of this.#planned.values()) cancel()
    // What is cut off is found again after the start.
    const waiting = new AbortController()
    await Promise.race([this.#turn, this.#parts.clock.sleep(stopMsMax, waiting.signal)])
    waiting.abort()
  }

  /** A commit in `database`: looks soon whether it left files. */
  committed(database: string): void {
    if (this.#isStopped || this.#planned.has(database) || !this.#parts.columns().some(({ relation }) => relation.database === database)) return
    const delayMs = Math.max(eagerDelayMs, this.#pauseMs.get(database) ?? 0)
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#planned.delete(database)
      void this.#inTurn(() => this.#removeQueued(database, 1))
    })
    this.#planned.set(database, cancel)
  }

  /** All that waits: what failed before, and what the journal names for longer than it may. */
  async sweep(): Promise<void> {
    await this.#inTurn(async () => {
      for (const database of this.#parts.databases()) await this.#removeQueued(database, deletionAttemptsMax)
      await this.#judgePending()
    })
  }

  /** One after the other; what fails is logged, and tried again with the next sweep. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#isStopped) return
      try {
        await work()
      } catch (error) {
        if (!this.#isStopped) this.#parts.log.warn('files could not be cleaned up; it is tried again', { error })
      }
    })
    return this.#turn
  }

  /** Rows of the queue with fewer than `attemptsMax` attempts; those that fail now are not tried twice in a round. */
  async #removeQueued(database: string, attemptsMax: number): Promise<void> {
    let scanMs = 0
    let after = -1n
    for (;;) {
      const rows = this.#queued(database, attemptsMax, after)
      if (rows.length === 0) break
      scanMs += await this.#removeBatch(database, rows)
      after = rows.at(-1)?.id ?? after
    }
    this.#pauseMs.set(database, Math.max(0, scanMs - freeScanMs) * pauseFactor)
  }

  #queued(database: string, attemptsMax: number, after: bigint): readonly Queued[] {
    const sql =
      `SELECT id, attempts, json, updated_json FROM ${quoted(database)}._file_deletions ` +
      `WHERE id > ?1 AND attempts < ?2 ORDER BY id LIMIT ${batchRowsMax}`
    return this.#parts.readNow(database, sql, [after, BigInt(attemptsMax)]).map(([id, attempts, json, updated]) => ({
      id: BigInt(String(id)),
      attempts: BigInt(String(attempts)),
      objects: droppedIds(String(json), typeof updated === 'string' ? updated : null),
    }))
  }

  /** Gives how long the tables were looked through. */
  async #removeBatch(database: string, rows: readonly Queued[]): Promise<number> {
    const { objects, metrics, forget, write, clock } = this.#parts
    const ids = [...new Set(rows.flatMap(row => row.objects))]
    const startedMs = clock.monotonic()
    const named = await namedIds(this.#parts.columns(), database, ids, this.#parts.read)
    const scanMs = clock.monotonic() - startedMs
    const unnamed = ids.filter(id => !named.has(id))
    const failed = await objects.remove(unnamed)
    metrics.deleted(unnamed.length - failed.size)
    forget(unnamed)
    const failedRows = rows.filter(row => row.objects.some(id => failed.has(id)))
    const doneIds = rows.filter(row => !failedRows.includes(row)).map(row => String(row.id))
    const table = `${quoted(database)}._file_deletions`
    const steps = [
      { kind: 'run' as const, atLeast: 0, sql: `DELETE FROM ${table} WHERE id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))`, params: [JSON.stringify(doneIds)] },
      ...failedRows.map(row => ({
        kind: 'run' as const,
        atLeast: 0,
        sql: `UPDATE ${table} SET attempts = attempts + 1, errors = ?2 WHERE id = ?1`,
        params: [row.id, this.#failure(database, row, failed)],
      })),
    ]
    await write(database, { steps })
    return scanMs
  }

  /** Counts and logs the failure of a row; gives its text. */
  #failure(database: string, row: Queued, failed: ReadonlyMap<string, unknown>): string {
    const { metrics, log } = this.#parts
    const error = row.objects.map(id => failed.get(id)).find(each => each !== undefined)
    metrics.retried(1)
    const isLast = row.attempts + 1n >= deletionAttemptsMax
    if (isLast) metrics.gaveUp(1)
    const fields = { database, deletion: Number(row.id), error }
    if (isLast) log.error('a file could not be removed, and is not tried again', fields)
    else log.warn('a file could not be removed; it is tried again', fields)
    return (error instanceof Error ? error.message : String(error)).slice(0, errorCharactersMax)
  }

  /** Nobody says which of two came last, a crash or the row: the tables do. */
  async #judgePending(): Promise<void> {
    const { pending, clock } = this.#parts
    const endedMs = clock.now() - pendingMsMax
    const old = (await pending.abandoned()).filter(({ sinceMs }) => sinceMs <= endedMs)
    for (const [database, objects] of Map.groupBy(old, object => object.database)) {
      // A database that is not served now may be served again.
      if (this.#parts.databases().includes(database)) await this.#judge(database, objects)
    }
  }

  async #judge(database: string, objects: readonly PendingObject[]): Promise<void> {
    const ids = objects.map(({ id }) => id).filter(isObjectId)
    const named = await namedIds(this.#parts.columns(), database, ids, this.#parts.read)
    const unnamed = ids.filter(id => !named.has(id))
    const failed = await this.#parts.objects.remove(unnamed)
    this.#parts.metrics.deleted(unnamed.length - failed.size)
    if (unnamed.length > 0) this.#parts.log.info('files without a row were removed', { database, count: unnamed.length - failed.size })
    for (const object of objects) if (!failed.has(object.id)) await this.#parts.pending.forget(object)
  }
}

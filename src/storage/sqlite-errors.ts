/** Sorts what SQLite throws: no room, damage, a lock of somebody else, or a statement that alone is to blame. Decides nothing about the answer. */
import { SQLiteError } from 'bun:sqlite'

/** What went wrong with one statement: SQLite's extended result code (275 = CHECK …); 1 also for what a registered function threw. */
export interface StatementProblem {
  readonly errno: number
  readonly message: string
}

/** True when the system refused a write for lack of room; a failed fsync is never taken for that. */
export function isFull(error: unknown): boolean {
  if (error instanceof SQLiteError) return error.code === 'SQLITE_FULL' || error.code === 'SQLITE_IOERR_SHMSIZE'
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** True when what SQLite read makes no sense, or could not be read at all. */
export function isDamage(error: unknown): error is SQLiteError {
  return error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB|IOERR_READ|IOERR_SHORT_READ|IOERR_CORRUPTFS|IOERR_DATA)/.test(error.code ?? '')
}

/** True when another connection held a lock for longer than we wait. */
export function isBusy(error: unknown): boolean {
  return error instanceof SQLiteError && (error.errno & 0xff) === 5
}

/** INTERNAL, NOMEM, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB: after these nobody knows what the file holds. */
const fatalCodes: ReadonlySet<number> = new Set([2, 7, 10, 11, 14, 15, 26])
/** A virtual table found its own content unfit (FTS5, for instance): the file is sound. */
const corruptVirtualTable = 267
const genericError = 1

/** What the statement itself did wrong; null when the storage is to blame, or has no room, and the caller must stop. */
export function problemOf(error: unknown): StatementProblem | null {
  if (isFull(error)) return null
  if (!(error instanceof SQLiteError)) return error instanceof Error ? { errno: genericError, message: error.message } : null
  const { errno, message } = error
  return fatalCodes.has(errno & 0xff) && errno !== corruptVirtualTable ? null : { errno, message }
}

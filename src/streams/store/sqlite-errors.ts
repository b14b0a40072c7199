/** Tells a full disk and a damaged file from every other failure, for SQLite and for files. */
import { SQLiteError } from 'bun:sqlite'

/** True when the system refused a write for lack of room; a failed fsync is never taken for that. */
export function isFull(error: unknown): boolean {
  if (error instanceof SQLiteError) return error.code === 'SQLITE_FULL' || error.code === 'SQLITE_IOERR_SHMSIZE'
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** True when what SQLite read makes no sense, or could not be read at all. */
export function isDamage(error: unknown): error is SQLiteError {
  return error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB|IOERR_READ|IOERR_SHORT_READ|IOERR_CORRUPTFS|IOERR_DATA)/.test(error.code ?? '')
}

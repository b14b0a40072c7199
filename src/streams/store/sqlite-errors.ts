/** Tells a full disk and a damaged file from every other failure, for SQLite and for files. */
import { SQLiteError } from 'bun:sqlite'
import { OperatorError } from '../../lib/errors.ts'

/** True when the system refused a write for lack of room; a failed fsync is never taken for that. */
export function isFull(error: unknown): boolean {
  if (error instanceof SQLiteError) return error.code === 'SQLITE_FULL' || error.code === 'SQLITE_IOERR_SHMSIZE'
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** True when what SQLite read makes no sense, or could not be read at all. */
export function isDamage(error: unknown): error is SQLiteError {
  return error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB|IOERR_READ|IOERR_SHORT_READ|IOERR_CORRUPTFS|IOERR_DATA)/.test(error.code ?? '')
}

/** A start that needs more room than there is: what `file` holds in its log cannot be brought into its tables. */
export function noRoom(file: string): OperatorError {
  return new OperatorError(`the disk of ${file} is full: what is in its log cannot be applied; nothing is lost`, 'make room on the disk and start again', 75)
}

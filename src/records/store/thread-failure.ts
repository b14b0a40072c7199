/** What a thread of the record databases says when it cannot go on. */
import { SQLiteError } from 'bun:sqlite'
import { OperatorError } from '../../lib/errors.ts'
import type { ThreadFailure } from './messages.ts'

/** An operator's mistake is told as such; anything else ends the process. */
export function failureOf(error: unknown): ThreadFailure {
  if (error instanceof OperatorError) return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  return { kind: 'fatal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** What SQLite says of a file that cannot be opened at all is for an operator; other errors stay as they are. */
export function cannotOpen(error: unknown, path: string): unknown {
  if (!(error instanceof SQLiteError)) return error
  return new OperatorError(`cannot open ${path}: ${error.message}`, 'check its rights, or restore it from a backup', 74)
}

/** What a thread of the record databases says when it cannot go on. */
import { SQLiteError } from 'bun:sqlite'
import { OperatorError } from '../../lib/errors.ts'
import type { ThreadFailure } from './messages.ts'

/** An operator's mistake is told as such; anything else ends the process. */
export function failureOf(error: unknown): ThreadFailure {
  if (error instanceof OperatorError) return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  return { kind: 'fatal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** The same for a file that cannot be opened at all. */
export function openFailureOf(error: unknown, path: string): ThreadFailure {
  if (!(error instanceof SQLiteError)) return failureOf(error)
  return { kind: 'refused', message: `cannot open ${path}: ${error.message}`, remedy: 'check its rights, or restore it from a backup', exitCode: 74 }
}

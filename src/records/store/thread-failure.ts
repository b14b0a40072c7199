/** What a thread of the record databases says when it cannot go on, and the clock with which its failures are never silent. */
import { OperatorError } from '../../lib/errors.ts'
import type { ThreadFailure } from './messages.ts'

/** An operator's mistake is told as such; anything else ends the process. */
export function failureOf(error: unknown): ThreadFailure {
  if (error instanceof OperatorError) return { kind: 'refused', message: error.message, remedy: error.remedy, exitCode: error.exitCode }
  return { kind: 'fatal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** What a start says that finds its disk full. Telling a full disk from other failures is storage/sqlite-errors.ts. */
import { OperatorError } from '../../lib/errors.ts'

/** A start that needs more room than there is: what `file` holds in its log cannot be brought into its tables. */
export function noRoom(file: string): OperatorError {
  return new OperatorError(`the disk of ${file} is full: what is in its log cannot be applied; nothing is lost`, 'make room on the disk and start again', 75)
}

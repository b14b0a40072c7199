/** What writing a record needs of files/: their bytes go to the object store before the row, and away again when the row is refused. */
import type { SqlValue } from '../../lib/sql-value.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'

export interface FileIntake {
  /** Begins one request that may bring files for `api`. */
  begin(api: RecordApi): FileRequest
}

export interface FileRequest {
  /** The JSON text to store in `column` for what the client sent. Refuses `invalid_record`. */
  take(column: Column, value: unknown): Promise<SqlValue>
  /** The row is committed: what it replaced or deleted may go. Does not wait. */
  committed(): void
  /** The row is not there: what was stored for it goes. */
  refused(): Promise<void>
}

export function isFileColumn(column: Column): boolean {
  return column.format.kind === 'file' || column.format.kind === 'files'
}

/** What writing a record needs of files/: their bytes go to the object store before the row, and away again when the row is refused. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import type { PlannedStep } from './outcome.ts'

export interface FileIntake {
  /** Begins one request that may bring files for `api`; `key` is that of the record it updates, null when it creates. */
  begin(api: RecordApi, key: SqlRow | null): FileRequest
}

export interface FileRequest {
  /** The JSON text to store in `column` for what the client sent. Refuses `invalid_record`. */
  take(column: Column, value: unknown): Promise<SqlValue>
  /** What must still hold in the transaction, so that a file which is kept is there. */
  guards(): readonly PlannedStep[]
  /** The row is committed. Does not wait. What it replaced or deleted is queued by triggers. */
  committed(): void
  /** The row was not written, or after a failure that is no refusal may not have been: what was stored for it goes. Null: a replayed answer. */
  refused(error: unknown): Promise<void>
}

export function isFileColumn(column: Column): boolean {
  return column.format.kind === 'file' || column.format.kind === 'files'
}

/** From what a client sent to the values of a row, by column. Statements are made of them in insert.ts and update.ts. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { columnValue, type BodyForm } from '../body/column-value.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import { isFileColumn, type FileRequest } from './file-intake.ts'

/** Values of one record by name, as they came. */
export type RawRecord = Readonly<Record<string, unknown>>

/** The columns that a request gives, in the order of the relation, each with its value. */
export interface RowValues {
  readonly columns: readonly Column[]
  readonly values: readonly SqlValue[]
}

/** Keys that are no column of the API, and generated columns, are ignored (trailbase-api.md §4). Refuses `invalid_record`. */
export function rowValues(api: RecordApi, raw: RawRecord, form: BodyForm): RowValues {
  const columns = givenColumns(api, raw)
  return { columns, values: columns.map(column => columnValue(column, raw[column.name], form)) }
}

/** The same for an API whose table has file columns: their bytes are stored on the way. */
export async function rowValuesWithFiles(api: RecordApi, raw: RawRecord, form: BodyForm, files: FileRequest): Promise<RowValues> {
  const columns = givenColumns(api, raw)
  const values: SqlValue[] = []
  for (const column of columns) {
    const value = raw[column.name]
    values.push(isFileColumn(column) ? await files.take(column, value) : columnValue(column, value, form))
  }
  return { columns, values }
}

/** Gives every autofill column that the record leaves out the caller's id (trailbase-api.md §5.1). */
export function autofilled(api: RecordApi, row: RowValues, userId: Uint8Array | null): RowValues {
  if (userId === null || api.autofill.length === 0) return row
  const missing = api.autofill.filter(column => !row.columns.includes(column))
  if (missing.length === 0) return row
  const pairs = [...row.columns.map((column, i) => [column, row.values[i] ?? null] as const), ...missing.map(column => [column, userId] as const)]
  pairs.sort(([a], [b]) => a.index - b.index)
  return { columns: pairs.map(([column]) => column), values: pairs.map(([, value]) => value) }
}

/** The value that `row` gives for `column`; undefined when it gives none. */
export function valueOf(row: RowValues, column: Column): SqlValue | undefined {
  const at = row.columns.indexOf(column)
  return at < 0 ? undefined : row.values[at]
}

function givenColumns(api: RecordApi, raw: RawRecord): Column[] {
  const columns: Column[] = []
  for (const name of Object.keys(raw)) {
    const column = api.columnsByName.get(name)
    if (column !== undefined && !column.isGenerated) columns.push(column)
  }
  return columns.sort((a, b) => a.index - b.index)
}

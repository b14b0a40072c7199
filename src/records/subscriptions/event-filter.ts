/** A subscriber's filter over the values of one row, judged by SQLite as a list judges stored rows. Parsing it is query/. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { problemOf } from '../../storage/sqlite-errors.ts'
import type { Column } from '../catalog/relation.ts'
import type { ReadNow } from '../changes/change-log.ts'
import { Bindings } from '../query/bindings.ts'
import { filterCondition } from '../query/filter.ts'
import type { Filter } from '../query/filter-tree.ts'
import { columnSql } from '../query/scan.ts'
import { visibleColumns } from '../query/visible-columns.ts'
import type { RecordApi } from '../record-api.ts'
import { valuesRelation } from '../rules.ts'

export type EventFilter = (row: SqlRow, read: ReadNow) => boolean

/** Refuses `invalid_query` for what the API's columns do not allow. */
export function eventFilter(api: RecordApi, filter: Filter): EventFilter {
  const names = namesOf(filter)
  const columns = api.relation.columns.filter(({ name }) => names.has(name))
  const bindings = new Bindings(columns.map(() => null))
  const condition = filterCondition(filter, { columns: visibleColumns(api), sqlOf: columnSql }, bindings)
  const sql = `SELECT 1 FROM ${valuesRelation({ columns }, 1).sql} AS _ROW_ WHERE ${condition}`
  const rest = bindings.values.slice(columns.length)
  return (row, read) => holds(read, api.relation.database, sql, [...columns.map(({ index }: Column) => row[index] ?? null), ...rest])
}

/** A filter that ends in an error (a value too large for a pattern, say) does not hold. */
function holds(read: ReadNow, database: string, sql: string, params: readonly SqlValue[]): boolean {
  try {
    return read(database, sql, params).length > 0
  } catch (error) {
    if (problemOf(error) === null) throw error
    return false
  }
}

function namesOf(filter: Filter): ReadonlySet<string> {
  return new Set(filter.kind === 'test' ? [filter.column] : filter.parts.flatMap(part => [...namesOf(part)]))
}

/** The records that a subscriber sees now, and the position in the change log that belongs to them, from one read transaction. */
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import { headSql } from '../changes/change-log.ts'
import { Bindings } from '../query/bindings.ts'
import { filterCondition } from '../query/filter.ts'
import type { Filter } from '../query/filter-tree.ts'
import { RowRules, userValues } from '../query/row-rule.ts'
import { columnSql, scanBase } from '../query/scan.ts'
import { named } from '../query/selection.ts'
import { visibleColumns } from '../query/visible-columns.ts'
import type { RecordApi } from '../record-api.ts'
import { plainFields, rowText } from '../row-json.ts'

export interface SnapshotQuery {
  readonly principal: Principal
  /** Of one record; null: of all that fit. */
  readonly key: readonly SqlValue[] | null
  readonly filter: Filter | null
  readonly recordsMax: number
}

export interface Snapshot {
  readonly position: number
  readonly count: number
  /** Each as JSON. */
  readonly records: Iterator<string>
}

/** To run in one read transaction, in this order. Refuses `invalid_query` for what the API's columns do not allow. */
export function snapshotStatements(api: RecordApi, { principal, key, filter, recordsMax }: SnapshotQuery): readonly Statement[] {
  const rules = new RowRules(principal.kind === 'admin')
  const rule = rules.ofApi(api)
  const bindings = new Bindings(userValues(rules.usesUser, principal))
  const conditions = [scanBase(api, rule)]
  if (key !== null) conditions.push(...api.key.map((column, i) => `${columnSql(column)} = ${bindings.add(key[i] ?? null)}`))
  if (filter !== null) conditions.push(filterCondition(filter, { columns: visibleColumns(api), sqlOf: columnSql }, bindings))
  const columns = named(api.visible.map(columnSql)) || 'NULL'
  const sql = `SELECT ${columns} ${conditions.join(' AND ')} LIMIT ${recordsMax + 1}`
  return [{ sql: headSql(api.relation.database), params: [] }, { sql, params: bindings.values }]
}

/** Of the rows of those statements. Refuses `query_too_costly` when there are too many. */
export function snapshotOf(api: RecordApi, [head, rows = []]: readonly (readonly SqlRow[])[], recordsMax: number): Snapshot {
  if (rows.length > recordsMax) fail('query_too_costly', { detail: `a snapshot has at most ${recordsMax} records; narrow the filter` })
  const text = rowText(plainFields(api.visible))
  const records = function* () {
    for (const row of rows) yield text(row, [])
  }
  return { position: Number(head?.[0]?.[0] ?? 0), count: rows.length, records: records() }
}

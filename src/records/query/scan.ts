/** The rows that a list is about, as FROM and WHERE: deadline, read rule, full-text match and filter. Page, count and groups share it. */
import { qualified, quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import type { Bindings } from './bindings.ts'
import { filterCondition } from './filter.ts'
import { matchQuery } from './match.ts'
import type { ListQuery } from './parse.ts'
import { refuseQuery } from './refuse.ts'
import { visibleColumns } from './visible-columns.ts'


/** `base` is the text of scanBase; the values of the query are added to `bindings`. */
export function scanRows(api: RecordApi, query: ListQuery, base: string, bindings: Bindings): string {
  const conditions = [base]
  if (query.match !== null) conditions.push(matchCondition(api, query.match, bindings))
  if (query.filter !== null) conditions.push(filterCondition(query.filter, { columns: visibleColumns(api), sqlOf: columnSql }, bindings))
  return conditions.join(' AND ')
}

/** What is the same for every query of an API: the relation, the deadline and the read rule. */
export function scanBase(api: RecordApi, rule: string | null): string {
  const { database, name } = api.relation
  return `FROM ${qualified(database, name)} AS _ROW_ WHERE _deadline()${rule === null ? '' : ` AND ${rule}`}`
}

export function columnSql(column: Column): string {
  return `_ROW_.${quoted(column.name)}`
}

/** FTS5 takes its query as a comparison with a column that is named after the table. */
function matchCondition(api: RecordApi, text: string, bindings: Bindings): string {
  if (api.relation.kind !== 'search') return refuseQuery('match is for full-text search tables')
  const names = api.visible.filter(column => !api.key.includes(column)).map(column => column.name)
  return `_ROW_.${quoted(api.relation.name)} MATCH ${bindings.add(matchQuery(text, names))}`
}

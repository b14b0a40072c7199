/** Rows of a table in pages, in the order of its key, for export. A page is one moment; what is written between two pages may or may not be seen. */
import { fail } from '../lib/errors.ts'
import type { SqlRow } from '../lib/sql-value.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import { textOf } from '../records/catalog/schema-rows.ts'
import type { Relation } from '../records/catalog/relation.ts'
import { literal, qualified, quoted } from '../storage/identifier.ts'
import type { AdminRecords } from './query.ts'
import { shapeOf } from './tables-shape.ts'

export interface RowPage {
  readonly rows: readonly SqlRow[]
  /** What the next page comes after; null when there is none. */
  readonly next: SqlRow | null
}

/** Rows that a page may have. */
export const pageRowsMax = 2000
/** A page is found by key. */
const pageMsMax = 10_000

/** At most `limit` rows behind the key `after`. */
export async function tableRows(store: AdminRecords['store'], relation: Relation, after: SqlRow | null, limit: number): Promise<RowPage> {
  const key = relation.isWithoutRowid ? await primaryKey(store, relation) : [rowidName(relation)]
  if (after !== null && after.length !== key.length) fail('bad_request', { detail: 'the position is not one of this table' })
  const names = key.join(', ')
  const columns = shapeOf(relation).columns.map(({ name }) => quoted(name))
  const behind = after === null ? '' : `WHERE (${names}) > (${key.map((_, i) => `?${i + 1}`).join(', ')}) `
  const sql = `SELECT ${[...key, ...columns].join(', ')} FROM ${qualified(relation.database, relation.name)} ${behind}ORDER BY ${names} LIMIT ${limit}`
  const rows = await rowsOf(store, relation.database, sql, after ?? [])
  const last = rows.length < limit ? undefined : rows.at(-1)
  return { rows: rows.map(row => row.slice(key.length)), next: last?.slice(0, key.length) ?? null }
}

async function primaryKey(store: AdminRecords['store'], { database, name }: Relation): Promise<readonly string[]> {
  const rows = await rowsOf(store, database, `SELECT name FROM pragma_table_info(${literal(name)}, ${literal(database)}) WHERE pk > 0 ORDER BY pk`, [])
  return rows.map(([column]) => quoted(textOf(column)))
}

/** A column may have taken one of the names. */
function rowidName({ columns, name }: Relation): string {
  const free = ['rowid', '_rowid_', 'oid'].find(each => !columns.some(column => foldName(column.name) === each))
  return free ?? fail('bad_request', { detail: `the columns of "${name}" hide its rowid` })
}

async function rowsOf(store: AdminRecords['store'], database: string, sql: string, params: SqlRow): Promise<readonly SqlRow[]> {
  const answer = await store.read({ database, statements: [{ sql, params }], deadlineMs: pageMsMax, finish: null })
  return 'rows' in answer ? (answer.rows[0] ?? []) : []
}

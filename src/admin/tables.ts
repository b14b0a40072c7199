/** `GET /api/_admin/tables`: tables, indexes, triggers and views of every database in TrailBase's shapes (trailbase-api.md §11.1). */
import type { SqlRow } from '../lib/sql-value.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import { numberOf, textOf } from '../records/catalog/schema-rows.ts'
import { literal, quoted } from '../storage/identifier.ts'
import type { AdminRecords } from './query.ts'
import { indexText, tableText, viewQuery, type TableText } from './tables-text.ts'

/** Each with the SQL that made it. */
export interface SchemaList {
  readonly tables: readonly (readonly [object, string])[]
  readonly indexes: readonly (readonly [object, string])[]
  readonly triggers: readonly (readonly [object, string])[]
  readonly views: readonly (readonly [object, string])[]
}

const readMsMax = 10_000

export async function listSchema({ store, catalog }: AdminRecords): Promise<SchemaList> {
  const databases = new Set(['main', ...[...catalog.relations.values()].map(({ database }) => database)])
  const lists = await Promise.all([...databases].map(database => listDatabase(store, database)))
  const all = (kind: keyof SchemaList) => lists.flatMap(list => list[kind])
  return { tables: all('tables'), indexes: all('indexes'), triggers: all('triggers'), views: all('views') }
}

async function listDatabase(store: AdminRecords['store'], database: string): Promise<SchemaList> {
  const place = literal(database)
  const schema = `${quoted(database)}.sqlite_schema`
  const [made = [], kinds = [], columns = [], keys = []] = await rowsOf(store, database, [
    `SELECT type, name, tbl_name, sql FROM ${schema} WHERE sql IS NOT NULL ORDER BY rowid`,
    `SELECT name, strict, type FROM pragma_table_list WHERE schema = ${place}`,
    `SELECT m.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden FROM ${schema} AS m JOIN pragma_table_xinfo(m.name, ${place}) AS x WHERE m.type = 'table' AND x.hidden <> 1 ORDER BY m.rowid, x.cid`,
    `SELECT m.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete FROM ${schema} AS m JOIN pragma_foreign_key_list(m.name, ${place}) AS f WHERE m.type = 'table' ORDER BY m.rowid, f.id, f.seq`,
  ])
  const uniques = await rowsOf(store, database, [
    `SELECT m.name, l.name, l.origin, x.name FROM ${schema} AS m JOIN pragma_index_list(m.name, ${place}) AS l JOIN pragma_index_xinfo(l.name, ${place}) AS x WHERE m.type = 'table' AND l.origin = 'u' AND x.key ORDER BY m.rowid, l.seq DESC, x.seqno`,
  ])
  const about = (rows: readonly SqlRow[], name: string) => rows.filter(([owner]) => owner === name).map(row => row.slice(1))
  const named = (name: string) => ({ name, database_schema: database === 'main' ? null : database })
  const entries = made.map(([type, name, table, sql]) => ({ type: textOf(type), name: textOf(name), table: textOf(table), sql: textOf(sql) }))
  const of = (kind: string) => entries.filter(({ type }) => type === kind)
  return {
    tables: of('table').map(({ name, sql }) => {
      const kind = kinds.find(([known]) => known === name)
      const parts = { columns: about(columns, name), keys: about(keys, name), uniques: about(uniques[0] ?? [], name), text: tableText(sql) }
      return [{ name: named(name), strict: numberOf(kind?.[1]) !== 0, ...tableShape(parts), virtual_table: kind?.[2] === 'virtual', temporary: false }, sql]
    }),
    indexes: of('index').map(({ name, table, sql }) => [{ name: named(name), table_name: table, ...indexText(sql), unique: /^CREATE\s+UNIQUE/i.test(sql) }, sql]),
    triggers: of('trigger').map(({ name, table, sql }) => [{ name: named(name), table_name: table }, sql]),
    views: of('view').map(({ name, sql }) => [{ name: named(name), column_mapping: null, query: viewQuery(sql), temporary: false }, sql]),
  }
}

interface TableParts {
  readonly columns: readonly SqlRow[]
  readonly keys: readonly SqlRow[]
  readonly uniques: readonly SqlRow[]
  readonly text: TableText
}

/** A constraint of one column is an option of that column, one of several is the table's. */
function tableShape({ columns, keys, uniques, text }: TableParts): object {
  const foreign = Map.groupBy(keys, ([id]) => numberOf(id))
  const unique = [...Map.groupBy(uniques, ([index]) => textOf(index)).values()].map(rows => rows.map(row => textOf(row[2])))
  const primary = columns.filter(row => numberOf(row[4]) > 0).toSorted((a, b) => numberOf(a[4]) - numberOf(b[4])).map(([name]) => textOf(name))
  const single = (name: string) => [...foreign.values()].flatMap(rows => (rows.length === 1 && rows[0]?.[2] === name ? rows : []))
  return {
    columns: columns.map(row => columnShape(row, { primary, unique, single, text })),
    foreign_keys: [...foreign.values()].filter(rows => rows.length > 1).map(rows => ({ name: null, columns: rows.map(row => row[2]), ...foreignShape(rows) })),
    unique: [...(primary.length > 1 ? [primary] : []), ...unique.filter(names => names.length > 1)].map(names => ({ name: null, columns: names, conflict_clause: null })),
    checks: text.checks,
  }
}

interface ColumnContext {
  readonly primary: readonly string[]
  readonly unique: readonly (readonly string[])[]
  readonly single: (name: string) => readonly SqlRow[]
  readonly text: TableText
}

function columnShape([name, declared, isNotNull, defaultSql, , hidden]: SqlRow, { primary, unique, single, text }: ColumnContext): object {
  const own = textOf(name)
  const words = text.columns.get(foldName(own))
  const type = textOf(declared).replace(/ *GENERATED ALWAYS$/i, '')
  const isPrimary = primary.length === 1 && primary[0] === own
  const options: object[] = [
    ...(isPrimary || unique.some(names => names.length === 1 && names[0] === own) ? [{ Unique: { is_primary: isPrimary, conflict_clause: null } }] : []),
    ...(typeof defaultSql === 'string' ? [{ Default: defaultSql }] : []),
    ...single(own).map(row => ({ ForeignKey: foreignShape([row]) })),
    ...(words?.checks ?? []).map(expr => ({ Check: expr })),
    ...(words?.generated == null ? [] : [{ Generated: { expr: words.generated, mode: numberOf(hidden) === 3 ? 'Stored' : 'Virtual' } }]),
    ...(words?.collation == null ? [] : [{ Collate: words.collation }]),
  ]
  const affinity = affinityOf(type)
  return { name: own, type_name: type, data_type: affinity === 'Numeric' ? 'Any' : affinity, affinity_type: affinity, options: [...(numberOf(isNotNull) !== 0 ? ['NotNull'] : []), ...options] }
}

function foreignShape(rows: readonly SqlRow[]): object {
  const [first] = rows
  const referred = rows.flatMap(row => (typeof row[3] === 'string' ? [row[3]] : []))
  return { foreign_table: first?.[1] ?? '', referred_columns: referred, on_update: actionOf(first?.[4]), on_delete: actionOf(first?.[5]) }
}

const actions: Readonly<Record<string, string>> = { RESTRICT: 'Restrict', CASCADE: 'Cascade', 'SET NULL': 'SetNull', 'SET DEFAULT': 'SetDefault' }

function actionOf(action: unknown): string | null {
  return typeof action === 'string' ? (actions[action] ?? null) : null
}

/** https://sqlite.org/datatype3.html §3.1; ANY of a STRICT table has none and counts as numeric by its name. */
function affinityOf(type: string): 'Integer' | 'Text' | 'Blob' | 'Real' | 'Numeric' {
  if (/INT/i.test(type)) return 'Integer'
  if (/CHAR|CLOB|TEXT/i.test(type)) return 'Text'
  if (type === '' || /BLOB/i.test(type)) return 'Blob'
  return /REAL|FLOA|DOUB/i.test(type) ? 'Real' : 'Numeric'
}

async function rowsOf(store: AdminRecords['store'], database: string, sqls: readonly string[]): Promise<readonly (readonly SqlRow[])[]> {
  const answer = await store.read({ database, statements: sqls.map(sql => ({ sql, params: [] })), deadlineMs: readMsMax, finish: null })
  return 'rows' in answer ? answer.rows : []
}

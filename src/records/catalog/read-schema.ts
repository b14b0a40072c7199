/** Every table and view of every attached database as Relations, read from SQLite. What an API may make of them is compile.ts. */
import { literal, quoted } from '../../storage/identifier.ts'
import type { JsonSchemas } from './column-format.ts'
import { readTable, type SchemaEntry } from './read-table.ts'
import type { Relation } from './relation.ts'
import { isSearch, readSearch } from './read-search.ts'
import { readView } from './read-view.ts'
import { numberOf, textOf, type ReadRows } from './schema-rows.ts'
import { isName, sameName, tokenize } from './sql-tokens.ts'

/** `schemas` are the configuration's JSON schemas, which CHECKs may name. Tables of SQLite itself, temporary and shadow tables are left out. */
export function readSchema(read: ReadRows, schemas: JsonSchemas): readonly Relation[] {
  const databases = read('SELECT name FROM pragma_database_list ORDER BY seq').map(([name]) => textOf(name)).filter(name => name !== 'temp')
  const entries = databases.flatMap(database => readEntries(read, database))
  const tables = entries.flatMap(({ kind, entry }) => tableRelation(read, kind, entry, schemas))
  const views = entries.filter(({ kind }) => kind === 'view').map(({ entry }) => entry)
  return [...tables, ...readViews(read, views, tables)]
}

/** Virtual tables other than FTS5, and what belongs to one, are none. */
function tableRelation(read: ReadRows, kind: string, entry: SchemaEntry, schemas: JsonSchemas): readonly Relation[] {
  if (kind === 'table') return [readTable(read, entry, schemas)]
  return kind === 'virtual' && isSearch(entry) ? [readSearch(read, entry)] : []
}

/** Views may name views that come later; SQLite refuses circles only when they are used. */
function readViews(read: ReadRows, entries: readonly SchemaEntry[], tables: readonly Relation[]): readonly Relation[] {
  const done = new Map<SchemaEntry, Relation>()
  const open = new Set<SchemaEntry>()
  const readOne = (entry: SchemaEntry): Relation | undefined => {
    const known = done.get(entry)
    if (known !== undefined || open.has(entry)) return known
    open.add(entry)
    const isThere = (name: string) => (other: { readonly database: string; readonly name: string }) => other.database === entry.database && sameName(other.name, name)
    const find = (name: string) => {
      const view = entries.find(isThere(name))
      return tables.find(isThere(name)) ?? (view === undefined ? undefined : readOne(view))
    }
    // Views that it names are read before it, so that their secrets are known.
    for (const token of tokenize(entry.sql)) if (isName(token)) find(token.value)
    const relation = readView(read, entry, find, [...tables, ...done.values()])
    done.set(entry, relation)
    return relation
  }
  return entries.flatMap(entry => readOne(entry) ?? [])
}

interface Listed {
  readonly kind: string
  readonly entry: SchemaEntry
}

function readEntries(read: ReadRows, database: string): readonly Listed[] {
  const name = literal(database)
  const rows = read(
    `SELECT l.type, l.name, l.wr, l.strict, s.sql FROM pragma_table_list AS l JOIN ${quoted(database)}.sqlite_schema AS s ON s.name = l.name ` +
      `WHERE l.schema = ${name} AND s.type IN ('table', 'view') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.rowid`,
  )
  return rows.map(([kind, table, isWithoutRowid, isStrict, sql]) => ({
    kind: textOf(kind),
    entry: { database, name: textOf(table), isWithoutRowid: numberOf(isWithoutRowid) !== 0, isStrict: numberOf(isStrict) !== 0, sql: textOf(sql) },
  }))
}

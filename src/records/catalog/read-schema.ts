/** Every table and view of every attached database as Relations, read from SQLite. What an API may make of them is compile.ts. */
import type { JsonSchemas } from './column-format.ts'
import { readTable, type SchemaEntry } from './read-table.ts'
import type { Relation } from './relation.ts'
import { literal, numberOf, textOf, type ReadRows } from './schema-rows.ts'

/** `schemas` are the configuration's JSON schemas, which CHECKs may name. Tables of SQLite itself, temporary and shadow tables are left out. */
export function readSchema(read: ReadRows, schemas: JsonSchemas): readonly Relation[] {
  const databases = read('SELECT name FROM pragma_database_list ORDER BY seq').map(([name]) => textOf(name)).filter(name => name !== 'temp')
  const entries = databases.flatMap(database => readEntries(read, database))
  const tables = entries.filter(({ kind }) => kind === 'table').map(({ entry }) => readTable(read, entry, schemas))
  return tables
}

interface Listed {
  readonly kind: string
  readonly entry: SchemaEntry
}

function readEntries(read: ReadRows, database: string): readonly Listed[] {
  const name = literal(database)
  const rows = read(
    `SELECT l.type, l.name, l.wr, l.strict, s.sql FROM pragma_table_list AS l JOIN "${database.replaceAll('"', '""')}".sqlite_schema AS s ON s.name = l.name ` +
      `WHERE l.schema = ${name} AND s.type IN ('table', 'view') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.rowid`,
  )
  return rows.map(([kind, table, isWithoutRowid, isStrict, sql]) => ({
    kind: textOf(kind),
    entry: { database, name: textOf(table), isWithoutRowid: numberOf(isWithoutRowid) !== 0, isStrict: numberOf(isStrict) !== 0, sql: textOf(sql) },
  }))
}

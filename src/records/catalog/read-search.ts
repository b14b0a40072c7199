/** An FTS5 table as a Relation: text columns under its row id. It can be read and searched, never written through an API. */
import { readColumns, type SchemaEntry } from './read-table.ts'
import type { Column, ColumnType, Relation } from './relation.ts'
import type { ReadRows } from './schema-rows.ts'
import { isWord, tokenize } from './sql-tokens.ts'

export function isSearch(entry: SchemaEntry): boolean {
  const tokens = tokenize(entry.sql)
  return isWord(tokens[tokens.findIndex(token => isWord(token, 'USING')) + 1], 'FTS5')
}

export function readSearch(read: ReadRows, entry: SchemaEntry): Relation {
  const rowid = searchColumn('rowid', 0, 'INTEGER')
  const columns = readColumns(read, entry).map(({ name }, i) => searchColumn(name, i + 1, 'TEXT'))
  return { kind: 'search', ...entry, columns: [rowid, ...columns], key: [rowid], problems: [] }
}

function searchColumn(name: string, index: number, type: ColumnType): Column {
  return { name, index, type, isNullable: index > 0, defaultSql: null, collation: 'BINARY', isGenerated: false, isHidden: name.startsWith('_'), format: { kind: 'plain' }, reference: null }
}

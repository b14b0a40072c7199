/** One table of the schema as a Relation: PRAGMAs say most of it, the text of CREATE TABLE the rest. Views are read-view.ts. */
import { literal } from '../../storage/identifier.ts'
import { columnFormat, type JsonSchemas } from './column-format.ts'
import { columnTexts, type ColumnText } from './create-table.ts'
import type { Column, ColumnFormat, ColumnType, Reference, Relation } from './relation.ts'
import { numberOf, textOf, type ReadRows } from './schema-rows.ts'
import { foldName, sameName, tokenize } from './sql-tokens.ts'

/** An entry of `PRAGMA table_list` with its CREATE statement. */
export interface SchemaEntry {
  readonly database: string
  readonly name: string
  readonly isWithoutRowid: boolean
  readonly isStrict: boolean
  readonly sql: string
}

/** Columns of `_user` that no API may show. */
const secretColumns = ['password_hash', 'totp_secret']

export function readTable(read: ReadRows, entry: SchemaEntry, schemas: JsonSchemas): Relation {
  const problems: string[] = []
  const texts = columnTexts(tokenize(entry.sql))
  const references = readReferences(read, entry, texts)
  const infos = readColumns(read, entry)
  const columns = infos.map((info, index): Column => {
    const text = texts.get(foldName(info.name))
    const type = columnType(info.declared, entry.isStrict)
    const isRowid = info.keyPart > 0 && info.declared.toUpperCase() === 'INTEGER' && !entry.isWithoutRowid && infos.filter(other => other.keyPart > 0).length === 1
    const format = formatOf(info.name, type, text, schemas, problems)
    const isSecret = entry.database === 'main' && entry.name === '_user' && secretColumns.includes(foldName(info.name))
    return {
      name: info.name,
      index,
      type,
      isNullable: !info.isNotNull && !isRowid,
      defaultSql: info.defaultSql,
      collation: text?.collation ?? 'BINARY',
      isGenerated: info.isGenerated,
      isHidden: info.name.startsWith('_'),
      format,
      reference: references.get(foldName(info.name)) ?? null,
      ...(isSecret ? { isSecret: true } : {}),
    }
  })
  const keyed = infos.flatMap((info, index) => (info.keyPart > 0 ? [{ part: info.keyPart, column: columns[index] }] : []))
  const key = keyed.sort((a, b) => a.part - b.part).flatMap(({ column }) => column ?? [])
  return { kind: 'table', ...entry, columns, key: keyOf(entry, key, problems), uniques: readUniques(read, entry, columns), problems }
}

/** Type of a column by its declaration. Outside of STRICT tables the declaration is only an inclination; a number of any kind is ANY. */
export function columnType(declared: string, isStrict: boolean): ColumnType {
  const type = declared.toUpperCase()
  if (isStrict) return type === 'INT' ? 'INTEGER' : strictType(type)
  if (type.includes('INT')) return 'INTEGER'
  if (/CHAR|CLOB|TEXT/.test(type)) return 'TEXT'
  if (type.includes('BLOB')) return 'BLOB'
  return /REAL|FLOA|DOUB/.test(type) ? 'REAL' : 'ANY'
}

interface ColumnInfo {
  readonly name: string
  readonly declared: string
  readonly isNotNull: boolean
  readonly defaultSql: string | null
  /** Place in the primary key, from 1; 0 is outside. */
  readonly keyPart: number
  readonly isGenerated: boolean
}

/** Columns of the table, generated ones with them. */
export function readColumns(read: ReadRows, entry: { readonly database: string; readonly name: string }): readonly ColumnInfo[] {
  const rows = read(`SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(${literal(entry.name)}, ${literal(entry.database)}) WHERE hidden <> 1 ORDER BY cid`)
  return rows.map(([name, type, isNotNull, defaultSql, pk, hidden]) => ({
    name: textOf(name),
    declared: textOf(type).replace(/ *GENERATED ALWAYS$/i, ''),
    isNotNull: numberOf(isNotNull) !== 0,
    defaultSql: typeof defaultSql === 'string' ? defaultSql : null,
    keyPart: numberOf(pk),
    isGenerated: numberOf(hidden) >= 2,
  }))
}

/** Foreign keys of one column, by folded name. One that names no column points to the primary key, when that is a single column. */
function readReferences(read: ReadRows, entry: SchemaEntry, texts: ReadonlyMap<string, ColumnText>): ReadonlyMap<string, Reference> {
  const rows = read(
    `SELECT max("from"), max("table"), max("to") FROM pragma_foreign_key_list(${literal(entry.name)}, ${literal(entry.database)}) GROUP BY id HAVING count(*) = 1 ORDER BY id DESC`,
  )
  const found = new Map<string, Reference>()
  for (const [from, to, toColumn] of rows) {
    const name = foldName(textOf(from))
    const column = textOf(toColumn) || singleKey(read, entry.database, textOf(to))
    if (found.has(name) || column === '') continue
    const text = texts.get(name)?.reference
    const isExplicit = text !== null && text !== undefined && text.column !== null && sameName(text.table, textOf(to))
    found.set(name, { table: textOf(to), column, isExplicit })
  }
  return found
}

function singleKey(read: ReadRows, database: string, table: string): string {
  const rows = read(`SELECT name FROM pragma_table_xinfo(${literal(table)}, ${literal(database)}) WHERE pk > 0`)
  return rows.length === 1 ? textOf(rows[0]?.[0]) : ''
}

/** An index over expressions, of a part of the rows, or under another collation than the column's does not make a value single. */
function readUniques(read: ReadRows, entry: SchemaEntry, columns: readonly Column[]): readonly (readonly number[])[] {
  const indexes = read(`SELECT name FROM pragma_index_list(${literal(entry.name)}, ${literal(entry.database)}) WHERE "unique" AND NOT partial ORDER BY seq DESC`)
  return indexes.flatMap(([index]) => {
    const parts = read(`SELECT name, coll FROM pragma_index_xinfo(${literal(textOf(index))}, ${literal(entry.database)}) WHERE key ORDER BY seqno`)
    const found = parts.map(([name, collation]) => columns.find(column => column.name === name && column.collation === textOf(collation).toUpperCase()))
    return found.every(column => column !== undefined) ? [found.map(column => column.index)] : []
  })
}

function strictType(type: string): ColumnType {
  return type === 'INTEGER' || type === 'REAL' || type === 'TEXT' || type === 'BLOB' ? type : 'ANY'
}

function formatOf(name: string, type: ColumnType, text: ColumnText | undefined, schemas: JsonSchemas, problems: string[]): ColumnFormat {
  const format = columnFormat(name, type, text?.checks ?? [], schemas)
  if ('kind' in format) return format
  problems.push(`column "${name}": ${format.problem}`)
  return { kind: 'plain' }
}

/** The key of a STRICT table is a record key when every part of it can stand in a path. */
function keyOf(entry: SchemaEntry, key: readonly Column[], problems: string[]): readonly Column[] {
  if (!entry.isStrict) problems.push('the table is not STRICT; create it anew with `STRICT` after the closing parenthesis')
  if (key.length === 0) problems.push('the table has no PRIMARY KEY')
  const unfit = key.filter(column => column.type === 'REAL' || column.type === 'ANY')
  for (const column of unfit) problems.push(`the key column "${column.name}" is ${column.type}; a record key is INTEGER, TEXT or BLOB`)
  return unfit.length === 0 ? key : []
}

/** Rows as the text of an export file: CSV, JSON lines or SQL, each of which reads back exactly. Reading is table-import-*.ts. */
import { realText } from '../admin/query-values.ts'
import type { ShapeColumn, TableShape } from '../admin/tables-shape.ts'
import { OperatorError } from '../lib/errors.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import { quoted } from '../storage/identifier.ts'

export interface RowText {
  /** Before the first row. */
  readonly head: string
  /** `number` counts rows from 1, for messages. Throws OperatorError for a value that the format cannot hold. */
  readonly row: (row: SqlRow, number: number) => string
  /** Behind the last row. */
  readonly tail: string
}

/** Fields by the types of their columns; NULL is an empty field and the empty text a quoted one. */
export function csvText({ columns, name }: TableShape): RowText {
  return {
    head: `${columns.map(column => csvQuoted(column.name)).join(',')}\r\n`,
    row: (row, number) => `${columns.map((column, i) => csvField(column, row[i] ?? null) ?? unfit(name, column, number)).join(',')}\r\n`,
    tail: '',
  }
}

export function jsonLinesText({ columns }: TableShape): RowText {
  const names = columns.map(({ name }) => JSON.stringify(name))
  return { head: '', row: row => `{${columns.map((column, i) => `${names[i]}:${jsonValue(column, row[i] ?? null)}`).join(',')}}\n`, tail: '' }
}

/** One INSERT a row, in a transaction: SQLite itself reads it, too. */
export function sqlText({ name, columns }: TableShape): RowText {
  const start = `INSERT INTO ${quoted(name)} (${columns.map(column => quoted(column.name)).join(', ')}) VALUES (`
  return { head: 'BEGIN;\n', row: row => `${start}${columns.map((_, i) => sqlLiteral(row[i] ?? null)).join(', ')});\n`, tail: 'COMMIT;\n' }
}

/** Null: the field would read back as something else. */
function csvField({ type, isUuid }: ShapeColumn, value: SqlValue): string | null {
  if (value === null) return ''
  if (typeof value === 'bigint') return type === 'INTEGER' || type === 'ANY' ? String(value) : null
  if (typeof value === 'number') return type === 'TEXT' || type === 'BLOB' ? null : realText(value)
  if (typeof value === 'string') return type === 'TEXT' ? csvQuoted(value) : type === 'ANY' ? `"${value.replaceAll('"', '""')}"` : null
  if (type !== 'BLOB') return null
  if (isUuid && value.length === 16) return uuidText(value)
  return value.length === 0 ? '""' : Buffer.from(value).toString('base64')
}

function csvQuoted(text: string): string {
  return text === '' || /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}

function unfit(table: string, column: ShapeColumn, number: number): never {
  const message = `row ${number} of "${table}": the value of column "${column.name}" is of another type than ${column.type}, which CSV cannot say`
  throw new OperatorError(message, 'Export with --format jsonl or sql: they keep every type.', 1)
}

function jsonValue({ type, isUuid }: ShapeColumn, value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return realText(value)
  if (typeof value === 'string') return type === 'BLOB' ? `{"$text":${JSON.stringify(value)}}` : JSON.stringify(value)
  if (type !== 'BLOB') return `{"$blob":"${Buffer.from(value).toString('base64')}"}`
  return isUuid && value.length === 16 ? `"${uuidText(value)}"` : `"${Buffer.from(value).toString('base64')}"`
}

function sqlLiteral(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return realText(value)
  if (typeof value !== 'string') return `x'${value.toHex()}'`
  // A literal ends at a NUL.
  return value.includes('\0') ? `CAST(x'${Buffer.from(value).toString('hex')}' AS TEXT)` : `'${value.replaceAll("'", "''")}'`
}

function uuidText(bytes: Uint8Array): string {
  const hex = bytes.toHex()
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

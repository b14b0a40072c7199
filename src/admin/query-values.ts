/** The answer of an administrator's query as JSON text, in TrailBase's shapes (trailbase-api.md §11.1). Every value is exact. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

export interface QueryResult {
  /** Empty when no statement gave rows. */
  readonly columns: readonly string[]
  readonly rows: readonly SqlRow[]
  /** Number of the transaction; null when nothing was written. */
  readonly txn: number | null
}

/** `{"columns":[…],"rows":[[{"Integer":1},…]]}`, with `txn` when something was written. */
export function queryResultText({ columns, rows, txn }: QueryResult): string {
  const heads = columns.length === 0 ? null : columns.map((name, i) => columnShape(name, rows.find(row => row[i] !== null)?.[i] ?? null))
  const lines = rows.map(row => `[${row.map(sqlValueText).join(',')}]`)
  return `{"columns":${JSON.stringify(heads)},"rows":[${lines.join(',')}]${txn === null ? '' : `,"txn":${txn}`}}`
}

/** One value: `"Null"`, `{"Integer":…}`, `{"Real":…}`, `{"Text":…}` or `{"Blob":{"Base64UrlSafe":…}}`. */
export function sqlValueText(value: SqlValue): string {
  if (value === null) return '"Null"'
  if (typeof value === 'bigint') return `{"Integer":${value}}`
  if (typeof value === 'number') return `{"Real":${realText(value)}}`
  if (typeof value === 'string') return `{"Text":${JSON.stringify(value)}}`
  return `{"Blob":{"Base64UrlSafe":"${Buffer.from(value).toString('base64url')}"}}`
}

/** A JSON number that says it is none of the integers; beyond what a double holds it reads back as infinite. */
export function realText(value: number): string {
  if (!Number.isFinite(value)) return value < 0 ? '-1e999' : '1e999'
  const text = Object.is(value, -0) ? '-0' : String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

type DataType = 'Any' | 'Integer' | 'Real' | 'Text' | 'Blob'

/** A result's column has no declaration: its first value tells the type. */
function columnShape(name: string, first: SqlValue): object {
  const type = dataType(first)
  return { name, type_name: type === 'Any' ? '' : type.toUpperCase(), data_type: type, affinity_type: type === 'Any' ? 'Blob' : type, options: [] }
}

function dataType(value: SqlValue): DataType {
  if (value === null) return 'Any'
  if (typeof value === 'bigint') return 'Integer'
  if (typeof value === 'number') return 'Real'
  return typeof value === 'string' ? 'Text' : 'Blob'
}

/** Rows as the JSON text that a program binds (`rowsOf` in storage/program.ts): exact, for SQL's json functions. The API's JSON is records/. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

/** An array for each step, in it an array for each row. Integers are text, blobs `{"hex":"…"}`. */
export function rowsJson(steps: readonly (readonly SqlRow[])[]): string {
  return listJson(steps, rows => listJson(rows, row => listJson(row, valueJson)))
}

function listJson<Item>(items: readonly Item[], json: (item: Item) => string): string {
  return `[${items.map(json).join(',')}]`
}

function valueJson(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return `"${value}"`
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : infinityJson(value)
  if (typeof value === 'string') return JSON.stringify(value)
  return `{"hex":"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"}`
}

/** JSON has no infinity, but SQLite reads one from a number that is too large. It stores no NaN. */
function infinityJson(value: number): string {
  return value > 0 ? '9e999' : '-9e999'
}

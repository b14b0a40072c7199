/** A row in the change log: JSON text that SQL makes inside a trigger, and its way back to the exact values. Writing the log is triggers.ts. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { literal, quoted } from '../../storage/identifier.ts'
import type { Column, Relation } from '../catalog/relation.ts'

/** SQLite takes 1000 arguments of a function, two for each column. */
export const columnsMax = 500

/**
 * SQL that gives the row `alias` (NEW or OLD) as an object with a member for each column. Integers are text and bytes hex; a REAL is a
 * number of 17 digits, which is exact, and SQLite stores no -0 as REAL. A value of an ANY column says its type: a number is REAL, the rest is
 * text behind a letter; there a -0 can be.
 */
export function rowTextSql(columns: readonly Column[], alias: 'NEW' | 'OLD'): string {
  return `json_object(${columns.map(column => `${literal(column.name)}, ${valueSql(column, `${alias}.${quoted(column.name)}`)}`).join(', ')})`
}

function valueSql({ type }: Column, value: string): string {
  switch (type) {
    case 'INTEGER':
      return `CAST(${value} AS TEXT)`
    case 'BLOB':
      return `CASE WHEN ${value} IS NOT NULL THEN hex(${value}) END`
    case 'ANY':
      return (
        `CASE typeof(${value}) WHEN 'integer' THEN 'i' || ${value} WHEN 'text' THEN 't' || ${value} WHEN 'blob' THEN 'x' || hex(${value}) ` +
        `WHEN 'real' THEN CASE WHEN ${value} = 0 AND atan2(${value}, -1) < 0 THEN 'z' ELSE ${value} END END`
      )
    default:
      return value
  }
}

/** The values of a row that rowTextSql made, in the order of the relation's columns. A column that came later is NULL. */
export function parseRow(relation: Pick<Relation, 'columns'>, text: string): SqlRow {
  const members = JSON.parse(text) as Readonly<Record<string, string | number | null>>
  return relation.columns.map(column => (Object.hasOwn(members, column.name) ? parseValue(column, members[column.name] ?? null) : null))
}

function parseValue({ type }: Column, value: string | number | null): SqlValue {
  if (typeof value !== 'string') return value
  switch (type) {
    case 'INTEGER':
      return BigInt(value)
    case 'BLOB':
      return Uint8Array.fromHex(value)
    case 'ANY':
      return parseTagged(value)
    default:
      return value
  }
}

function parseTagged(value: string): SqlValue {
  const rest = value.slice(1)
  switch (value[0]) {
    case 'i':
      return BigInt(rest)
    case 'x':
      return Uint8Array.fromHex(rest)
    case 'z':
      return -0
    default:
      return rest
  }
}

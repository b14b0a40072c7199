/** The text of a condition as the value its column holds (trailbase-api.md §6.2). TEXT keeps the text as it came: `007` is not `7`. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { blobOfText } from '../body/column-value.ts'
import type { Column } from '../catalog/relation.ts'

const integerText = /^[+-]?\d{1,40}$/
const numberText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** The values that `text` can mean for `column`: one, two for an ANY column that may hold text or bytes, none when it has not the column's form. */
export function filterValues(column: Column, text: string): readonly SqlValue[] {
  switch (column.type) {
    case 'INTEGER':
      return one(integer(text))
    case 'REAL':
      return one(real(text))
    case 'TEXT':
      return [text]
    case 'BLOB':
      return one(blobOfText(text))
    case 'ANY':
      return anything(text)
  }
}

function one(value: SqlValue): readonly SqlValue[] {
  return value === null ? [] : [value]
}

function integer(text: string): bigint | null {
  if (!integerText.test(text)) return null
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return BigInt.asIntN(64, value) === value ? value : null
}

function real(text: string): number | null {
  const value = numberText.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : null
}

function anything(text: string): readonly SqlValue[] {
  const number = integer(text) ?? real(text)
  if (number !== null) return [number]
  const blob = text === '' ? null : blobOfText(text)
  return blob === null ? [text] : [text, blob]
}

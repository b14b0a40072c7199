/** Rows between the tools of the command line and the server, as JSON in which every value keeps its type and every bit. */
import { fail } from '../lib/errors.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

/** A value as a string with a letter for its type in front; NULL is null. The text of JSON numbers would not tell 1 from 1.0. */
export type WireValue = string | null

export function wireRow(row: SqlRow): WireValue[] {
  return row.map(wireValue)
}

/** Refuses `bad_request` for what wireRow does not make. */
export function rowOfWire(row: readonly WireValue[]): SqlRow {
  return row.map(valueOfWire)
}

function wireValue(value: SqlValue): WireValue {
  if (value === null) return null
  if (typeof value === 'bigint') return `i${value}`
  if (typeof value === 'number') return `r${Object.is(value, -0) ? '-0' : value}`
  if (typeof value === 'string') return `t${value}`
  return `b${Buffer.from(value).toString('base64')}`
}

function valueOfWire(wire: WireValue): SqlValue {
  if (wire === null) return null
  const text = wire.slice(1)
  switch (wire[0]) {
    case 't':
      return text
    case 'i':
      return /^-?\d{1,19}$/.test(text) ? BigInt(text) : unknownValue()
    case 'r':
      return text === '' || Number.isNaN(Number(text)) ? unknownValue() : Number(text)
    case 'b':
      return new Uint8Array(Buffer.from(text, 'base64'))
    default:
      return unknownValue()
  }
}

function unknownValue(): never {
  return fail('bad_request', { detail: 'a row holds a value of an unknown form' })
}

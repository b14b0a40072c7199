/** What a client sends for a column, as the value that SQLite stores (trailbase-api.md §4). The other direction is row-json.ts. */
import { fail } from '../../lib/errors.ts'
import type { SqlValue } from '../../lib/sql-value.ts'
import type { Column } from '../catalog/relation.ts'
import { geoJsonToGeometry } from '../geometry/geojson.ts'
import { GeometryError } from '../geometry/geometry.ts'
import { exactJsonText } from './exact-json.ts'

/** `json`: types as JSON has them. `text`: an HTML form, where everything is a string. */
export type BodyForm = 'json' | 'text'

const integerMin = -(2n ** 63n)
const integerMax = 2n ** 63n - 1n

/** `value` for `column`. Refuses `invalid_record` when it does not fit the column's type. File columns are files/. */
export function columnValue(column: Column, value: unknown, form: BodyForm): SqlValue {
  if (value === null || value === undefined) return null
  switch (column.format.kind) {
    case 'json':
      return form === 'text' && typeof value === 'string' ? value : exactJsonText(value)
    case 'geometry':
      return geometry(column, value, form)
    default:
      return plainValue(column, value, form)
  }
}

function plainValue(column: Column, value: unknown, form: BodyForm): SqlValue {
  switch (column.type) {
    case 'INTEGER':
      return integer(column, value, form)
    case 'REAL':
      return real(column, value, form)
    case 'TEXT':
      return typeof value === 'string' ? text(column, value) : wrong(column, 'a string')
    case 'BLOB':
      return blob(column, value)
    case 'ANY':
      return anything(column, value)
  }
}

/** From a form a numeric string is taken: it has nothing else to send. */
function integer(column: Column, value: unknown, form: BodyForm): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'bigint') return bounded(column, value)
  if (form === 'text' && typeof value === 'string' && /^[+-]?\d{1,19}$/.test(value)) return bounded(column, BigInt(value))
  return wrong(column, 'an integer of 64 bits')
}

function bounded(column: Column, value: bigint): bigint {
  return value >= integerMin && value <= integerMax ? value : wrong(column, 'an integer of 64 bits')
}

function real(column: Column, value: unknown, form: BodyForm): number {
  const number = form === 'text' && typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'bigint') return finite(column, Number(number))
  return typeof number === 'number' ? finite(column, number) : wrong(column, 'a number')
}

function finite(column: Column, number: number): number {
  return Number.isFinite(number) ? number : wrong(column, 'a number')
}

/** SQLite's texts are UTF-8, which has no half of a surrogate pair: another character would be stored, and two keys might become one. */
function text(column: Column, value: string): string {
  return value.isWellFormed() ? value : wrong(column, 'whole characters')
}

const uuidCharacters = 36
const uuidText = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const base64Text = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$/

function blob(column: Column, value: unknown): Uint8Array {
  if (typeof value === 'string') return blobOfText(value) ?? wrong(column, 'base64 or the text of a UUID')
  return blobOfNumbers(value) ?? wrong(column, 'base64, the text of a UUID or an array of bytes')
}

/** The bytes that `text` stands for: the 36 characters of a UUID, or base64 in either alphabet; null when it is neither. */
export function blobOfText(text: string): Uint8Array | null {
  if (text.length === uuidCharacters && uuidText.test(text)) return Uint8Array.fromHex(text.replaceAll('-', ''))
  if (!base64Text.test(text)) return null
  return new Uint8Array(Buffer.from(text, 'base64')) // takes both alphabets
}

function blobOfNumbers(value: unknown): Uint8Array | null {
  const isByte = (each: unknown) => typeof each === 'number' && Number.isInteger(each) && each >= 0 && each <= 255
  return Array.isArray(value) && value.every(isByte) ? Uint8Array.from(value as readonly number[]) : null
}

function anything(column: Column, value: unknown): SqlValue {
  if (typeof value === 'string') return text(column, value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'bigint') return bounded(column, value)
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return BigInt(value)
    return Number.isFinite(value) ? value : wrong(column, 'a number')
  }
  return blobOfNumbers(value) ?? wrong(column, 'a number, boolean, string or array of bytes')
}

function geometry(column: Column, value: unknown, form: BodyForm): SqlValue {
  let shape = value
  if (form === 'text' && typeof value === 'string') {
    try {
      shape = JSON.parse(value)
    } catch {
      return wrong(column, 'a GeoJSON geometry')
    }
  }
  try {
    return geoJsonToGeometry(shape)
  } catch (error) {
    if (!(error instanceof GeometryError)) throw error
    return wrong(column, `a GeoJSON geometry, and this is none: ${error.message}`)
  }
}

/** The text begins as TrailBase's. The client named the column itself, so it learns nothing by it. */
function wrong(column: Column, expected: string): never {
  fail('invalid_record', { detail: `Invalid Parameters: "${column.name}" takes ${expected}` })
}

/** The id of a record in a path and in answers: the record key as one text. Finding the record is read.ts and writing/. */
import { fail } from '../lib/errors.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import { blobOfText } from './body/column-value.ts'
import type { Column } from './catalog/relation.ts'
import type { RecordApi } from './record-api.ts'

/** Longest id in bytes; keys of text may be long, paths not. */
const idBytesMax = 1024

/**
 * The key values of `text`, which is decoded from the path already. An INTEGER is decimal; a BLOB is the text of a UUID or base64;
 * TEXT is taken as it is. The parts of a composite key are separated by commas, each percent-encoded once more. Refuses `invalid_record_id`.
 */
export function parseRecordId(api: RecordApi, text: string): SqlValue[] {
  if (text.length > idBytesMax) return invalid()
  const [first] = api.key
  if (api.key.length === 1 && first !== undefined) return [keyValue(first, text)]
  const parts = text.split(',')
  if (parts.length !== api.key.length) return invalid()
  return api.key.map((column, i) => keyValue(column, decoded(parts[i] ?? '')))
}

/** The id of the record whose key is `key`, as answers carry it: always a string (trailbase-api.md §4). */
export function recordIdText(key: SqlRow): string {
  const [first] = key
  if (key.length === 1 && first !== undefined) return keyText(first)
  return key.map(value => encodeURIComponent(keyText(value))).join(',')
}

function keyValue(column: Column, text: string): SqlValue {
  switch (column.type) {
    case 'INTEGER':
      return integerOf(text)
    case 'BLOB':
      return blobKey(column, text)
    default:
      return text
  }
}

function integerOf(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text)) return invalid()
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value ? value : invalid()
}

function blobKey(column: Column, text: string): Uint8Array {
  const bytes = text === '' ? null : blobOfText(text)
  if (bytes === null) return invalid()
  return column.format.kind === 'uuid' && bytes.byteLength !== 16 ? invalid() : bytes
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return invalid()
  }
}

function keyText(value: SqlValue): string {
  if (value instanceof Uint8Array) return base64Url(value)
  return value === null ? '' : String(value)
}

/** URL-safe base64 with padding, the form of every blob in answers. */
export function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: 'base64url' })
}

function invalid(): never {
  fail('invalid_record_id', { detail: 'Invalid id' })
}

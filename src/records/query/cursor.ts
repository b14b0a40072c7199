/** The cursor of a page: where the next one begins. It names values, not a snapshot, so it holds across writes and restarts. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { ColumnType } from '../catalog/relation.ts'
import { refuseCursor } from './refuse.ts'

/** Bytes of the checksum. It needs no secret: who makes a cursor up starts at another place of the rows that he may see anyway. */
const checkBytes = 8

/** The cursor behind a row with these order values. `binding` names API and order. */
export function encodeCursor(binding: string, values: SqlRow): string {
  const payload = new TextEncoder().encode(JSON.stringify(values.map(encodeValue)))
  return Buffer.concat([checksum(binding, payload), payload]).toString('base64url')
}

/** The values of `text`, one for each of `types`. Refuses `invalid_query` when it is not a cursor of this API and order. */
export function decodeCursor(binding: string, types: readonly ColumnType[], text: string): SqlRow {
  const bytes = /^[A-Za-z0-9_-]+$/.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0)
  const payload = bytes.subarray(checkBytes)
  if (payload.length === 0 || !checksum(binding, payload).equals(bytes.subarray(0, checkBytes))) {
    return refuseCursor('the cursor is not one of this API and order')
  }
  const values = parsed(payload.toString()).map(decodeValue)
  const fits = values.length === types.length && values.every((value, i) => hasType(value, types[i]))
  return fits ? values : refuseCursor('the cursor is older than the columns of the table')
}

/** Anyone can compute the checksum, so nothing is certain of what stands behind it. */
function parsed(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return refuseCursor('the cursor has no values')
  }
}

function checksum(binding: string, payload: Uint8Array): Buffer {
  return new Bun.CryptoHasher('sha256').update(binding).update('\0').update(payload).digest().subarray(0, checkBytes)
}

function encodeValue(value: SqlValue): string | null {
  if (value === null) return null
  if (typeof value === 'bigint') return `i${value}`
  if (typeof value === 'number') return `r${value}`
  return typeof value === 'string' ? `t${value}` : `b${Buffer.from(value).toString('base64url')}`
}

function decodeValue(text: unknown): SqlValue {
  if (text === null) return null
  if (typeof text !== 'string') return refuseCursor('the cursor has no values')
  const rest = text.slice(1)
  switch (text[0]) {
    case 'i':
      return /^-?\d{1,19}$/.test(rest) ? BigInt.asIntN(64, BigInt(rest)) : refuseCursor('the cursor has no integer')
    case 'r':
      return Number(rest)
    case 't':
      return rest
    default:
      return new Uint8Array(Buffer.from(rest, 'base64url'))
  }
}

function hasType(value: SqlValue, type: ColumnType | undefined): boolean {
  if (value === null || type === 'ANY') return true
  switch (type) {
    case 'INTEGER':
      return typeof value === 'bigint'
    case 'REAL':
      return typeof value === 'number'
    case 'TEXT':
      return typeof value === 'string'
    default:
      return value instanceof Uint8Array
  }
}

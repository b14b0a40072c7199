/** The tag of a row: equal values in equal order have the same, others do not. For ETags and If-Match; quoting them is the protocol's. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

/** Blobs up to this size are hashed as hex with the rest: one call takes a third of the time of one for each value (docs/measurements.md). */
const hexBytesMax = 1024

/** 132 bits of SHA-256 as 22 URL-safe characters. */
export function rowTag(row: SqlRow): string {
  let text = ''
  for (const value of row) text += tagText(value)
  return Bun.SHA256.hash(text, 'base64url').slice(0, 22)
}

/** Type and length stand before every value, so that no two rows read alike. */
function tagText(value: SqlValue): string {
  if (value === null) return 'n;'
  if (typeof value === 'bigint') return `i${value};`
  if (typeof value === 'number') return `r${value};`
  if (typeof value === 'string') return `t${value.length}:${value}`
  if (value.byteLength <= hexBytesMax) return `b${value.byteLength}:${value.toHex()}`
  return `h${value.byteLength}:${Bun.SHA256.hash(value as Uint8Array<ArrayBuffer>, 'hex')}`
}

/** The tag of a row: equal values in equal order have the same, others do not. For ETags and If-Match; quoting them is the protocol's. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

/** 128 bits of SHA-256 as 22 URL-safe characters. */
export function rowTag(row: SqlRow): string {
  const hash = new Bun.CryptoHasher('sha256')
  for (const value of row) feed(hash, value)
  return hash.digest().subarray(0, 16).toString('base64url')
}

/** Type and length stand before every value, so that no two rows read alike. */
function feed(hash: Bun.CryptoHasher, value: SqlValue): void {
  if (value === null) hash.update('n;')
  else if (typeof value === 'bigint') hash.update(`i${value};`)
  else if (typeof value === 'number') hash.update(`r${value};`)
  else if (typeof value === 'string') hash.update(`t${value.length}:${value}`)
  else hash.update(`b${value.byteLength}:`).update(value)
}

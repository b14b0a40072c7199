/** Questions to SQLite about a schema. The connection is the caller's: records/catalog opens none. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'

/**
 * Runs one statement without parameters and gives its rows. The connection has every database attached and every SQL function
 * registered; an SQL error is thrown.
 */
export type ReadRows = (sql: string) => readonly SqlRow[]

/** A PRAGMA's number, whether the connection gives bigint or number. */
export function numberOf(value: SqlValue | undefined): number {
  return Number(value ?? 0)
}

export function textOf(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

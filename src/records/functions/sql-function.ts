/** What a SQL function of ours is, and how it reads its arguments. Registering them on a connection is register.ts. */
import type { SqlValue } from '../../lib/sql-value.ts'

export interface SqlFunction {
  readonly name: string
  /** Number of arguments; the same name may exist with several. */
  readonly arity: number
  /** Same arguments, same result: then it may stand in an index and a generated column. */
  readonly deterministic: boolean
  /** What an argument that is NULL makes of the call: `null` and `true` are results, `pass` calls it with the NULL. */
  readonly onNull: 'null' | 'true' | 'pass'
  readonly call: (args: readonly SqlValue[]) => SqlValue | boolean
}

/** A deterministic function that is NULL of NULL, which most are; `rest` says otherwise. */
export function sqlFunction(name: string, arity: number, call: SqlFunction['call'], rest: Partial<SqlFunction> = {}): SqlFunction {
  return { name, arity, deterministic: true, onNull: 'null', call, ...rest }
}

/**
 * What a function throws: its statement fails with it, as with an SQL error. The message is for whoever wrote the statement. SQLite has no
 * code for it by way of Bun, so it carries that of an SQL error itself.
 */
export class SqlFunctionError extends Error {
  readonly code = 'SQLITE_ERROR'
  readonly errno = 1
}

/** Argument `index` as text. A number is its text, as SQLite itself does. */
export function textOf(args: readonly SqlValue[], index: number): string {
  const value = args[index]
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return refuse(args, index, 'TEXT')
}

export function blobOf(args: readonly SqlValue[], index: number): Uint8Array {
  const value = args[index]
  return value instanceof Uint8Array ? value : refuse(args, index, 'a BLOB')
}

export function numberOf(args: readonly SqlValue[], index: number): number {
  const value = args[index]
  if (typeof value === 'number') return value
  return typeof value === 'bigint' ? Number(value) : refuse(args, index, 'a number')
}

/** Argument `index` as an integer within `min` and `max`. */
export function integerOf(args: readonly SqlValue[], index: number, min: number, max: number): number {
  const number = numberOf(args, index)
  if (!Number.isInteger(number) || number < min || number > max) throw new SqlFunctionError(`argument ${index + 1} must be an integer from ${min} to ${max}`)
  return number
}

function refuse(args: readonly SqlValue[], index: number, expected: string): never {
  throw new SqlFunctionError(`argument ${index + 1} must be ${expected}, it is ${typeName(args[index])}`)
}

function typeName(value: SqlValue | undefined): string {
  if (value === null || value === undefined) return 'NULL'
  if (value instanceof Uint8Array) return 'a BLOB'
  return { bigint: 'an INTEGER', number: 'a REAL', string: 'TEXT' }[typeof value as 'bigint' | 'number' | 'string']
}

/** Rows of a statement for as long as there is room for them: SQLite makes one after the other, and what comes behind the limit is never made. */
import type { SQLQueryBindings, Statement as SqliteStatement } from 'bun:sqlite'
import { fail } from '../../lib/errors.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'

/** What the values of one request may hold together. */
export class RowRoom {
  readonly #valueCharsMax: number
  #left: number

  constructor(valueCharsMax: number) {
    this.#valueCharsMax = valueCharsMax
    this.#left = valueCharsMax
  }

  /** Refuses `query_too_costly`. */
  take(row: SqlRow): void {
    for (const value of row) {
      if (typeof value === 'string') this.#left -= value.length
      else if (value instanceof Uint8Array) this.#left -= value.byteLength
    }
    if (this.#left < 0) fail('query_too_costly', { detail: `the records have more than ${this.#valueCharsMax} characters; ask for fewer` })
  }
}

/**
 * The rows of `statement`. Only an object has its values one row at a time, so columns need names that it keeps apart and in order; our own statements
 * see to that. Where a name does not, which only SQL of an administrator can bring about, all rows are made first. Refuses `query_too_costly`.
 */
export function boundedRows(statement: SqliteStatement<unknown, SQLQueryBindings[]>, params: readonly SQLQueryBindings[], room: RowRoom): SqlRow[] {
  if (!isApart(statement)) {
    const all = statement.values(...params) as SqlRow[]
    for (const row of all) room.take(row)
    return all
  }
  const rows: SqlRow[] = []
  for (const made of statement.iterate(...params)) {
    const row = Object.values(made as Record<string, SqlValue>)
    room.take(row)
    rows.push(row)
  }
  return rows
}

const apart = new WeakMap<SqliteStatement<unknown, SQLQueryBindings[]>, boolean>()

/** Looking at the names takes as long as twenty rows. */
function isApart(statement: SqliteStatement<unknown, SQLQueryBindings[]>): boolean {
  const known = apart.get(statement)
  if (known !== undefined) return known
  const found = keepsApart(statement.columnNames)
  apart.set(statement, found)
  return found
}

/** Names of digits come first in an object, and `__proto__` is no member. */
function keepsApart(names: readonly string[]): boolean {
  return new Set(names).size === names.length && !names.some(name => /^\d+$|^__proto__$/.test(name))
}

/** What the readers of import files have in common: a row with its line, and the mistake that a line holds. */
import type { TableShape } from '../admin/tables-shape.ts'
import type { SqlRow } from '../lib/sql-value.ts'

export interface ImportRow {
  /** Line on which it begins, counted from 1. */
  readonly line: number
  /** Names of the columns that it has; the same array for all rows that have the same. */
  readonly columns: readonly string[]
  readonly values: SqlRow
}

/** Reads a file in pieces of text. */
export interface RowReader {
  /** The rows that are complete with `text`. Throws LineError. */
  push(text: string): Iterable<ImportRow>
  /** The row that the end of the file completes. Throws LineError. */
  end(): Iterable<ImportRow>
}

export type MakeRowReader = (shape: TableShape) => RowReader

/** A line that cannot be read. */
export class LineError extends Error {
  override name = 'LineError'
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message)
  }
}

/** Longest row, in characters. */
export const rowCharactersMax = 256 * 1024 * 1024

const integerMin = -(2n ** 63n)
const integerMax = 2n ** 63n - 1n

/** The integer that `text` says, or null when it is none of 64 bits. */
export function integerOf(text: string): bigint | null {
  if (!/^[+-]?\d{1,30}$/.test(text)) return null
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return value >= integerMin && value <= integerMax ? value : null
}

/** The number that `text` says, or null when it is none. What is too large for a double is infinite, as in SQLite. */
export function realOf(text: string): number | null {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : null
}

/** The start of `text` for a message. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

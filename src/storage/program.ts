/** What one request asks of the writer of a database, as plain data: statements with their guards. Running it is storage/program-runner.ts. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'

/** A statement and the values bound to its parameters ?1, ?2, … The same `sql` text is prepared once per connection. */
export interface Statement {
  readonly sql: string
  readonly params: readonly Param[]
}

/** A value, or the rows that earlier steps of the same program gave: JSON text, an array of rows for each step (integers as text, blobs as `{"hex":…}`). */
export type Param = SqlValue | { readonly rowsOf: readonly number[] }

/**
 * One step. A step that does not hold ends its program: everything the program wrote is undone, and the result names the step.
 * - `run`: runs; `atLeast` changed or returned rows are needed.
 * - `expect`: the first column of the first row must be true in SQL's sense (a number other than 0); an error counts as false.
 * - `match`: the first row's tag (storage/row-tag.ts) must be one of `tags`; without a row it does not hold. `['*']` takes any row.
 * - `stopAt`: when it returns a row the program ends well there, nothing after it runs, and the result says so.
 */
export type Step =
  | (Statement & { readonly kind: 'run'; readonly atLeast: number })
  | (Statement & { readonly kind: 'expect' })
  | (Statement & { readonly kind: 'match'; readonly tags: readonly string[] })
  | (Statement & { readonly kind: 'stopAt' })

/** Runs as a whole or not at all. */
export interface Program {
  readonly steps: readonly Step[]
}

export type ProgramResult =
  | {
      readonly ok: true
      /** Number of the transaction: greater than that of every program that committed before; `_changes` rows of the program carry it. */
      readonly txn: number
      /** Rows per step, in order; a step that returns no rows has none. */
      readonly rows: readonly (readonly SqlRow[])[]
      /** Changed rows per `run` step; 0 for others. */
      readonly changes: readonly number[]
      /** The step that stopped the program early, or null. */
      readonly stoppedAt: number | null
    }
  | {
      readonly ok: false
      /** Index of the step that did not hold. */
      readonly step: number
      /** `unmet`: the guard did not hold. Otherwise what SQLite said: its extended result code (275 = CHECK …; 1 = SQL error). */
      readonly why: 'unmet' | { readonly errno: number; readonly message: string }
    }

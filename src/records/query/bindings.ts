/** The values bound to one statement. Text of clients gets into a statement through here only, so never into its SQL. */
import type { SqlValue } from '../../lib/sql-value.ts'

export class Bindings {
  readonly #values: SqlValue[]

  /** `first`: values that ?1, ?2, … stand for already. */
  constructor(first: readonly SqlValue[] = []) {
    this.#values = [...first]
  }

  /** Binds `value` and gives the parameter that stands for it. */
  add(value: SqlValue): string {
    this.#values.push(value)
    return `?${this.#values.length}`
  }

  get values(): readonly SqlValue[] {
    return [...this.#values]
  }

  get count(): number {
    return this.#values.length
  }
}

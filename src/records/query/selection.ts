/** The columns a statement selects, each once: those of the answer and those that only cursors and expansions need. */
import { quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'

export class Selection {
  readonly #columns: Column[] = []
  readonly #positions = new Map<string, number>()
  readonly #first: number

  /** `first`: position of the first selected column in the row. */
  constructor(first: number) {
    this.#first = first
  }

  /** Position of `column` in the row; selects it when it is not yet. */
  add(column: Column): number {
    const known = this.#positions.get(column.name)
    if (known !== undefined) return known
    const position = this.#first + this.#columns.length
    this.#columns.push(column)
    this.#positions.set(column.name, position)
    return position
  }

  get width(): number {
    return this.#first + Math.max(1, this.#columns.length)
  }

  /** The selected columns of the relation aliased `alias`, named by their positions, without a comma at the ends; NULL when all columns are hidden. */
  sql(alias: string): string {
    return named(this.#columns.map(column => `${alias}.${quoted(column.name)}`), this.#first) || 'NULL'
  }
}

/** `expressions` of a SELECT with names that no two share, whatever the columns are called (store/bounded-rows.ts). */
export function named(expressions: readonly string[], first = 0): string {
  return expressions.map((sql, i) => `${sql} AS hw_${first + i}`).join(', ')
}

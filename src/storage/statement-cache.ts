/** Prepared statements of one connection by their text, so many at most. What is not used is finalized; running them is the caller's. */
import type { Database, SQLQueryBindings, Statement } from 'bun:sqlite'

export interface Prepared {
  readonly statement: Statement<unknown, SQLQueryBindings[]>
  /** It returns rows. */
  readonly isReader: boolean
  /** It changes nothing. */
  readonly isReadOnly: boolean
  readonly paramsCount: number
}

/** Two generations, as in lib/recent-map.ts: a hit costs one lookup, and what was not used for a generation is finalized together. */
export class StatementCache {
  readonly #db: Database
  readonly #generationMax: number
  #young = new Map<string, Prepared>()
  #old = new Map<string, Prepared>()

  constructor(db: Database, statementsMax: number) {
    this.#db = db
    this.#generationMax = Math.max(1, Math.floor(statementsMax / 2))
  }

  /** Integers of its rows are bigint. Throws what SQLite says of a text that it cannot prepare. */
  get(sql: string): Prepared {
    const young = this.#young.get(sql)
    if (young !== undefined) return young
    const prepared = this.#old.get(sql) ?? prepare(this.#db, sql)
    this.#old.delete(sql)
    if (this.#young.size >= this.#generationMax) this.#age()
    this.#young.set(sql, prepared)
    return prepared
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Finalizes all: before the connection closes, and when the schema may have changed. */
  clear(): void {
    finalizeAll(this.#young)
    finalizeAll(this.#old)
  }

  #age(): void {
    finalizeAll(this.#old)
    this.#old = this.#young
    this.#young = new Map()
  }
}

function prepare(db: Database, sql: string): Prepared {
  const statement = db.prepare<unknown, SQLQueryBindings[]>(sql).safeIntegers(true)
  return { statement, isReader: statement.reader, isReadOnly: statement.readonly, paramsCount: statement.paramsCount }
}

function finalizeAll(statements: Map<string, Prepared>): void {
  for (const { statement } of statements.values()) statement.finalize()
  statements.clear()
}

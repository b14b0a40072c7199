/** Runs groups of programs (storage/program.ts) on one connection: a transaction a group, a savepoint a program. Knows no threads and no queue. */
import { SQLiteError, type Database, type Statement as SqliteStatement } from 'bun:sqlite'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import type { Param, Program, ProgramResult, Step } from './program.ts'
import { rowTag } from './row-tag.ts'
import { rowsJson } from './rows-json.ts'
import { isBusy, isFull, problemOf, type StatementProblem } from './sqlite-errors.ts'
import { StatementCache, type Prepared } from './statement-cache.ts'

/** Prepared statements that a connection keeps. */
export const preparedStatementsMax = 1024

/** Nothing of the program is stored, through no fault of its own: no room, or another process kept the file locked. */
export interface Unrun {
  readonly ok: null
  readonly why: 'full' | 'busy'
  readonly message: string
}

export type ProgramOutcome = ProgramResult | Unrun

type Failed = ProgramResult & { readonly ok: false }

/** How one transaction ended. `broken`: the program at `at` took the whole transaction with it. `refused`: COMMIT itself found a constraint hurt. */
type Ending =
  | { readonly kind: 'committed'; readonly results: readonly ProgramResult[] }
  | { readonly kind: 'broken'; readonly at: number; readonly result: ProgramResult }
  | { readonly kind: 'refused'; readonly problem: StatementProblem }
  | { readonly kind: 'unrun'; readonly outcome: Unrun }

/** SQLITE_RANGE: a statement was given more or fewer values than it has parameters. */
const rangeError = 25
const constraintError = 19
const noRows: readonly SqlRow[] = []

export class ProgramRunner {
  readonly #db: Database
  readonly #statements: StatementCache
  readonly #fixed: readonly SqliteStatement[]
  readonly #begin: SqliteStatement
  readonly #commit: SqliteStatement
  readonly #savepoint: SqliteStatement
  readonly #release: SqliteStatement
  readonly #undo: SqliteStatement
  readonly #readTxn: SqliteStatement<{ n: number }, []>
  readonly #writeTxn: SqliteStatement
  #txn = 0
  #written: number | null = null

  /** `schema` is the database whose `_txn` counts (made when it is missing): `main`, or the name under which it is attached. */
  constructor(db: Database, schema: string, statementsMax: number = preparedStatementsMax) {
    this.#db = db
    this.#statements = new StatementCache(db, statementsMax)
    const txn = `"${schema.replaceAll('"', '""')}"._txn`
    prepareTxn(db, txn)
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#savepoint = db.prepare('SAVEPOINT program')
    this.#release = db.prepare('RELEASE program')
    this.#undo = db.prepare('ROLLBACK TO program')
    this.#readTxn = db.prepare<{ n: number }, []>(`SELECT n FROM ${txn}`).safeIntegers(false)
    this.#writeTxn = db.prepare(`UPDATE ${txn} SET n = ?1`)
    this.#fixed = [this.#begin, this.#commit, this.#savepoint, this.#release, this.#undo, this.#readTxn, this.#writeTxn]
  }

  /** Number of the last transaction that the last `run` wrote and committed; null when it wrote none. */
  get written(): number | null {
    return this.#written
  }

  /**
   * Runs `programs` in order, in as few transactions as possible, and returns how each ended; all that is told is synced. Throws when the storage
   * failed: then nobody knows what is stored, and nothing may be acknowledged any more.
   */
  run(programs: readonly Program[]): readonly ProgramOutcome[] {
    const outcomes: ProgramOutcome[] = []
    const waiting = [programs]
    this.#written = null
    for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
      if (group.length === 0) continue
      const ending = this.#transaction(group)
      if (ending.kind === 'committed') outcomes.push(...ending.results)
      else if (ending.kind === 'unrun') outcomes.push(...group.map(() => ending.outcome))
      else if (group.length === 1) outcomes.push(ending.kind === 'broken' ? ending.result : failedAtCommit(group[0], ending.problem))
      else waiting.push(...partsOf(group, ending).toReversed())
    }
    return outcomes
  }

  /** Runs `work` in a transaction of its own that has a number of its own; a throw undoes it. */
  alone<Result>(work: () => Result): { readonly txn: number; readonly result: Result } {
    this.#start()
    try {
      this.#bump()
      const result = work()
      this.#commit.run()
      return { txn: this.#txn, result }
    } catch (error) {
      this.#rollback()
      throw error
    }
  }

  /** Forgets prepared statements: the schema may have changed. */
  forget(): void {
    this.#statements.clear()
  }

  /** Before the connection closes: a statement that lives keeps it open. */
  close(): void {
    this.#statements.clear()
    for (const statement of this.#fixed) statement.finalize()
  }

  #transaction(group: readonly Program[]): Ending {
    try {
      this.#start()
      const before = this.#txn
      const results: ProgramResult[] = []
      for (const program of group) {
        const result = this.#program(program)
        if (!this.#db.inTransaction) return { kind: 'broken', at: results.length, result: brokenResult(program, result) }
        results.push(result)
      }
      this.#commit.run()
      if (this.#txn > before) this.#written = this.#txn
      return { kind: 'committed', results }
    } catch (error) {
      this.#rollback()
      if (isFull(error)) return { kind: 'unrun', outcome: { ok: null, why: 'full', message: String(error) } }
      if (isBusy(error)) return { kind: 'unrun', outcome: { ok: null, why: 'busy', message: String(error) } }
      // A deferred constraint: it is only looked at here, and nobody says whose it is.
      if (error instanceof SQLiteError && (error.errno & 0xff) === constraintError) {
        return { kind: 'refused', problem: { errno: error.errno, message: error.message } }
      }
      throw error
    }
  }

  #start(): void {
    this.#begin.run()
    this.#txn = this.#readTxn.get()?.n ?? 0
  }

  #rollback(): void {
    if (this.#db.inTransaction) this.#db.run('ROLLBACK')
  }

  #bump(): void {
    this.#writeTxn.run(this.#txn + 1)
    this.#txn++
  }

  #program(program: Program): ProgramResult {
    const before = this.#txn
    const run = new ProgramRun(this.#statements, () => {
      this.#savepoint.run()
      this.#bump()
    })
    const failed = run.steps(program.steps)
    if (failed === null) {
      if (run.hasWritten) this.#release.run()
      return { ok: true, txn: this.#txn, rows: run.rows, changes: run.changes, stoppedAt: run.stoppedAt }
    }
    if (run.hasWritten && this.#db.inTransaction) {
      this.#undo.run()
      this.#release.run()
      this.#txn = before
    }
    return failed
  }
}

/** One program on its way through its steps. */
class ProgramRun {
  readonly #statements: StatementCache
  readonly #beforeWrite: () => void
  readonly rows: (readonly SqlRow[])[] = []
  readonly changes: number[] = []
  hasWritten = false
  stoppedAt: number | null = null

  /** `beforeWrite` is called once, before the first statement that may change something. */
  constructor(statements: StatementCache, beforeWrite: () => void) {
    this.#statements = statements
    this.#beforeWrite = beforeWrite
  }

  /** Null when all went well. Throws when the storage is to blame. */
  steps(steps: readonly Step[]): Failed | null {
    for (const [index, step] of steps.entries()) {
      const why = this.#step(step)
      if (why !== null) return { ok: false, step: index, why }
      if (step.kind === 'stopAt' && (this.rows[index]?.length ?? 0) > 0) {
        this.stoppedAt = index
        break
      }
    }
    for (let index = this.rows.length; index < steps.length; index++) this.#keep(noRows, 0)
    return null
  }

  #step(step: Step): 'unmet' | StatementProblem | null {
    const problem = this.#run(step)
    if (problem !== null) return step.kind === 'expect' ? 'unmet' : problem
    return holds(step, this.rows.at(-1) ?? noRows, this.changes.at(-1) ?? 0) ? null : 'unmet'
  }

  #run(step: Step): StatementProblem | null {
    try {
      const prepared = this.#statements.get(step.sql)
      if (prepared.paramsCount !== step.params.length) {
        return { errno: rangeError, message: `${prepared.paramsCount} values are needed, ${step.params.length} were given` }
      }
      if (!prepared.isReadOnly) this.#write()
      this.#take(prepared, step.params)
      return null
    } catch (error) {
      const problem = problemOf(error)
      if (problem === null) throw error
      return problem
    }
  }

  #write(): void {
    if (this.hasWritten) return
    this.#beforeWrite()
    this.hasWritten = true
  }

  #take({ statement, isReader, isReadOnly }: Prepared, params: readonly Param[]): void {
    const bound = params.map(param => this.#bound(param))
    if (!isReader) return this.#keep(noRows, statement.run(...bound).changes)
    const rows = statement.values(...bound) as SqlValue[][]
    this.#keep(rows, isReadOnly ? 0 : rows.length)
  }

  #bound(param: Param): null | bigint | number | string | NodeJS.TypedArray {
    if (param === null || typeof param !== 'object' || !('rowsOf' in param)) return param
    return rowsJson(param.rowsOf.map(step => this.rows[step] ?? noRows))
  }

  #keep(rows: readonly SqlRow[], changes: number): void {
    this.rows.push(rows)
    this.changes.push(changes)
  }
}

function holds(step: Step, rows: readonly SqlRow[], changes: number): boolean {
  switch (step.kind) {
    case 'run':
      return Math.max(changes, rows.length) >= step.atLeast
    case 'expect':
      return isTrue(rows[0]?.[0])
    case 'match': {
      const [row] = rows
      return row !== undefined && (step.tags.includes('*') || step.tags.includes(rowTag(row)))
    }
    case 'stopAt':
      return true
  }
}

function isTrue(value: SqlValue | undefined): boolean {
  return (typeof value === 'bigint' && value !== 0n) || (typeof value === 'number' && value !== 0)
}

/** What is run instead, in order, after `group` was undone as a whole: the culprit alone if it is known, else two halves. */
function partsOf(group: readonly Program[], ending: Ending & { kind: 'broken' | 'refused' }): readonly (readonly Program[])[] {
  if (ending.kind === 'broken') return [group.slice(0, ending.at), group.slice(ending.at, ending.at + 1), group.slice(ending.at + 1)]
  const half = group.length >> 1
  return [group.slice(0, half), group.slice(half)]
}

/** A program that ended the transaction and yet came through (`OR ROLLBACK` in an `expect`, say) wrote nothing: it must not look as if it had. */
function brokenResult(program: Program, result: ProgramResult): ProgramResult {
  return result.ok ? { ok: false, step: Math.max(0, program.steps.length - 1), why: { errno: 1, message: 'the program ended its transaction' } } : result
}

function failedAtCommit(program: Program | undefined, why: StatementProblem): ProgramResult {
  return { ok: false, step: Math.max(0, (program?.steps.length ?? 1) - 1), why }
}

function prepareTxn(db: Database, table: string): void {
  db.run(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL) STRICT`)
  db.run(`INSERT INTO ${table} (n) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM ${table})`)
}

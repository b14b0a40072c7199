/** Runs SQL of operators and migrations: scripts of many statements on one connection. Transactions are the caller's. */
import type { Database, SQLQueryBindings } from 'bun:sqlite'
import type { SqlRow } from '../../lib/sql-value.ts'
import { problemOf, type StatementProblem } from '../../storage/sqlite-errors.ts'
import type { Script, ScriptResult } from './messages.ts'

/** SQLITE_RANGE. */
const rangeError = 25
const nothing: ScriptResult = { columns: [], rows: [], changes: 0 }

/** A script that failed: which, and what SQLite said. */
export class ScriptFailed extends Error {
  override name = 'ScriptFailed'
  constructor(
    readonly script: number,
    readonly problem: StatementProblem,
  ) {
    super(problem.message)
  }
}

/** Runs `scripts` in order. Throws ScriptFailed at the first that fails, and what storage throws as it is. */
export function runScripts(db: Database, scripts: readonly Script[]): readonly ScriptResult[] {
  return scripts.map((script, index) => {
    try {
      return runScript(db, script)
    } catch (error) {
      const problem = problemOf(error)
      if (problem === null) throw error
      throw new ScriptFailed(index, problem)
    }
  })
}

function runScript(db: Database, { sql, params }: Script): ScriptResult {
  let result = nothing
  for (let rest = statementsOf(sql); rest !== ''; ) {
    using statement = db.prepare<unknown, SQLQueryBindings[]>(rest).safeIntegers(true)
    const text = statement.toString()
    if (statement.paramsCount !== params.length) throw rangeProblem(statement.paramsCount, params.length)
    if (statement.reader) {
      const rows = statement.values(...(params as SQLQueryBindings[])) as SqlRow[]
      result = { columns: statement.columnNames, rows, changes: result.changes + (statement.readonly ? 0 : rows.length) }
    } else {
      result = { ...result, changes: result.changes + statement.run(...(params as SQLQueryBindings[])).changes }
    }
    // The text of a statement with parameters is its expanded one: its end cannot be told, and it is the only one.
    rest = params.length > 0 ? '' : statementsOf(rest.slice(text.length))
  }
  return result
}

/** `sql` without what comes before its first statement; empty when none comes. */
function statementsOf(sql: string): string {
  return sql.replace(/^(?:[\s;\uFEFF]+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*/, '')
}

function rangeProblem(needed: number, given: number): Error {
  return Object.assign(new Error(`${needed} values are needed, ${given} were given`), { errno: rangeError })
}

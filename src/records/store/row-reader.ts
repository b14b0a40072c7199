/** Reads inside a reader's thread: connections by what they see, all statements of a request on one state of the databases. Messages are reader-worker.ts. */
import type { Database, SQLQueryBindings, Statement as SqliteStatement } from 'bun:sqlite'
import type { Clock } from '../../lib/clock.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import { StatementCache } from '../../storage/statement-cache.ts'
import { boundedRows, RowRoom } from './bounded-rows.ts'
import { openRecordReader, type ConnectionPlan } from './connection.ts'
import type { FunctionSettings } from '../functions/register.ts'
import { Deadline, prepareConnection } from './prepare-connection.ts'

/** Prepared statements of one connection. */
const preparedStatementsMax = 512

/** What one request may take. */
export interface RowLimits {
  /** For all statements together; `_deadline()` in them looks at it. */
  readonly deadlineMs: number
  /** Characters of texts and bytes of blobs in all rows; without it the caller bounds them in another way. */
  readonly valueCharsMax?: number
}

export interface ReadRows {
  readonly rows: readonly (readonly SqlRow[])[]
  /** Names of the columns per statement. */
  readonly columns: readonly (readonly string[])[]
}

interface Connection {
  readonly db: Database
  readonly statements: StatementCache
  readonly begin: SqliteStatement
  readonly commit: SqliteStatement
}

export class RowReader {
  readonly #functions: FunctionSettings
  readonly #deadline: Deadline
  readonly #connections = new Map<string, Connection>()

  constructor(functions: FunctionSettings, clock: Clock) {
    this.#functions = functions
    this.#deadline = new Deadline(clock)
  }

  /** Runs `statements` in one read transaction. Throws DeadlinePassed, and what SQLite throws; refuses `query_too_costly` beyond `valueCharsMax`. */
  read(plan: ConnectionPlan, statements: readonly Statement[], { deadlineMs, valueCharsMax }: RowLimits): ReadRows {
    const connection = this.#connection(plan)
    this.#deadline.start(deadlineMs)
    const room = valueCharsMax === undefined ? null : new RowRoom(valueCharsMax)
    if (statements.length === 1) return rowsOf(connection, statements, room)
    connection.begin.run()
    try {
      return rowsOf(connection, statements, room)
    } finally {
      connection.commit.run()
    }
  }

  /** One statement outside of a transaction: a point read. */
  rows(plan: ConnectionPlan, sql: string, params: readonly SQLQueryBindings[]): readonly SqlRow[] {
    return this.#connection(plan).statements.get(sql).statement.values(...params) as SqlRow[]
  }

  close(): void {
    for (const { db, statements, begin, commit } of this.#connections.values()) {
      statements.clear()
      begin.finalize()
      commit.finalize()
      db.close(true)
    }
    this.#connections.clear()
  }

  #connection(plan: ConnectionPlan): Connection {
    const known = this.#connections.get(plan.target)
    if (known !== undefined) return known
    const db = openRecordReader(plan, opened => prepareConnection(opened, this.#functions, this.#deadline))
    const connection = { db, statements: new StatementCache(db, preparedStatementsMax), begin: db.prepare('BEGIN'), commit: db.prepare('COMMIT') }
    this.#connections.set(plan.target, connection)
    return connection
  }
}

function rowsOf({ statements }: Connection, asked: readonly Statement[], room: RowRoom | null): ReadRows {
  const rows: (readonly SqlRow[])[] = []
  const columns: (readonly string[])[] = []
  for (const { sql, params } of asked) {
    const { statement } = statements.get(sql)
    const values = params as SQLQueryBindings[]
    rows.push(room === null ? (statement.values(...values) as SqlRow[]) : boundedRows(statement, values, room))
    columns.push(statement.columnNames)
  }
  return { rows, columns }
}

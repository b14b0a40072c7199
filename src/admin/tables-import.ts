/** Brings rows into a table: a batch at a time, each whole or not at all; or all of them at once, gathered in a table beside it first. */
import { fail } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import type { Relation } from '../records/catalog/relation.ts'
import { qualified, quoted } from '../storage/identifier.ts'
import type { Program, ProgramResult, Step } from '../storage/program.ts'
import type { AdminRecords } from './query.ts'
import { shapeOf } from './tables-shape.ts'

/** What happens to a row whose key, or another UNIQUE value, exists. */
export type RowConflict = 'fail' | 'skip' | 'replace'

export interface RowBatch {
  readonly relation: Relation
  /** Names of columns of the table, for every row. */
  readonly columns: readonly string[]
  readonly rows: readonly SqlRow[]
  readonly conflict: RowConflict
}

export interface StoredRows {
  /** Rows that were inserted or replaced. */
  readonly stored: number
  readonly txn: number
}

/** Rows of one statement; SQLite binds 32766 values to it. */
const statementRowsMax = 100
const statementValuesMax = 32_766

/** Stores a batch, whole or not at all. Refuses `import_failed` with the index of the row that does not fit. */
export async function importRows(store: AdminRecords['store'], batch: RowBatch): Promise<StoredRows> {
  const { relation, rows } = batch
  refuseColumns(batch)
  if (rows.length === 0) return { stored: 0, txn: 0 }
  const result = await store.write(relation.database, { steps: insertSteps(batch, rowsPerStatement(batch)) })
  if (result.ok) return storedBy(result)
  // Once more, a statement a row, to know which one it was.
  const single = await store.write(relation.database, { steps: insertSteps(batch, 1) })
  return single.ok ? storedBy(single) : failed(single, single.step)
}

function storedBy(result: ProgramResult & { readonly ok: true }): StoredRows {
  return { stored: result.changes.reduce((sum, changes) => sum + changes, 0), txn: result.txn }
}

function failed({ why }: ProgramResult & { readonly ok: false }, row: number | null): never {
  return fail('import_failed', { detail: why === 'unmet' ? 'the row was not stored' : why.message, row })
}

function refuseColumns({ relation, columns, rows }: Omit<RowBatch, 'conflict'>): void {
  const known = shapeOf(relation).columns
  const unknown = columns.find(name => !known.some(column => foldName(column.name) === foldName(name)))
  if (unknown !== undefined) fail('import_failed', { detail: `the table has no column "${unknown}" that can be written`, row: null })
  if (columns.length === 0 || new Set(columns.map(foldName)).size < columns.length) fail('import_failed', { detail: 'each row needs columns, each of them once', row: null })
  const uneven = rows.findIndex(row => row.length !== columns.length)
  if (uneven >= 0) fail('import_failed', { detail: `${columns.length} values are needed`, row: uneven })
}

function rowsPerStatement({ columns }: RowBatch): number {
  return Math.max(1, Math.min(statementRowsMax, Math.floor(statementValuesMax / columns.length)))
}

function insertSteps(batch: RowBatch, rowsEach: number): readonly Step[] {
  const { rows, columns } = batch
  const isTyped = typedColumns(batch)
  const steps: Step[] = []
  for (let from = 0; from < rows.length; from += rowsEach) {
    const part = rows.slice(from, from + rowsEach)
    const places = part.map((values, row) => `(${values.map((value, column) => place(row * columns.length + column + 1, value, isTyped[column] === true)).join(', ')})`)
    steps.push({ kind: 'run', sql: insertSql(batch, `VALUES ${places.join(', ')}`), params: part.flat() as SqlValue[], atLeast: 0 })
  }
  return steps
}

/** A number without a fraction is bound as an integer; where the column does not make a REAL of it again, SQL has to. */
function place(number: number, value: SqlValue, isTyped: boolean): string {
  return typeof value === 'number' && Number.isInteger(value) && !isTyped ? `CAST(?${number} AS REAL)` : `?${number}`
}

function typedColumns({ relation, columns }: RowBatch): readonly boolean[] {
  const typed = new Set(relation.columns.filter(({ type }) => type === 'REAL' || type === 'INTEGER').map(({ name }) => foldName(name)))
  return columns.map(name => typed.has(foldName(name)))
}

/** `source` needs a WHERE when it is a SELECT: SQLite would read ON as that of a join. */
function insertSql({ relation, columns, conflict }: Pick<RowBatch, 'relation' | 'columns' | 'conflict'>, source: string): string {
  const verb = conflict === 'replace' ? 'INSERT OR REPLACE' : 'INSERT'
  const tail = conflict === 'skip' ? ' ON CONFLICT DO NOTHING' : ''
  return `${verb} INTO ${qualified(relation.database, relation.name)} (${columns.map(quoted).join(', ')}) ${source}${tail}`
}

interface Gathering {
  readonly relation: Relation
  readonly table: string
  readonly columns: readonly string[]
  count: number
  usedAtMs: number
}

const tablePrefix = '_import_'
/** Imports that gather at the same time. */
const gatheringsMax = 8
/** A gathering that nobody adds to is given up after so long, when another one begins. */
const idleMsMax = 10 * 60_000
/** Rows that one step of the final transaction moves. */
const stepRows = 1000

/** Imports that are stored as a whole. What a killed process gathered is removed when the next one begins. */
export class WholeImports {
  readonly #store: AdminRecords['store']
  readonly #parts: { readonly clock: Clock; readonly ids: Ids }
  readonly #open = new Map<string, Gathering>()

  constructor(store: AdminRecords['store'], parts: { readonly clock: Clock; readonly ids: Ids }) {
    this.#store = store
    this.#parts = parts
  }

  /** Begins one; gives its name. Refuses `overloaded`, and what importRows refuses. */
  async begin(relation: Relation, columns: readonly string[]): Promise<string> {
    refuseColumns({ relation, columns, rows: [] })
    await this.#removeStale(relation.database)
    if (this.#open.size >= gatheringsMax) fail('overloaded', { detail: 'too many imports run' })
    const id = this.#parts.ids.random().replaceAll(/[^A-Za-z0-9]/g, '')
    const table = `${tablePrefix}${id}`
    this.#open.set(id, { relation, table, columns, count: 0, usedAtMs: this.#parts.clock.monotonic() })
    // Columns without a type keep every value as it is.
    await this.#run(relation.database, `CREATE TABLE ${qualified(relation.database, table)} (row INTEGER PRIMARY KEY, ${columns.map((_, i) => `c${i}`).join(', ')})`)
    return id
  }

  async add(id: string, rows: readonly SqlRow[]): Promise<void> {
    const gathering = this.#find(id)
    const { relation, table, columns } = gathering
    refuseColumns({ relation, columns, rows })
    const first = gathering.count
    gathering.count += rows.length
    gathering.usedAtMs = this.#parts.clock.monotonic()
    const own: RowBatch = { relation: besideOf(relation, table, columns), columns: ['row', ...columns.map((_, i) => `c${i}`)], rows: rows.map((row, i) => [BigInt(first + i), ...row]), conflict: 'fail' }
    const result = await this.#store.write(relation.database, { steps: insertSteps(own, rowsPerStatement(own)) })
    if (!result.ok) failed(result, null)
  }

  /** Stores all rows in one transaction. Refuses `import_failed` with the index of the row that does not fit; then nothing is stored. */
  async finish(id: string, conflict: RowConflict): Promise<StoredRows> {
    try {
      return await this.#move(this.#find(id), conflict)
    } finally {
      await this.drop(id)
    }
  }

  /** Forgets what was gathered. */
  async drop(id: string): Promise<void> {
    const { relation, table } = this.#find(id)
    this.#open.delete(id)
    await this.#run(relation.database, `DROP TABLE ${qualified(relation.database, table)}`)
  }

  async #move(gathering: Gathering, conflict: RowConflict): Promise<StoredRows> {
    const { relation, count } = gathering
    const result = await this.#store.write(relation.database, moveProgram(gathering, conflict, []))
    if (result.ok) return storedBy(result)
    // Everything before that step goes in again, then row by row, until the same one fails.
    const from = result.step * stepRows
    const singles = Array.from({ length: Math.max(0, Math.min(stepRows, count - from)) }, (_, i) => from + i)
    const again = await this.#store.write(relation.database, moveProgram(gathering, conflict, singles))
    if (again.ok) return storedBy(again)
    const row = from + again.step - result.step
    return failed(again, row < count ? row : null)
  }

  #find(id: string): Gathering {
    return this.#open.get(id) ?? fail('not_found', { detail: 'this import has ended' })
  }

  async #removeStale(database: string): Promise<void> {
    const now = this.#parts.clock.monotonic()
    for (const [id, { usedAtMs }] of this.#open) if (now - usedAtMs > idleMsMax) this.#open.delete(id)
    const inUse = new Set([...this.#open.values()].map(({ table }) => table))
    const sql = `SELECT name FROM ${quoted(database)}.sqlite_schema WHERE type = 'table' AND name GLOB '${tablePrefix}*'`
    const answer = await this.#store.read({ database, statements: [{ sql, params: [] }], deadlineMs: 10_000, finish: null })
    const names = 'rows' in answer ? (answer.rows[0] ?? []).map(([name]) => String(name)) : []
    for (const name of names) if (!inUse.has(name)) await this.#run(database, `DROP TABLE ${qualified(database, name)}`)
  }

  async #run(database: string, sql: string): Promise<void> {
    const outcome = await this.#store.exclusive(database, [{ sql, params: [] }], { transaction: true })
    if (!outcome.ok) fail('import_failed', { detail: outcome.problem.message, row: null })
  }
}

/** The table that gathers: its columns have the types that the rows come to at last. */
function besideOf(relation: Relation, table: string, columns: readonly string[]): Relation {
  const found = columns.map(name => relation.columns.find(column => foldName(column.name) === foldName(name)))
  return { ...relation, name: table, columns: found.flatMap((column, i) => (column === undefined ? [] : [{ ...column, name: `c${i}` }])) }
}

/** Steps of `stepRows` rows up to the first of `singles`, then one for each of these; without any, all in large steps. */
function moveProgram({ relation, table, columns, count }: Gathering, conflict: RowConflict, singles: readonly number[]): Program {
  const [firstSingle = count] = singles
  const source = `SELECT ${columns.map((_, i) => `c${i}`).join(', ')} FROM ${qualified(relation.database, table)} WHERE row >= ?1 AND row < ?2 ORDER BY row`
  const sql = insertSql({ relation, columns, conflict }, source)
  const step = (from: number, to: number): Step => ({ kind: 'run', sql, params: [BigInt(from), BigInt(to)], atLeast: 0 })
  const steps: Step[] = []
  for (let from = 0; from < firstSingle; from += stepRows) steps.push(step(from, Math.min(firstSingle, from + stepRows)))
  for (const row of singles) steps.push(step(row, row + 1))
  return { steps }
}

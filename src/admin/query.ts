/** SQL of administrators on the databases of a depot: reads in a reader thread with a time limit, the rest through the writer. What it needs is query-plan.ts. */
import { fail, OperatorError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { RecordCatalog } from '../records/record-api.ts'
import type { RecordStore } from '../records/store/record-store.ts'
import { StatementError } from '../records/store/statement-error.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import { planQuery, queryCharsMax, queryRowsMax, type KnownSchema, type QueryCommand, type QueryPlan } from './query-plan.ts'
import type { QueryResult } from './query-values.ts'

/** What tools of administrators need of the records; `Records` fits. */
export interface AdminRecords {
  readonly store: Pick<RecordStore, 'read' | 'exclusive' | 'write'>
  readonly catalog: RecordCatalog
  /** Reads the schema anew, after SQL changed it. Throws OperatorError when the record APIs do not fit it any more. */
  refresh(): Promise<void>
}

export interface QueryParts {
  readonly records: AdminRecords
  /** Most time that reading statements of a query take together. */
  readonly queryMsMax: number
  readonly log: Log
}

/** SQLite's code for a statement that would write where nothing may be written. */
const readOnlyError = 8

/**
 * Runs all statements in one transaction; the result is that of the last one that gives rows. Subscribers hear of what it writes.
 * Refuses `invalid_sql`, `statement_refused`, `query_too_costly`; `config_rejected` when it ran and the record APIs no longer fit the schema.
 */
export async function runQuery(parts: QueryParts, command: QueryCommand): Promise<QueryResult> {
  const plan = planQuery(command, schemaOf(parts))
  const result = plan.kind === 'read' ? await read(parts, plan) : await write(parts, plan)
  if (result.rows.length > queryRowsMax) fail('query_too_costly', { detail: `there are more than ${queryRowsMax} rows; add a LIMIT` })
  return result
}

/** Every database has tables of its own from the start: those of its migrations. */
function schemaOf({ records }: QueryParts): KnownSchema {
  const relations = [...records.catalog.relations.values()]
  return {
    databases: [...new Set(relations.map(({ database }) => database))].filter(name => name !== 'main'),
    hasInMain: name => relations.some(relation => relation.database === 'main' && foldName(relation.name) === foldName(name)),
  }
}

async function read(parts: QueryParts, plan: QueryPlan & { readonly kind: 'read' }): Promise<QueryResult> {
  try {
    return await rowsOf(parts, plan.database, plan.watched)
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    return await readAsItIs(parts, plan)
  }
}

/** What SQLite says of a statement is said of the one that was asked, and no query fails because of what was put into it. */
async function readAsItIs(parts: QueryParts, { database, statements }: QueryPlan & { readonly kind: 'read' }): Promise<QueryResult> {
  try {
    return await rowsOf(parts, database, statements)
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    return fail('invalid_sql', { detail: (error.errno & 0xff) === readOnlyError ? 'the query may not change anything' : error.message })
  }
}

async function rowsOf({ records, queryMsMax }: QueryParts, database: string, statements: readonly string[]): Promise<QueryResult> {
  const answer = await records.store.read({ database, statements: statements.map(sql => ({ sql, params: [] })), deadlineMs: queryMsMax, valueCharsMax: queryCharsMax, finish: null })
  const { rows, columns } = 'rows' in answer ? answer : { rows: [], columns: [] }
  const last = columns.findLastIndex(names => names.length > 0)
  return { columns: columns[last] ?? [], rows: rows[last] ?? [], txn: null }
}

async function write({ records, log }: QueryParts, { database, sql, transaction, changesSchema }: QueryPlan & { readonly kind: 'write' }): Promise<QueryResult> {
  const outcome = await records.store.exclusive(database, [{ sql, params: [] }], { transaction })
  if (!outcome.ok) fail('invalid_sql', { detail: outcome.problem.message })
  const [{ columns, rows } = { columns: [], rows: [] }] = outcome.results
  log.info('query of an administrator', { database, txn: outcome.txn, changes_schema: changesSchema })
  if (changesSchema) await refresh(records)
  return { columns, rows, txn: outcome.txn }
}

async function refresh(records: AdminRecords): Promise<void> {
  try {
    await records.refresh()
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    fail('config_rejected', { detail: `The query has run, but the record APIs do not fit the schema any more and stay as they were:\n${error.message}` })
  }
}

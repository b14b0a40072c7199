/** Lists of a record API: from the query string to the text of the body. Whether the caller may list at all (ACL) is asked before. */
import { assert } from '../lib/assert.ts'
import { fail } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import type { SqlRow } from '../lib/sql-value.ts'
import type { Statement } from '../storage/program.ts'
import { callsFunctions } from './query/filter.ts'
import type { ListSpec } from './query/list-body.ts'
import { planList } from './query/list-statement.ts'
import { type ListQuery, parseListQuery } from './query/parse.ts'
import { refuseQuery } from './query/refuse.ts'
import type { RecordApi } from './record-api.ts'
import { StatementError } from './store/statement-error.ts'

/** One read transaction in a reader thread; store/record-store.ts has it. Refuses `query_too_costly` and `overloaded`. */
export type ReadRows = (request: {
  readonly database: string
  readonly statements: readonly Statement[]
  readonly deadlineMs: number
  readonly finish: { readonly kind: 'list'; readonly spec: ListSpec } | null
}) => Promise<{ readonly rows: readonly (readonly SqlRow[])[] } | { readonly text: string }>

export interface ListParts {
  readonly read: ReadRows
  /** Time that the statements of one query may take. */
  readonly deadlineMs: number
}

/** The body of `GET /{api}?{query}`. Refuses `invalid_query`, `query_too_costly` and what `read` refuses. */
export async function listRecords(parts: ListParts, api: RecordApi, principal: Principal, query: string): Promise<string> {
  const parsed = parseListQuery(query)
  const plan = planList(api, parsed, principal)
  try {
    const answer = await parts.read({ ...plan, deadlineMs: parts.deadlineMs })
    assert('text' in answer, 'a read that is to be finished gives text')
    return answer.text
  } catch (error) {
    return refused(error, api, parsed, principal)
  }
}

/** SQLite's code for an error in a statement, and for what a function threw. */
const genericError = 1

/** Statements are ours and without fault, but the texts of a match, a pattern and a rule are not. A rule that ends in an error denies. */
function refused(error: unknown, api: RecordApi, { match, filter }: ListQuery, principal: Principal): never {
  if (error instanceof StatementError) {
    if (match !== null && error.errno === genericError) refuseQuery('match is no query of FTS5')
    if (callsFunctions(filter) && error.errno === genericError) fail('query_too_costly', { detail: 'a value is too large for the filter' })
    if (api.rules.read !== null && principal.kind !== 'admin' && !isStorageFault(error)) fail('forbidden', {})
  }
  throw error
}

/** What the reader tells of a file that it could not read. */
function isStorageFault({ errno }: StatementError): boolean {
  return [5, 7, 10, 11, 14, 26].includes(errno & 0xff)
}

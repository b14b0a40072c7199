/** Lists of a record API: from the query string to the text of the body. Whether the caller may list at all (ACL) is asked before. */
import { assert } from '../lib/assert.ts'
import type { Principal } from '../lib/principal.ts'
import type { SqlRow } from '../lib/sql-value.ts'
import type { Statement } from '../storage/program.ts'
import type { ListSpec } from './query/list-body.ts'
import { planList } from './query/list-statement.ts'
import { parseListQuery } from './query/parse.ts'
import type { RecordApi } from './record-api.ts'
import { refusedRead } from './refused-read.ts'

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
    return refusedRead(error, api, principal, parsed)
  }
}

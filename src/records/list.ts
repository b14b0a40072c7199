/** Lists of a record API: from the query string to the text of the body. Whether the caller may list at all (ACL) is asked before. */
import { assert } from '../lib/assert.ts'
import type { Principal } from '../lib/principal.ts'
import { RecentMap } from '../lib/recent-map.ts'
import type { SqlRow } from '../lib/sql-value.ts'
import type { Statement } from '../storage/program.ts'
import type { ListSpec } from './query/list-body.ts'
import { valueCharsMax } from './query/limits.ts'
import { type ListPlan, planFor, planList } from './query/list-statement.ts'
import { type ListQuery, parseListQuery } from './query/parse.ts'
import type { RecordApi } from './record-api.ts'
import { refusedRead } from './refused-read.ts'

/** One read transaction in a reader thread; store/record-store.ts has it. Refuses `query_too_costly` and `overloaded`. */
export type ReadRows = (request: {
  readonly database: string
  readonly statements: readonly Statement[]
  readonly deadlineMs: number
  readonly valueCharsMax?: number
  readonly finish: { readonly kind: 'list'; readonly spec: ListSpec } | null
}) => Promise<{ readonly rows: readonly (readonly SqlRow[])[] } | { readonly text: string }>

export interface ListParts {
  readonly read: ReadRows
  /** Time that the statements of one query may take. */
  readonly deadlineMs: number
}

/** The body of `GET /{api}?{query}`. Refuses `invalid_query`, `query_too_costly` and what `read` refuses. */
export async function listRecords(parts: ListParts, api: RecordApi, principal: Principal, query: string): Promise<string> {
  const { parsed, plan } = plannedList(api, principal, query)
  const { database, statements, finish } = planFor(plan, principal)
  try {
    const answer = await parts.read({ database, statements, finish, deadlineMs: parts.deadlineMs, ...(mayBeLarge(api, parsed) ? { valueCharsMax } : {}) })
    assert('text' in answer, 'a read that is to be finished gives text')
    return answer.text
  } catch (error) {
    return refusedRead(error, api, principal, parsed)
  }
}

/** Rows of numbers and UUIDs are small however many a page has; looking at each costs a few percent of a list. */
function mayBeLarge({ visible, key }: RecordApi, { expand }: ListQuery): boolean {
  return expand.length > 0 || [...visible, ...key].some(({ type, format }) => type !== 'INTEGER' && type !== 'REAL' && format.kind !== 'uuid')
}

interface PlannedList {
  readonly parsed: ListQuery
  readonly plan: ListPlan
}

type PlannedLists = WeakMap<RecordApi, RecentMap<string, PlannedList>>

/** Query strings that are remembered per API, and the characters of all of them. */
const plannedMax = 256
const plannedCharsMax = 64 * 1024
const plannedLists: { readonly all: PlannedLists; readonly guarded: PlannedLists } = { all: new WeakMap(), guarded: new WeakMap() }

/** Clients ask the same again and again: to read a query and write its statements takes as long as to read ten rows. */
function plannedList(api: RecordApi, principal: Principal, query: string): PlannedList {
  const byApi = principal.kind === 'admin' ? plannedLists.all : plannedLists.guarded
  let known = byApi.get(api)
  if (known === undefined) byApi.set(api, (known = new RecentMap(plannedMax, plannedCharsMax)))
  let planned = known.get(query)
  if (planned === undefined) {
    const parsed = parseListQuery(query)
    planned = { parsed, plan: planList(api, parsed, principal) }
    known.set(query, planned, query.length)
  }
  return planned
}

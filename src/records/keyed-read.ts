/** Rows of one record by its key: at once on this thread, or in a reader thread. Which of the two, and what the rows mean, is the caller's. */
import { assert } from '../lib/assert.ts'
import type { Principal } from '../lib/principal.ts'
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import { problemOf } from '../storage/sqlite-errors.ts'
import type { ReadParts } from './read.ts'
import { valueCharsMax } from './query/limits.ts'
import type { RecordApi } from './record-api.ts'
import { refusedRead } from './refused-read.ts'

export interface KeyedRead {
  readonly sql: string
  readonly params: readonly SqlValue[]
}

/** A rule that ends in an error denies. */
export function readAtOnce(parts: Pick<ReadParts, 'readNow'>, api: RecordApi, { sql, params }: KeyedRead): readonly SqlRow[] {
  try {
    return parts.readNow(api.relation.database, sql, params)
  } catch (error) {
    if (api.rules.read === null || problemOf(error) === null) throw error
    return []
  }
}

/** In a reader thread: for what scans, or brings other rows along. */
export async function readInThread(parts: Pick<ReadParts, 'read' | 'deadlineMs'>, api: RecordApi, principal: Principal, statement: KeyedRead): Promise<readonly SqlRow[]> {
  const request = { database: api.relation.database, statements: [statement], deadlineMs: parts.deadlineMs, valueCharsMax, finish: null }
  const answer = await parts.read(request).catch((error: unknown) => refusedRead(error, api, principal))
  assert('rows' in answer, 'a read without a finish gives rows')
  return answer.rows[0] ?? []
}

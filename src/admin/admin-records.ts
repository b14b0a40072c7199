/** `/api/_admin/…` for administrators over the network (trailbase-api.md §11): who may is checked first, whatever the path. */
import { fail } from '../lib/errors.ts'
import { queryAnswer } from './query-answer.ts'
import type { QueryParts } from './query.ts'

export interface AdminRecordsParts extends QueryParts {
  /** Refuses whoever is no administrator (auth/accounts/admin-gate.ts). */
  readonly gate: (request: Request) => unknown
}

export const adminRoot = '/api/_admin/'

/** Answers every request below `adminRoot`. Throws or rejects with refusals. */
export function adminRecords(parts: AdminRecordsParts): (request: Request) => Promise<Response> {
  return async request => {
    parts.gate(request)
    const { pathname } = new URL(request.url)
    if (pathname !== `${adminRoot}query`) return fail('not_found', {})
    return request.method === 'POST' ? await queryAnswer(parts, request) : fail('method_not_allowed', { allow: 'POST' })
  }
}

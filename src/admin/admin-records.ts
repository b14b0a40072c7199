/** `/api/_admin/…` for administrators over the network (trailbase-api.md §11): who may is checked first, whatever the path. Loads what answers when it is asked. */
import { fail } from '../lib/errors.ts'
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
    switch (new URL(request.url).pathname) {
      case `${adminRoot}query`:
        return request.method === 'POST' ? await (await import('./query-answer.ts')).queryAnswer(parts, request) : fail('method_not_allowed', { allow: 'POST' })
      case `${adminRoot}tables`:
        return request.method === 'GET' ? await tablesAnswer(parts) : fail('method_not_allowed', { allow: 'GET' })
      default:
        return fail('not_found', {})
    }
  }
}

async function tablesAnswer({ records }: QueryParts): Promise<Response> {
  const { listSchema } = await import('./tables.ts')
  return Response.json(await listSchema(records), { headers: { 'Cache-Control': 'no-store' } })
}

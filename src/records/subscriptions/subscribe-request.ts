/** The query string and headers of a subscription as one command. Whether the API allows it is subscriptions.ts. */
import { fail } from '../../lib/errors.ts'
import { filterOf, type Filter } from '../query/filter-tree.ts'
import { parseQueryString } from '../query/query-string.ts'
import { refuseQuery } from '../query/refuse.ts'

export interface SubscribeCommand {
  /** Null for `*`, the whole table; else the id of a record, decoded. */
  readonly id: string | null
  /** For tables. */
  readonly filter: Filter | null
  /** Events carry lines `id:`, by which browsers resume. */
  readonly withIds: boolean
  readonly from: { readonly kind: 'now' } | { readonly kind: 'snapshot' } | { readonly kind: 'since'; readonly position: number }
}

/** Refuses `invalid_query`, and `invalid_request` for a WebSocket. */
export function parseSubscribe(target: string, query: string, headers: Headers): SubscribeCommand {
  const parameters = parseQueryString(query)
  const value = (name: string) => parameters.find(parameter => parameter.name === name)?.value ?? null
  if (value('ws') === 'true') fail('invalid_request', { detail: 'ws unsupported' })
  const id = target === '*' ? null : target
  // A browser that comes back sends the newest position it saw, with the address that it began with.
  const since = headers.get('last-event-id') || value('since')
  const follow = value('follow')
  if (follow !== null && follow !== 'snapshot') refuseQuery('follow is snapshot')
  return {
    id,
    filter: id === null ? filterOf(parameters.filter(({ name }) => name === 'filter')) : null,
    withIds: since !== null || flag(value('ids')),
    from: since !== null ? { kind: 'since', position: positionOf(since) } : { kind: follow === 'snapshot' ? 'snapshot' : 'now' },
  }
}

function positionOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : refuseQuery('a position is the pos of an event')
}

function flag(text: string | null): boolean {
  if (text === null || text === 'false') return false
  return text === 'true' || refuseQuery('ids is true or false')
}

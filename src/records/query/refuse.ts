/** Refusals of queries. The first words are TrailBase's (trailbase-api.md §2.2), the reason behind them is for people. */
import { fail } from '../../lib/errors.ts'

/** The query string has not the form of §6.1. */
export function refuseQuery(reason: string): never {
  fail('invalid_query', { detail: 'Invalid query', reason })
}

/** The query is well formed, but this API cannot filter so. */
export function refuseFilter(reason: string): never {
  fail('invalid_query', { detail: 'Invalid filter params', reason })
}

export function refuseExpansion(reason: string): never {
  fail('invalid_query', { detail: 'Invalid expansion', reason })
}

export function refuseCursor(reason: string): never {
  fail('invalid_query', { detail: 'Bad cursor', reason })
}

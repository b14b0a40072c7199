/** What it means for a client that SQLite ended a statement of a read with an error: whose text was at fault. Writes are writing/outcome.ts. */
import { fail } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import { callsFunctions } from './query/filter.ts'
import type { Filter } from './query/filter-tree.ts'
import { refuseQuery } from './query/refuse.ts'
import type { ExpandTarget, RecordApi } from './record-api.ts'
import { StatementError } from './store/statement-error.ts'

/** Texts of the client that are judged inside of the statement. */
export interface ReadTexts {
  readonly match: string | null
  readonly filter: Filter | null
}

const noTexts: ReadTexts = { match: null, filter: null }

/** SQLite's code for an error in a statement, and for what a function threw. */
const genericError = 1
/** BUSY, NOMEM, IOERR, CORRUPT, CANTOPEN, NOTADB: what the reader tells of a file that it could not read. */
const storageErrors: readonly number[] = [5, 7, 10, 11, 14, 26]

/**
 * Statements are ours and without fault, but the texts of a match, a pattern and a rule are not. A rule that ends in an error denies, whether it
 * guards the record or what it brings along. Throws `error` itself when nobody's text explains it.
 */
export function refusedRead(error: unknown, api: RecordApi, principal: Principal, { match, filter }: ReadTexts = noTexts): never {
  if (error instanceof StatementError) {
    if (match !== null && error.errno === genericError) refuseQuery('match is no query of FTS5')
    if (callsFunctions(filter) && error.errno === genericError) fail('query_too_costly', { detail: 'a value is too large for the filter' })
    if (principal.kind !== 'admin' && isGuarded(api) && !isStorageFault(error)) fail('forbidden', {})
  }
  throw error
}

export function isStorageFault({ errno }: StatementError): boolean {
  return storageErrors.includes(errno & 0xff)
}

function isGuarded({ rules, expand }: RecordApi): boolean {
  return rules.read !== null || [...expand.values()].some(hasRule)
}

function hasRule({ readRule, next }: ExpandTarget): boolean {
  return readRule !== null || [...next.values()].some(hasRule)
}

/** The access rule of an API's schema, asked with nothing but the caller. The schema itself is json-schema.ts. */
import { userIdOf, type Principal } from '../lib/principal.ts'
import type { RecordApi } from './record-api.ts'
import type { RuleStatement } from './rules.ts'
import type { RecordStore } from './store/record-store.ts'

/** False also when the rule ends in an error. */
export function schemaRuleHolds(store: RecordStore, api: RecordApi, rule: RuleStatement, principal: Principal): boolean {
  if (principal.kind === 'admin') return true
  const params = rule.params.map(param => (param.kind === 'user' ? userIdOf(principal) : null))
  try {
    const [row] = store.readNow(api.relation.database, rule.sql, params)
    const holds = row?.[0]
    return typeof holds === 'bigint' && holds !== 0n
  } catch {
    // A rule that ends in an error denies.
    return false
  }
}

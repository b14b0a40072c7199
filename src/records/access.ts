/** The ACL of a record API: what a caller may try. Which rows, rules decide (rules.ts). */
import { fail } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import type { RecordAction, RecordApi } from './record-api.ts'

/** Refuses `forbidden` unless the world, or the caller as an authenticated one, has `action` (trailbase-api.md §7.1). */
export function checkAcl(api: RecordApi, action: RecordAction, principal: Principal): void {
  if (!hasAccess(api, action, principal)) fail('forbidden', {})
}

export function hasAccess(api: RecordApi, action: RecordAction, principal: Principal): boolean {
  if (principal.kind === 'admin' || api.acl.world.has(action)) return true
  return principal.kind === 'user' && api.acl.authenticated.has(action)
}

/** Refuses `unknown_record_api` for what a view or search table cannot do. */
export function checkWritable(api: RecordApi): void {
  if (api.relation.kind !== 'table') fail('unknown_record_api', {})
}

/** Who may use the administration API (trailbase-api.md §11): administrators by the database, with a proof against forged requests. */
import { timingSafeEqual } from 'node:crypto'
import { fail } from '../../lib/errors.ts'
import type { Credentials } from './credentials.ts'
import type { OwnPrincipal } from '../own-tokens.ts'
import type { UserStore } from './user-store.ts'

/** The administrator who sent a request. */
export type AdminGate = (request: Request) => OwnPrincipal

/**
 * Refuses `unauthorized` for nobody, `forbidden` for a user who is no administrator (or none any more: the token is not believed), and `bad_request`
 * without the header `CSRF-Token` of the token. Reads, too.
 */
export function createAdminGate(credentials: Pick<Credentials, 'user'>, users: UserStore): AdminGate {
  return request => {
    const principal = credentials.user(request) ?? fail('unauthorized', {})
    const user = principal.account === undefined ? null : users.byId(principal.account.id)
    if (user === null) fail('unauthorized', {})
    if (!user.isAdmin) fail('forbidden', {})
    const proof = request.headers.get('csrf-token')
    if (proof === null) fail('bad_request', { detail: 'admin APIs require csrf header' })
    if (!isSame(proof, principal.claims.csrf_token)) fail('bad_request', { detail: 'invalid CSRF token' })
    return principal
  }
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

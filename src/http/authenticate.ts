/** From the Authorization header to the principal of a request. Checking the token itself is auth/tokens.ts. */
import { fail } from '../lib/errors.ts'
import { anonymous, type Principal } from '../lib/principal.ts'

/** What is needed of auth/tokens.ts. */
export interface BearerVerifier {
  /** The principal of a token that is known to be good; null when `verify` has to look. */
  peek(token: string): Principal | null
  verify(token: string): Promise<Principal>
}

/** Throws, or rejects with, token_invalid, token_expired, identity_unavailable or overloaded. */
export type Authenticate = (request: Request) => Principal | Promise<Principal>

/**
 * Without a verifier (no issuer is configured) every request is anonymous and a token is not looked at: the server is then
 * agnostic of authentication, and a proxy in front may have its own. With one, a request without the header is anonymous,
 * and any other header than one good Bearer token is refused. Gives a promise only for a token that was not verified before.
 */
export function createAuthenticator(verifier: BearerVerifier | null): Authenticate {
  if (verifier === null) return () => anonymous
  return request => {
    const header = request.headers.get('authorization')
    if (header === null) return anonymous
    const token = bearerToken(header)
    return verifier.peek(token) ?? verifier.verify(token)
  }
}

/** RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1). Two headers arrive joined by a comma, which no token has. */
function bearerToken(header: string): string {
  const match = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header)
  if (match?.[1] === undefined) fail('token_invalid', { detail: 'Authorization is not "Bearer" with one token' })
  return match[1]
}

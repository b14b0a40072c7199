/** What an issuer's tokens must claim: for whom and when. Pure; whether the claims are genuine is decided by the signature. */
import type { TokenClaims } from './compact.ts'

export interface ClaimPolicy {
  /** One of these must be in `aud`. When empty, the token must not have any (RFC 7519 §4.1.3). */
  readonly audiences: readonly string[]
  readonly clockToleranceMs: number
}

/** When a token counts, in milliseconds since the epoch. */
export interface TokenTimes {
  /** Not before; the tolerance is already off. */
  readonly acceptedAtMs: number
  /** The token's own end. */
  readonly expiresAtMs: number
  /** The end with the tolerance on top, from when on it is refused. */
  readonly refusedAtMs: number
}

/** Latest time that a Date can hold. */
const timeMsMax = 8_640_000_000_000_000

export function tokenTimes(claims: TokenClaims, policy: ClaimPolicy): TokenTimes {
  // A token from the future was made by a clock that cannot be trusted, so `iat` binds like `nbf`.
  const startSecs = Math.max(claims.nbf ?? 0, claims.iat ?? 0)
  const expiresAtMs = Math.min(claims.exp * 1000, timeMsMax)
  return {
    acceptedAtMs: startSecs * 1000 - policy.clockToleranceMs,
    expiresAtMs,
    refusedAtMs: expiresAtMs + policy.clockToleranceMs,
  }
}

/** Null when the claims are good at `nowMs`; else which refusal, and why. */
export function claimFault(
  claims: TokenClaims,
  times: TokenTimes,
  policy: ClaimPolicy,
  nowMs: number,
): { readonly code: 'token_invalid' | 'token_expired'; readonly detail: string } | null {
  if (!audienceFits(claims.aud, policy.audiences)) return { code: 'token_invalid', detail: 'The audience does not match' }
  // We cannot see the proof that binds a token to its holder (RFC 9449 §7.1, RFC 8705 §3), and without it the token is stolen goods.
  if (Object.hasOwn(claims, 'cnf')) return { code: 'token_invalid', detail: 'A token bound to a key is no bearer token' }
  if (nowMs >= times.refusedAtMs) return { code: 'token_expired', detail: 'The token has expired' }
  if (nowMs < times.acceptedAtMs) return { code: 'token_invalid', detail: 'The token is not valid yet' }
  return null
}

function audienceFits(aud: string | readonly string[] | undefined, wanted: readonly string[]): boolean {
  const given = aud === undefined ? [] : typeof aud === 'string' ? [aud] : aud
  return wanted.length === 0 ? given.length === 0 : given.some(one => wanted.includes(one))
}

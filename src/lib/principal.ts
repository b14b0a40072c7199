/** Who is asking; made once per request by http/authenticate.ts, and the only thing that rules see of a token. */

export type Claims = Readonly<Record<string, unknown>>

export interface Account {
  /** `_user.id`, 16 bytes. */
  readonly id: Uint8Array
  readonly isAdmin: boolean
}

export type Principal =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'user'
      /** The token's `sub`; empty when the token has none. */
      readonly subject: string
      readonly issuer: string
      readonly claims: Claims
      /** Milliseconds since the epoch at which the credential ends; live readers are cut then. null = never. */
      readonly expiresAtMs: number | null
      /** The user of this depot behind the credential; absent for a claim-only principal of a foreign issuer. */
      readonly account?: Account
      /** Whether the issuer withdrew the key that signed the credential; live readers are cut then, too. Absent: it never does. */
      readonly isRevoked?: () => boolean
    }
  /** The operator on the local control socket, and the server's own loops. Passes every rule. */
  | { readonly kind: 'admin'; readonly subject: string }

export const anonymous: Principal = { kind: 'anonymous' }
export const localAdmin: Principal = { kind: 'admin', subject: 'local' }

/** Milliseconds since the epoch at which `principal` ends, or null. */
export function expiryOf(principal: Principal): number | null {
  return principal.kind === 'user' ? principal.expiresAtMs : null
}

/** Tells whether the credential of `principal` was withdrawn; null when none ever is. */
export function revocationOf(principal: Principal): (() => boolean) | null {
  return principal.kind === 'user' ? (principal.isRevoked ?? null) : null
}

/** What rules see as `_USER_.id`: the id of the user in this depot, 16 bytes, or null. */
export function userIdOf(principal: Principal): Uint8Array | null {
  return principal.kind === 'user' ? (principal.account?.id ?? null) : null
}

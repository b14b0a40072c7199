/** Tokens of this server: made and checked here (trailbase-api.md §9.1). Tokens of other issuers are tokens.ts; who a user is, accounts/. */
import { sign, verify } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import type { Principal } from '../lib/principal.ts'
import { RecentMap } from '../lib/recent-map.ts'
import { tokenCharsMax } from './compact.ts'
import type { KeyPair } from './key-files.ts'
import { parseStrictObject } from './strict-json.ts'

/** Who made the token, for principals of this depot: its tokens name no issuer. */
export const ownIssuer = 'urn:headwater:depot'
/** How far the clocks of servers that share a key may be apart. */
export const leewayMs = 60_000
/** Most verified tokens that are remembered, and the sum of their lengths. */
export const ownTokensMax = 20_000
export const ownTokenCharsMax = 16 * 1024 * 1024
const accessType = 1
const pendingType = 2
/** Latest time that a Date can hold. */
const timeMsMax = 8_640_000_000_000_000

const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'EdDSA' })).toString('base64url')
const nullableText = Type.Union([Type.String(), Type.Null()])

const accessSchema = Type.Object({
  sub: Type.String(),
  iat: Type.Number(),
  exp: Type.Number({ exclusiveMinimum: 0 }),
  type: Type.Literal(accessType),
  admin: Type.Optional(Type.Boolean()),
  mfa: Type.Optional(Type.Boolean()),
  provider: Type.Number(),
  email: nullableText,
  username: nullableText,
  csrf_token: Type.String(),
})
const pendingSchema = Type.Object({
  sub: Type.String(),
  exp: Type.Number({ exclusiveMinimum: 0 }),
  type: Type.Literal(pendingType),
  method: Type.Literal('pw'),
})
const headerSchema = Type.Object({ typ: Type.Literal('JWT'), alg: Type.Literal('EdDSA') })

export type AccessClaims = Static<typeof accessSchema>
export type PendingClaims = Static<typeof pendingSchema>
export type OwnPrincipal = Extract<Principal, { kind: 'user' }> & { readonly claims: AccessClaims }

interface Verified {
  readonly principal: OwnPrincipal
  readonly expiresAtMs: number
}

export class OwnTokens {
  readonly #keys: KeyPair
  readonly #clock: Clock
  readonly #verified = new RecentMap<string, Verified>(ownTokensMax, ownTokenCharsMax)

  constructor(keys: KeyPair, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  /** An access token with exactly these claims. */
  mint(claims: AccessClaims): string {
    return this.#sign(claims)
  }

  /** Says that its bearer knew the password of `sub`; it opens nothing but the second step. */
  mintPending(sub: string, lifetimeSecs: number): string {
    return this.#sign({ sub, exp: Math.floor(this.#clock.now() / 1000) + lifetimeSecs, type: pendingType, method: 'pw' } satisfies PendingClaims)
  }

  /** The principal of an access token that was verified before and still counts; null when `verify` has to look. */
  peek(token: string): OwnPrincipal | null {
    const known = this.#verified.get(token)
    return known === undefined ? null : this.#current(known)
  }

  /** Whether `token` could be one of ours: those of other issuers name them. Believes nothing. */
  isOwn(token: string): boolean {
    const claims = token.length > tokenCharsMax ? null : decodeObject(token.split('.')[1])
    return claims !== null && !Object.hasOwn(claims, 'iss')
  }

  /** The principal of an access token. Takes about 0.1 ms. Refuses `token_invalid`, also for a token of another type, and `token_expired`. */
  verify(token: string): OwnPrincipal {
    const known = this.peek(token)
    if (known !== null) return known
    const claims = this.#checked(token)
    if (claims === null || !isAccess().Check(claims)) return fail('token_invalid', { detail: 'The token is not valid' })
    const id = userIdOfSubject(claims.sub)
    if (id === null) return fail('token_invalid', { detail: 'The token is not valid' })
    const expiresAtMs = Math.min(claims.exp * 1000, timeMsMax)
    const principal: OwnPrincipal = {
      kind: 'user', subject: claims.sub, issuer: ownIssuer, claims, expiresAtMs, account: { id, isAdmin: claims.admin === true },
    }
    const verified = { principal, expiresAtMs }
    const current = this.#current(verified)
    if (current === null) return fail('token_expired', {})
    this.#verified.set(token, verified, token.length)
    return current
  }

  /** The claims of a token between password and second step, or null for any other. */
  verifyPending(token: string): PendingClaims | null {
    const claims = this.#checked(token)
    return claims !== null && isPending().Check(claims) && this.#clock.now() < claims.exp * 1000 ? claims : null
  }

  /** Live readers end with the token; one that is used in the leeway after it lasts until that is over, or it would be cut at once (as tokens.ts). */
  #current({ principal, expiresAtMs }: Verified): OwnPrincipal | null {
    const nowMs = this.#clock.now()
    if (nowMs < expiresAtMs) return principal
    return nowMs < expiresAtMs + leewayMs ? { ...principal, expiresAtMs: expiresAtMs + leewayMs } : null
  }

  #sign(claims: object): string {
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
    return `${input}.${sign(null, Buffer.from(input), this.#keys.privateKey).toString('base64url')}`
  }

  /** The claims of a token that we signed, whatever they are; null for any other text. */
  #checked(token: string): Readonly<Record<string, unknown>> | null {
    if (token.length > tokenCharsMax) return null
    const [headerPart, claimsPart, signaturePart, ...more] = token.split('.')
    const found = decodeObject(headerPart)
    const claims = decodeObject(claimsPart)
    const signature = decodePart(signaturePart)
    if (more.length > 0 || claims === null || signature === null || !isHeader().Check(found) || Object.keys(found).length !== 2) return null
    const isGood = verify(null, Buffer.from(`${headerPart}.${claimsPart}`), this.#keys.publicKey, signature)
    return isGood && !Object.hasOwn(claims, 'iss') ? claims : null
  }
}

/** `sub` of a user: URL-safe base64 with padding. */
export function subjectOf(userId: Uint8Array): string {
  return userId.toBase64({ alphabet: 'base64url' })
}

/** The 16 bytes of a `sub`, in its one spelling; null for anything else. */
export function userIdOfSubject(subject: string): Uint8Array | null {
  const bytes = new Uint8Array(Buffer.from(subject, 'base64url'))
  return bytes.length === 16 && subjectOf(bytes) === subject ? bytes : null
}

const isAccess = lazily(() => Compile(accessSchema))
const isPending = lazily(() => Compile(pendingSchema))
const isHeader = lazily(() => Compile(headerSchema))

/** Null unless `part` is the one canonical spelling of its bytes (RFC 7515 §2, RFC 4648 §3.5). */
function decodePart(part: string | undefined): Buffer | null {
  const bytes = Buffer.from(part ?? '', 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === part ? bytes : null
}

function decodeObject(part: string | undefined): Readonly<Record<string, unknown>> | null {
  const bytes = decodePart(part)
  return bytes === null ? null : parseStrictObject(bytes)
}

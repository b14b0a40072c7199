/** Taking a compact JWS apart, strictly and without believing it. Signatures are checked in jwks.ts, claims in claims.ts. */
import { lazily } from '../lib/lazily.ts'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { parseStrictObject } from './strict-json.ts'

/** Longest token that is looked at, in characters. */
export const tokenCharsMax = 8 * 1024

const headerSchema = Type.Object({
  alg: Type.String(),
  kid: Type.Optional(Type.String()),
  typ: Type.Optional(Type.String()),
})

// Numbers are finite to typebox, so `1e999` is none.
const claimsSchema = Type.Object({
  iss: Type.String({ minLength: 1 }),
  sub: Type.Optional(Type.String()),
  aud: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  exp: Type.Number({ exclusiveMinimum: 0 }),
  nbf: Type.Optional(Type.Number()),
  iat: Type.Optional(Type.Number()),
})

export type TokenHeader = Static<typeof headerSchema>
export type TokenClaims = Static<typeof claimsSchema> & Readonly<Record<string, unknown>>

export interface CompactToken {
  readonly text: string
  readonly header: TokenHeader
  readonly claims: TokenClaims
}

/** The parts of `text`, or null when it is no token that this server could accept from any issuer. */
export function decodeCompact(text: string): CompactToken | null {
  if (text.length > tokenCharsMax) return null
  const parts = text.split('.')
  const [header, claims, signature] = parts.map(decodeBase64url)
  if (parts.length !== 3 || !header || !claims || !signature || signature.length === 0) return null
  const headerObject = parseStrictObject(header)
  const claimsObject = parseStrictObject(claims)
  if (headerObject === null || !headerCheck().Check(headerObject) || !isPlainHeader(headerObject)) return null
  if (claimsObject === null || !claimsCheck().Check(claimsObject)) return null
  return { text, header: headerObject, claims: claimsObject as TokenClaims }
}

const headerCheck = lazily(() => Compile(headerSchema))
const claimsCheck = lazily(() => Compile(claimsSchema))

/** Null unless `part` is the one canonical spelling of its bytes: a token has no second spelling (RFC 7515 §2, RFC 4648 §3.5). */
function decodeBase64url(part: string): Uint8Array | null {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : null
}

/**
 * `crit` names extensions that must be understood, and none is (RFC 7515 §4.1.11); `b64` and `zip` change what is signed;
 * `enc` is encryption. `jwk`, `jku`, `x5u` and `x5c` are ignored: keys come from the issuer's JWKS only.
 */
function isPlainHeader(header: object): boolean {
  const changing = ['crit', 'b64', 'zip', 'enc']
  return !changing.some(name => Object.hasOwn(header, name)) && isTokenType(Object.hasOwn(header, 'typ') ? (header as TokenHeader).typ : undefined)
}

/** Access and identity tokens. Proofs, logout notices and the like have types of their own and are no credentials (RFC 8725 §3.11). */
function isTokenType(typ: string | undefined): boolean {
  if (typ === undefined) return true
  const short = typ.toLowerCase().replace(/^application\//, '')
  return short === 'jwt' || short === 'at+jwt'
}

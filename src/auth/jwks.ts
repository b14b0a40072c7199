/** Keys from a JSON Web Key Set, and checking a signature with one. Where the set comes from is jwks-loaders.ts. */
import { lazily } from '../lib/lazily.ts'
import { compactVerify, importJWK, type CryptoKey } from 'jose'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { algorithm, sameAlgorithm, type AlgorithmName } from './algorithms.ts'

/** Most keys that are kept of one set; further ones are left out. */
export const keysPerSetMax = 128
/** Longest RSA modulus, so that a check stays below a millisecond. */
export const rsaBitsMax = 8192
const rsaBitsMin = 2048

const setCheck = lazily(() => Compile(Type.Object({ keys: Type.Array(Type.Unknown()) })))

const keySchema = Type.Object({
  kty: Type.String(),
  kid: Type.Optional(Type.String()),
  use: Type.Optional(Type.String()),
  key_ops: Type.Optional(Type.Array(Type.String())),
  alg: Type.Optional(Type.String()),
  crv: Type.Optional(Type.String()),
  n: Type.Optional(Type.String()),
  e: Type.Optional(Type.String()),
  x: Type.Optional(Type.String()),
  y: Type.Optional(Type.String()),
  k: Type.Optional(Type.String()),
})
const keyCheck = lazily(() => Compile(keySchema))

type Jwk = Static<typeof keySchema>

/** The members that a verifier needs. Private ones are dropped, wherever the set was found. */
type PublicJwk = { readonly kty: string; readonly [member: string]: string }

export interface ParsedKeys {
  readonly keys: readonly VerificationKey[]
  /** How many entries are no signature keys that we can use. */
  readonly skipped: number
}

/**
 * The usable keys in `text`, or null when it is no key set. Entries of unknown or unfit form are left out (RFC 7517 §5);
 * symmetric ones too unless `symmetric`.
 */
export function parseJwks(text: string, symmetric: boolean): ParsedKeys | null {
  const set = parseSet(text)
  if (set === null) return null
  const keys: VerificationKey[] = []
  for (const entry of set) {
    const key = keys.length < keysPerSetMax ? toKey(entry, symmetric) : null
    if (key !== null) keys.push(key)
  }
  return { keys, skipped: set.length - keys.length }
}

/** One key of an issuer. Lives as long as the issuer publishes it; `revoked` afterwards. */
export class VerificationKey {
  /** Equal for equal keys of two readings of a set. */
  readonly fingerprint: string
  readonly #jwk: Jwk
  readonly #members: PublicJwk
  readonly #imported = new Map<AlgorithmName, Promise<CryptoKey | Uint8Array>>()
  /** Set when a later reading of the set no longer has the key; what it verified then counts no more. */
  revoked = false

  constructor(jwk: Jwk, members: PublicJwk) {
    this.#jwk = jwk
    this.#members = members
    this.fingerprint = JSON.stringify([members, jwk.kid ?? null, jwk.alg ?? null])
  }

  /** True when the key may check `name` signatures of a token that names key `kid` (or none). */
  fits(name: AlgorithmName, kid: string | undefined): boolean {
    const wanted = algorithm(name)
    if (kid !== undefined && kid !== this.#jwk.kid) return false
    if (this.#jwk.alg !== undefined && !sameAlgorithm(this.#jwk.alg, name)) return false
    if (wanted.kty !== this.#jwk.kty || (wanted.crv !== undefined && wanted.crv !== this.#jwk.crv)) return false
    return byteLength(this.#members['k'] ?? '') >= (wanted.secretBytesMin ?? 0)
  }

  /** Whether the signature of `token` is this key's. Any failure is a no. */
  async verifies(token: string, name: AlgorithmName): Promise<boolean> {
    try {
      await compactVerify(token, await this.#import(name), { algorithms: [name] })
      return true
    } catch {
      return false
    }
  }

  #import(name: AlgorithmName): Promise<CryptoKey | Uint8Array> {
    const known = this.#imported.get(name)
    if (known !== undefined) return known
    const imported = importJWK(this.#members, name)
    this.#imported.set(name, imported)
    return imported
  }
}

function parseSet(text: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return setCheck().Check(value) ? value.keys : null
  } catch {
    return null
  }
}

function toKey(entry: unknown, symmetric: boolean): VerificationKey | null {
  if (!keyCheck().Check(entry)) return null
  const forSignatures = (entry.use ?? 'sig') === 'sig' && (entry.key_ops ?? ['verify']).includes('verify')
  const members = forSignatures ? publicMembers(entry, symmetric) : null
  return members === null ? null : new VerificationKey(entry, members)
}

function publicMembers(jwk: Jwk, symmetric: boolean): PublicJwk | null {
  const { kty, crv, n, e, x, y, k } = jwk
  if (kty === 'RSA' && n && e && isSoundRsa(n, e)) return { kty, n, e }
  if (kty === 'EC' && crv && x && y) return { kty, crv, x, y }
  if (kty === 'OKP' && crv === 'Ed25519' && x) return { kty, crv, x }
  if (kty === 'oct' && k && symmetric) return { kty, k }
  return null
}

/** Neither short enough to factor, nor long enough to burn time, nor with an exponent that makes signing trivial. */
function isSoundRsa(n: string, e: string): boolean {
  const bits = bitLength(Buffer.from(n, 'base64url'))
  const exponent = Buffer.from(e, 'base64url')
  const isSmall = exponent.length >= 1 && exponent.length <= 4
  return bits >= rsaBitsMin && bits <= rsaBitsMax && isSmall && exponent.readUIntBE(0, exponent.length) >= 3
}

function bitLength(bytes: Uint8Array): number {
  const first = bytes.findIndex(byte => byte !== 0)
  return first === -1 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24)
}

function byteLength(base64url: string): number {
  return Buffer.from(base64url, 'base64url').length
}

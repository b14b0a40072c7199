/** The Ed25519 keys that sign webhooks, and their public set (JWKS). Keeping them is store.ts. */
import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { keyOverlapMs } from './limits.ts'

export interface StoredKey {
  readonly kid: string
  /** Public part, base64url. */
  readonly x: string
  /** Private part (32 bytes, base64url); null once the key is retired. */
  readonly seed: string | null
  readonly createdAtMs: number
  readonly retiredAtMs: number | null
}

export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
  readonly x: string
}

/** The PKCS #8 frame of an Ed25519 private key (RFC 8410 §7); the 32 bytes of the key follow. */
const pkcs8Frame = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A key from 32 random bytes (base64url), named by the thumbprint of its public part (RFC 7638). */
export function makeKey(seed: string, nowMs: number): StoredKey {
  const x = createPublicKey(privateKey(seed)).export({ format: 'jwk' }).x ?? ''
  const thumbprint = createHash('sha256').update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x })).digest('base64url')
  return { kid: `ds_${thumbprint}`, x, seed, createdAtMs: nowMs, retiredAtMs: null }
}

/** The key as it is kept after rotation: published, unable to sign. */
export function retired(key: StoredKey, nowMs: number): StoredKey {
  return { ...key, seed: null, retiredAtMs: nowMs }
}

/** True when no delivery signed with `key` can still be inside a replay window. */
export function outlived(key: StoredKey, nowMs: number): boolean {
  return key.retiredAtMs !== null && nowMs >= key.retiredAtMs + keyOverlapMs
}

export class Signer {
  readonly #private: KeyObject
  constructor(
    readonly key: StoredKey,
    seed: string,
  ) {
    this.#private = privateKey(seed)
  }

  /** The value of `Webhook-Signature` over `<unix seconds>.<raw body>` (PROTOCOL.md §7.1). */
  header(body: string, nowMs: number): string {
    const time = Math.floor(nowMs / 1000)
    const signature = sign(null, Buffer.from(`${time}.${body}`), this.#private)
    return `t=${time},kid=${this.key.kid},ed25519=${signature.toString('base64url')}`
  }
}

export function publicJwk(key: StoredKey): PublicJwk {
  return { kty: 'OKP', crv: 'Ed25519', kid: key.kid, use: 'sig', alg: 'EdDSA', x: key.x }
}

function privateKey(seed: string): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Frame, Buffer.from(seed, 'base64url')]), format: 'der', type: 'pkcs8' })
}

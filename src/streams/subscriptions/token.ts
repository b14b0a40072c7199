/** Callback and claim tokens: signed (HMAC-SHA256), scoped to one subscription and generation, only ever in `Authorization`. */
import { lazily } from '../../lib/lazily.ts'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail } from '../../lib/errors.ts'

/** `uid` is the subscription's own random identity, so that a token does not outlive a deletion under the same id. */
export interface TokenScope {
  readonly uid: string
  readonly generation: number
}

const payloadCheck = lazily(() => Compile(Type.Object({ uid: Type.String(), generation: Type.Integer(), expires_ms: Type.Integer() })))
/** Far more than a token has; keeps the work on a hostile header small. */
const tokenCharsMax = 1_024

export function signToken(secret: Buffer, scope: TokenScope, expiresAtMs: number): string {
  const payload = { uid: scope.uid, generation: scope.generation, expires_ms: expiresAtMs }
  const text = Buffer.from(JSON.stringify(payload)).toString('base64url')
  return `${text}.${seal(secret, text).toString('base64url')}`
}

/** The generation for which `authorization` speaks. Refuses `token_invalid` (absent, forged, of another subscription), `token_expired`. */
export function verifyToken(secret: Buffer, authorization: string | null, uid: string, nowMs: number): number {
  const token = /^Bearer ([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/i.exec((authorization ?? '').slice(0, tokenCharsMax))
  const [, text = '', signature = ''] = token ?? []
  const given = Buffer.from(signature, 'base64url')
  const expected = seal(secret, text)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) fail('token_invalid', { detail: 'Send the token of this wake as a bearer token' })
  const payload: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
  if (!payloadCheck().Check(payload) || payload.uid !== uid) fail('token_invalid', { detail: 'The token belongs to another subscription' })
  if (nowMs >= payload.expires_ms) fail('token_expired', {})
  return payload.generation
}

function seal(secret: Buffer, text: string): Buffer {
  return createHmac('sha256', secret).update(`headwater-wake.${text}`).digest()
}

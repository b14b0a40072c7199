/** Tokens signed with node:crypto alone, from any header and payload text, so that tests do not share code with what they test. */
import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The public key as a member of a JWKS. */
  readonly jwk: Readonly<Record<string, unknown>>
}

export function makeKey(alg: string, kid: string, rsaBits = 2048): SigningKey {
  const { privateKey, publicKey } = makePair(alg, rsaBits)
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } }
}

/** A compact token; `header` and `payload` are used as they are when they are texts or bytes. */
export function makeToken(
  key: SigningKey,
  payload: object | string | Uint8Array,
  header: object | string = { alg: key.alg, kid: key.kid, typ: 'JWT' },
): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signBytes(key.alg, key.privateKey, input).toString('base64url')}`
}

export function makeHmacToken(alg: string, secret: string | Uint8Array, payload: object | string, header: object | string = { alg }): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac(hashOf(alg), secret).update(input).digest('base64url')}`
}

export function encode(part: object | string | Uint8Array): string {
  const bytes = part instanceof Uint8Array ? part : typeof part === 'string' ? part : JSON.stringify(part)
  return Buffer.from(bytes as string).toString('base64url')
}

export function signBytes(alg: string, privateKey: KeyObject, input: string): Buffer {
  const data = Buffer.from(input)
  if (alg.startsWith('Ed')) return sign(null, data, privateKey)
  if (alg.startsWith('ES')) return sign(hashOf(alg), data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const padding = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { padding: constants.RSA_PKCS1_PADDING }
  return sign(hashOf(alg), data, { key: privateKey, ...padding })
}

function hashOf(alg: string): string {
  return `sha${alg.slice(2)}`
}

function makePair(alg: string, modulusLength: number) {
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519')
  const curves: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
  const namedCurve = curves[alg]
  return namedCurve === undefined ? generateKeyPairSync('rsa', { modulusLength }) : generateKeyPairSync('ec', { namedCurve })
}

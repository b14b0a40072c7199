/** Tokens of this server: their form, how long they count, and those that must not. Tokens of other issuers are tokens.test.ts. */
import { expect, test } from 'bun:test'
import { createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { openKeyFiles } from '../../src/auth/key-files.ts'
import { OwnTokens, subjectOf, userIdOfSubject, type AccessClaims } from '../../src/auth/own-tokens.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { bestMs } from '../support/best-of.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { encode, makeHmacToken, makeKey, makeToken, type SigningKey } from '../support/signing.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-own-tokens-'))
const keys = openKeyFiles(directory, systemIds)
rmSync(directory, { recursive: true })
const own: SigningKey = { alg: 'EdDSA', kid: keys.jwk.kid, privateKey: keys.privateKey, publicKey: createPublicKey(keys.privateKey), jwk: { ...keys.jwk } }
const header = { typ: 'JWT', alg: 'EdDSA' }
const id = new Uint8Array(16).map((_, at) => at * 16 + 3)

function setting() {
  const clock = new ManualClock()
  const nowSecs = clock.now() / 1000
  const claims: AccessClaims = {
    sub: subjectOf(id), iat: nowSecs, exp: nowSecs + 3600, type: 1, provider: 0, email: 'a@example.com', username: null, csrf_token: 'x'.repeat(20),
  }
  return { clock, nowSecs, claims, tokens: new OwnTokens(keys, clock) }
}

function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
  return 'accepted'
}

test('a token has the header and claims of TrailBase, and others can verify it', async () => {
  const { clock, claims, tokens } = setting()
  const token = tokens.mint(claims)
  const [headerPart = '', claimsPart = ''] = token.split('.')
  expect(Buffer.from(headerPart, 'base64url').toString()).toBe('{"typ":"JWT","alg":"EdDSA"}')
  expect(JSON.parse(Buffer.from(claimsPart, 'base64url').toString())).toEqual(claims)
  const verified = await jwtVerify(token, own.publicKey, { currentDate: new Date(clock.now()), algorithms: ['EdDSA'] })
  expect(verified.payload.sub).toBe(subjectOf(id))
  expect(subjectOf(id)).toMatch(/^[A-Za-z0-9_-]{22}==$/)
  expect(userIdOfSubject(subjectOf(id))).toEqual(id)
})

test('its principal', () => {
  const { claims, tokens } = setting()
  const principal = tokens.verify(tokens.mint({ ...claims, admin: true }))
  expect(principal).toMatchObject({ kind: 'user', subject: claims.sub, issuer: 'urn:headwater:depot', expiresAtMs: claims.exp * 1000, account: { id, isAdmin: true } })
  expect(tokens.verify(tokens.mint(claims)).account?.isAdmin).toBe(false)
})

test('it counts until its end and for the leeway after it, verified before or not', () => {
  const { clock, claims, tokens } = setting()
  const token = tokens.mint(claims)
  expect(tokens.peek(token)).toBeNull()
  tokens.verify(token)
  expect(tokens.peek(token)?.subject).toBe(claims.sub)
  clock.advance(3600_000 + 59_999)
  expect(tokens.peek(token)?.expiresAtMs).toBe(claims.exp * 1000 + 60_000)
  expect(refusalOf(() => new OwnTokens(keys, clock).verify(token))).toBe('accepted')
  clock.advance(1)
  expect(tokens.peek(token)).toBeNull()
  expect(refusalOf(() => tokens.verify(token))).toBe('token_expired')
  expect(refusalOf(() => new OwnTokens(keys, clock).verify(token))).toBe('token_expired')
})

test('a token that was verified costs a look into a map', () => {
  const { claims, tokens } = setting()
  const token = tokens.mint(claims)
  tokens.verify(token)
  const microseconds = bestMs(20, () => {
    for (let at = 0; at < 1000; at++) tokens.peek(token)
  })
  expect(microseconds).toBeLessThan(15)
})

test('between password and second step', () => {
  const { clock, claims, tokens } = setting()
  const pending = tokens.mintPending(claims.sub, 120)
  expect(tokens.verifyPending(pending)).toEqual({ sub: claims.sub, exp: clock.now() / 1000 + 120, type: 2, method: 'pw' })
  expect(refusalOf(() => tokens.verify(pending))).toBe('token_invalid')
  expect(tokens.verifyPending(tokens.mint(claims))).toBeNull()
  clock.advance(120_000)
  expect(tokens.verifyPending(pending)).toBeNull()
})

test('what must not count', () => {
  const { nowSecs, claims, tokens } = setting()
  const good = makeToken(own, claims, header)
  expect(refusalOf(() => tokens.verify(good))).toBe('accepted')
  const [headerPart = '', claimsPart = '', signature = ''] = good.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const flipped = (at: number) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))).toString('base64url')
  const other = makeKey('EdDSA', own.kid)
  const publicPem = own.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))
  const vectors: Record<string, string> = {
    empty: '',
    'one dot': '.',
    'two dots': '..',
    'no signature': `${headerPart}.${claimsPart}.`,
    'no signature and no dot': `${headerPart}.${claimsPart}`,
    'four parts': `${good}.x`,
    truncated: good.slice(0, -1),
    'half a signature': `${headerPart}.${claimsPart}.${bytes.subarray(0, 32).toString('base64url')}`,
    'first bit': `${headerPart}.${claimsPart}.${flipped(0)}`,
    'last bit': `${headerPart}.${claimsPart}.${flipped(63)}`,
    'all zero': `${headerPart}.${claimsPart}.${Buffer.alloc(64).toString('base64url')}`,
    'with padding': `${good}==`,
    'other padding bits': `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
    'a blank': `${headerPart} .${claimsPart}.${signature}`,
    'other claims': `${headerPart}.${encode({ ...claims, admin: true })}.${signature}`,
    'another key': makeToken(other, claims, header),
    'alg none': `${encode({ typ: 'JWT', alg: 'none' })}.${claimsPart}.`,
    'alg none, signed': makeToken(own, claims, { typ: 'JWT', alg: 'none' }),
    'alg None': makeToken(own, claims, { typ: 'JWT', alg: 'None' }),
    'alg Ed25519': makeToken(own, claims, { typ: 'JWT', alg: 'Ed25519' }),
    'no alg': makeToken(own, claims, { typ: 'JWT' }),
    'HMAC of the public key': makeHmacToken('HS256', publicPem, claims, { typ: 'JWT', alg: 'HS256' }),
    'HMAC said to be EdDSA': makeHmacToken('HS256', publicPem, claims, header),
    'HMAC of the raw key': makeHmacToken('HS256', Buffer.from(keys.jwk.x, 'base64url'), claims, { typ: 'JWT', alg: 'HS256' }),
    ES256: makeToken(makeKey('ES256', 'k'), claims, { typ: 'JWT', alg: 'ES256' }),
    'a key of its own': makeToken(other, claims, { ...header, jwk: other.jwk }),
    'a key of ours in it': makeToken(own, claims, { ...header, jwk: other.jwk }),
    crit: makeToken(own, claims, { ...header, crit: ['x'], x: 1 }),
    b64: makeToken(own, claims, { ...header, b64: false, crit: ['b64'] }),
    'another typ': makeToken(own, claims, { typ: 'at+jwt', alg: 'EdDSA' }),
    'twice the same name': makeToken(own, `{"sub":"x",${JSON.stringify(claims).slice(1)}`, header),
    'twice alg': makeToken(own, claims, '{"typ":"JWT","alg":"none","alg":"EdDSA"}'),
    'not JSON': makeToken(own, 'no', header),
    'an array': makeToken(own, '[]', header),
    null: makeToken(own, 'null', header),
    'type 2': makeToken(own, { ...claims, type: 2 }, header),
    'type 3': makeToken(own, { sub: 'a@example.com', exp: nowSecs + 60, type: 3 }, header),
    'type as text': makeToken(own, { ...claims, type: '1' }, header),
    'no type': makeToken(own, without('type'), header),
    'no exp': makeToken(own, without('exp'), header),
    'exp as text': makeToken(own, { ...claims, exp: String(claims.exp) }, header),
    'exp beyond numbers': makeToken(own, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999'), header),
    'no sub': makeToken(own, without('sub'), header),
    'a short sub': makeToken(own, { ...claims, sub: subjectOf(id.subarray(1)) }, header),
    'sub without padding': makeToken(own, { ...claims, sub: claims.sub.slice(0, -2) }, header),
    'no csrf_token': makeToken(own, without('csrf_token'), header),
    'an issuer': makeToken(own, { ...claims, iss: 'https://id.example.com' }, header),
    long: makeToken(own, { ...claims, username: 'x'.repeat(8192) }, header),
    deep: makeToken(own, `{"x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, header),
  }
  const accepted = Object.entries(vectors).filter(([, token]) => refusalOf(() => tokens.verify(token)) !== 'token_invalid').map(([name]) => name)
  expect(accepted).toEqual([])
  expect(Object.entries(vectors).filter(([, token]) => tokens.verifyPending(token) !== null).map(([name]) => name)).toEqual([])
  expect(refusalOf(() => tokens.verify(makeToken(own, { ...claims, exp: nowSecs - 60 }, header)))).toBe('token_expired')
})

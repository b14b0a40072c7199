/** Forged, altered and misused tokens against a verifier that takes every algorithm: none may be accepted, none may be an error of ours. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { makeKey, makeToken } from '../support/signing.ts'
import { attackVectors, type Setting } from './attack-vectors.ts'

const issuer = 'https://id.example.test'
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const setting: Setting = makeSetting()
const provider = new IdentityProvider(published(setting))
const verifier = new TokenVerifier([{ name: 'id', issuer, audiences: ['streams'], jwksUrl: provider.url, algorithms: [], clockToleranceSecs: 5 }], {
  clock: systemClock,
  log: silentLog,
  fetch,
})

beforeAll(() => verifier.start())
afterAll(() => {
  verifier.stop()
  return provider.stop()
})

describe('tokens that are good', () => {
  for (const key of setting.keys) {
    test(`${key.alg}`, async () => {
      expect(await verifier.verify(makeToken(key, setting.claims))).toMatchObject({ kind: 'user', subject: 'user', issuer })
      expect(await verifier.verify(makeToken(key, setting.claims, { alg: key.alg, kid: key.kid }))).toMatchObject({ subject: 'user' })
    })
  }

  test('variants that are allowed', async () => {
    const [key = makeKey('ES256', 'none')] = setting.keys
    const { sub: _, ...anonymousClaims } = setting.claims
    const good = [
      makeToken(key, setting.claims, { alg: key.alg }),
      makeToken(key, setting.claims, { alg: key.alg, kid: key.kid, typ: 'at+jwt' }),
      makeToken(key, setting.claims, { alg: key.alg, kid: key.kid, typ: 'application/at+JWT' }),
      makeToken(key, setting.claims, { alg: key.alg, kid: key.kid, jku: 'https://attacker.test', jwk: { kty: 'oct' } }),
      makeToken(key, { ...setting.claims, aud: ['other', 'streams'] }),
      makeToken(key, { ...setting.claims, nested: { a: [{ b: 'c' }, '{"a":1,"a":2}'] } }),
      makeToken(key, anonymousClaims),
    ]
    for (const token of good) expect(await verifier.verify(token)).toMatchObject({ kind: 'user', issuer })
  })
})

test('no forged, altered or misused token is accepted', async () => {
  const vectors = attackVectors(setting)
  const distinct = new Set(vectors.map(vector => vector.token))
  const codes = new Map<string, number>()
  const wrong: string[] = []
  for (const { name, token } of vectors) {
    const outcome = await outcomeOf(token)
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
    const peeked = verifier.peek(token) !== null
    if (peeked || !['token_invalid', 'token_expired'].includes(outcome)) wrong.push(`${name}: ${outcome}`)
  }
  console.log(`${vectors.length} attack vectors, ${distinct.size} distinct tokens: ${JSON.stringify(Object.fromEntries(codes))}`)
  expect(wrong).toEqual([])
  expect(distinct.size).toBeGreaterThanOrEqual(200)
  // However many unknown keys were named: once at the start and once for the first of them.
  expect(provider.fetches).toBeLessThanOrEqual(2)
})

async function outcomeOf(token: string): Promise<string> {
  try {
    await verifier.verify(token)
    return 'ACCEPTED'
  } catch (error) {
    return error instanceof Refusal ? error.code : `ERROR ${String(error)}`
  }
}

function makeSetting(): Setting {
  const weak = makeKey('RS256', 'weak-rsa', 1024)
  const encryption = makeKey('ES256', 'for-encryption')
  const signingOnly = makeKey('ES256', 'no-verify-operation')
  const otherAlgorithm = makeKey('ES256', 'said-for-another-algorithm')
  const nowSecs = Math.floor(Date.now() / 1000)
  return {
    keys: algorithms.map(alg => makeKey(alg, `key-${alg}`)),
    attackers: algorithms.map(alg => makeKey(alg, `attacker-${alg}`)),
    unfit: [
      weak,
      { ...encryption, jwk: { ...encryption.jwk, use: 'enc' } },
      { ...signingOnly, jwk: { ...signingOnly.jwk, key_ops: ['sign'] } },
      { ...otherAlgorithm, jwk: { ...otherAlgorithm.jwk, alg: 'ES384' } },
    ],
    secret: new TextEncoder().encode('a symmetric key that somebody published by mistake, long enough for HS512'),
    claims: { iss: issuer, aud: 'streams', sub: 'user', iat: nowSecs, exp: nowSecs + 3_600 },
  }
}

function published({ keys, unfit, secret }: Setting): object[] {
  const symmetric = { kty: 'oct', kid: 'published-secret', k: Buffer.from(secret).toString('base64url') }
  const withoutName = { kty: 'oct', k: Buffer.from('').toString('base64url') }
  return [...unfit.map(key => key.jwk), symmetric, withoutName, { kty: 'unknown' }, 'not a key', ...keys.map(key => key.jwk)] as object[]
}

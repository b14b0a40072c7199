/** Verified tokens over time: cached, expiring, refused; and what the cache costs. */
import { describe, expect, test } from 'bun:test'
import { TokenVerifier, verificationsInFlightMax } from '../../src/auth/tokens.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { expiryOf } from '../../src/lib/principal.ts'
import { bestMs } from '../support/best-of.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { makeKey, makeToken } from '../support/signing.ts'
import { cleanAfter, issuerConfig, issuer, makeVerifier, outcomeOf } from './verifier-setting.ts'

const key = makeKey('ES256', 'k1')

describe('a verified token', () => {
  test('is answered at once the next time, with the same principal', async () => {
    const { verifier, provider, claims } = makeVerifier()
    provider.publish([key.jwk])
    const token = makeToken(key, claims({ role: 'editor' }))
    expect(verifier.peek(token)).toBeNull()
    const principal = await verifier.verify(token)
    expect(principal).toMatchObject({ kind: 'user', subject: 'user', issuer, claims: { role: 'editor' } })
    expect(verifier.peek(token)).toBe(principal)
    expect(await verifier.verify(token)).toBe(principal)
  })

  test('of many requests at once is checked once, and its keys are fetched once', async () => {
    const { verifier, provider, metrics, claims } = makeVerifier()
    provider.publish([key.jwk])
    const token = makeToken(key, claims())
    const principals = await Promise.all(Array.from({ length: 200 }, () => verifier.verify(token)))
    expect(new Set(principals).size).toBe(1)
    expect(provider.fetches).toBe(1)
    expect(metrics.render()).toContain('headwater_auth_events_total{type="token",result="accepted"} 1')
  })

  test('costs at most 5 µs when it is known', async () => {
    const provider = new IdentityProvider([key.jwk])
    cleanAfter(() => provider.stop())
    const verifier = new TokenVerifier([issuerConfig({ jwksUrl: provider.url })], { clock: systemClock, log: silentLog, fetch })
    const token = makeToken(key, { iss: issuer, aud: 'streams', exp: Date.now() / 1000 + 60, filler: 'x'.repeat(600) })
    await verifier.verify(token)
    // A fresh text each time, as each request brings one.
    const texts = Array.from({ length: 20_000 }, () => Buffer.from(token).toString('latin1'))
    let at = 0
    const microseconds = bestMs(20, () => {
      for (const end = at + 1000; at < end; at++) if (verifier.peek(texts[at] ?? '') === null) throw new Error('forgotten')
    })
    console.log(`a known token costs ${microseconds.toFixed(2)} µs`)
    expect(microseconds).toBeLessThan(5)
  })

  test('ends at its expiry, in the cache too', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([key.jwk])
    const token = makeToken(key, claims({ exp: clock.now() / 1000 + 10 }))
    const principal = await verifier.verify(token)
    expect(expiryOf(principal)).toBe(clock.now() + 10_000)
    clock.advance(9_999)
    expect(verifier.peek(token)).toBe(principal)
    clock.advance(1)
    expect(verifier.peek(token)).toBeNull()
    expect(await outcomeOf(verifier, token)).toBe('token_expired')
  })

  test('is taken within the tolerance after its expiry, and then lasts until the tolerance ends', async () => {
    const { verifier, provider, clock, claims } = makeVerifier({ clockToleranceSecs: 5 })
    provider.publish([key.jwk])
    const endMs = clock.now() + 10_000
    const token = makeToken(key, claims({ exp: endMs / 1000 }))
    expect(expiryOf(await verifier.verify(token))).toBe(endMs)
    clock.advance(12_000)
    expect(expiryOf(await verifier.verify(token))).toBe(endMs + 5_000)
    clock.advance(3_000)
    expect(await outcomeOf(verifier, token)).toBe('token_expired')
  })

  for (const claim of ['nbf', 'iat']) {
    test(`does not count before its ${claim}, but for the tolerance`, async () => {
      const { verifier, provider, clock, claims } = makeVerifier({ clockToleranceSecs: 5 })
      provider.publish([key.jwk])
      const token = makeToken(key, claims({ [claim]: clock.now() / 1000 + 20 }))
      expect(await outcomeOf(verifier, token)).toBe('token_invalid')
      clock.advance(14_999)
      expect(await outcomeOf(verifier, token)).toBe('token_invalid')
      clock.advance(1)
      expect(await outcomeOf(verifier, token)).toBe('user')
    })
  }

  test('may expire in the far future', async () => {
    const { verifier, provider, claims } = makeVerifier()
    provider.publish([key.jwk])
    const principal = await verifier.verify(makeToken(key, claims({ exp: 1e300 })))
    expect(Number.isFinite(new Date(expiryOf(principal) ?? NaN).getTime())).toBe(true)
  })
})

describe('a refused token', () => {
  test('is not checked again for a while', async () => {
    const { verifier, provider, metrics, claims } = makeVerifier()
    provider.publish([key.jwk])
    const forged = makeToken({ ...makeKey('ES256', 'k1') }, claims())
    for (let i = 0; i < 20; i++) expect(await outcomeOf(verifier, forged)).toBe('token_invalid')
    expect(provider.fetches).toBe(1)
    expect(metrics.render()).toContain('headwater_auth_events_total{type="token",result="token_invalid"} 20')
  })

  test('says in words why, without repeating the token', async () => {
    const { verifier, provider, claims } = makeVerifier()
    provider.publish([key.jwk])
    const token = makeToken(key, claims({ aud: 'other' }))
    const error: unknown = await verifier.verify(token).catch((refusal: unknown) => refusal)
    expect(error).toMatchObject({ code: 'token_invalid', details: { detail: 'The audience does not match' } })
    expect(String(error)).not.toContain(token.slice(0, 20))
  })

  test('costs no waiting in line: checks at a time are bounded', async () => {
    const { verifier, provider, claims } = makeVerifier()
    let release = () => {}
    const held = new Promise<void>(resolve => (release = resolve))
    provider.respond = async () => {
      await held
      return Response.json({ keys: [key.jwk] })
    }
    const waiting = Array.from({ length: verificationsInFlightMax }, (_, i) => verifier.verify(makeToken(key, claims({ jti: `${i}` }))))
    expect(await outcomeOf(verifier, makeToken(key, claims({ jti: 'one more' })))).toBe('overloaded')
    release()
    expect((await Promise.all(waiting)).every(principal => principal.kind === 'user')).toBe(true)
    expect(await outcomeOf(verifier, makeToken(key, claims({ jti: 'one more' })))).toBe('user')
  })
})

describe('audiences', () => {
  test('without any configured, a token that is meant for somebody is refused', async () => {
    const { verifier, provider, claims } = makeVerifier({ audiences: [] })
    provider.publish([key.jwk])
    expect(await outcomeOf(verifier, makeToken(key, claims({ aud: undefined })))).toBe('user')
    expect(await outcomeOf(verifier, makeToken(key, claims({ aud: 'streams' })))).toBe('token_invalid')
  })
})

test('each issuer has its own keys, audiences and algorithms', async () => {
  const providers = [new IdentityProvider([key.jwk]), new IdentityProvider([makeKey('ES256', 'k1').jwk])]
  for (const provider of providers) cleanAfter(() => provider.stop())
  const [first, second] = providers.map(provider => provider.url)
  const configs = [
    issuerConfig({ name: 'a', issuer: 'https://a.test', audiences: ['a'], jwksUrl: first }),
    issuerConfig({ name: 'b', issuer: 'https://b.test', audiences: ['b'], jwksUrl: second }),
    issuerConfig({ name: 'c', issuer: 'https://c.test', audiences: ['a'], jwksUrl: first, algorithms: ['ES384'] }),
  ]
  const verifier = new TokenVerifier(configs, { clock: systemClock, log: silentLog, fetch })
  const claims = { sub: 'user', exp: Date.now() / 1000 + 60 }
  expect(await outcomeOf(verifier, makeToken(key, { ...claims, iss: 'https://a.test', aud: 'a' }))).toBe('user')
  expect(await outcomeOf(verifier, makeToken(key, { ...claims, iss: 'https://b.test', aud: 'b' }))).toBe('token_invalid')
  expect(await outcomeOf(verifier, makeToken(key, { ...claims, iss: 'https://a.test', aud: 'b' }))).toBe('token_invalid')
  expect(await outcomeOf(verifier, makeToken(key, { ...claims, iss: 'https://c.test', aud: 'a' }))).toBe('token_invalid')
})

/** Keys over time: rotation, revocation, floods of unknown keys, and providers that are down or ill. */
import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jwksBytesMax, jwksFetchMsMax } from '../../src/auth/jwks-loaders.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { makeHmacToken, makeKey, makeToken } from '../support/signing.ts'
import { cleanAfter, eventually, issuer, makeVerifier, outcomeOf } from './verifier-setting.ts'

const first = makeKey('ES256', 'first')
const second = makeKey('EdDSA', 'second')
const hourMs = 3_600_000

describe('rotation', () => {
  test('a new key is honoured when a token names it, without a restart', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    provider.publish([first.jwk, second.jwk])
    const token = makeToken(second, claims())
    // The provider was asked just now; it is asked again 30 s later at the latest, though the token was refused meanwhile.
    expect(await outcomeOf(verifier, token)).toBe('token_invalid')
    clock.advance(30_000)
    expect(await outcomeOf(verifier, token)).toBe('user')
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    expect(provider.fetches).toBe(2)
  })

  test('a token refused before its key was read counts as soon as it is', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    await verifier.start()
    await eventually(() => provider.fetches === 1)
    clock.advance(230_000)
    expect(await outcomeOf(verifier, makeToken(second, claims()))).toBe('token_invalid')
    expect(provider.fetches).toBe(2)
    provider.publish([first.jwk, second.jwk])
    // Refused within the pause, and remembered for 30 s; then another unknown key brings the new set.
    clock.advance(15_000)
    const token = makeToken(second, claims())
    expect(await outcomeOf(verifier, token)).toBe('token_invalid')
    clock.advance(15_000)
    expect(await outcomeOf(verifier, makeToken(makeKey('ES256', 'third'), claims()))).toBe('token_invalid')
    expect(await outcomeOf(verifier, token)).toBe('user')
    expect(provider.fetches).toBe(3)
  })

  test('a key that changes under its name, or has none, is noticed too', async () => {
    for (const header of [{ alg: 'ES256', kid: 'first' }, { alg: 'ES256' }]) {
      const { verifier, provider, clock, claims } = makeVerifier()
      const next = makeKey('ES256', 'first')
      const publish = (key: typeof first) => provider.publish([{ ...key.jwk, kid: 'kid' in header ? header.kid : undefined }])
      publish(first)
      expect(await outcomeOf(verifier, makeToken(first, claims(), header))).toBe('user')
      publish(next)
      clock.advance(30_000)
      expect(await outcomeOf(verifier, makeToken(next, claims(), header))).toBe('user')
      expect(await outcomeOf(verifier, makeToken(first, claims(), header))).toBe('token_invalid')
    }
  })

  test('a key that is gone stops counting within 5 minutes, for tokens verified before as well', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk, second.jwk])
    await verifier.start()
    const revoked = makeToken(first, claims())
    const kept = makeToken(second, claims())
    expect(await outcomeOf(verifier, revoked)).toBe('user')
    const principal = await verifier.verify(kept)
    provider.publish([second.jwk])
    for (let passedMs = 0; passedMs < 300_000; passedMs += 30_000) {
      clock.advance(30_000)
      await Bun.sleep(5)
    }
    await eventually(() => verifier.peek(revoked) === null)
    expect(await outcomeOf(verifier, revoked)).toBe('token_invalid')
    // Whose key stayed was not verified again.
    expect(verifier.peek(kept)).toBe(principal)
  })

  test('all keys can be revoked', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    const token = makeToken(first, claims())
    expect(await outcomeOf(verifier, token)).toBe('user')
    provider.publish([])
    clock.advance(30_000)
    expect(await outcomeOf(verifier, makeToken(second, claims()))).toBe('token_invalid')
    expect(await outcomeOf(verifier, token)).toBe('token_invalid')
  })
})

describe('a flood', () => {
  test('of unknown keys costs one fetch in 30 s, and known keys go on', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    const good = makeToken(first, claims())
    expect(await outcomeOf(verifier, good)).toBe('user')
    for (let round = 0; round < 4; round++) {
      const flood = Array.from({ length: 250 }, (_, i) => makeToken(second, claims({ jti: `${round}-${i}` }), { alg: 'EdDSA', kid: `unknown-${round}-${i}` }))
      const outcomes = await Promise.all(flood.map(token => outcomeOf(verifier, token)))
      expect(new Set(outcomes)).toEqual(new Set(['token_invalid']))
      expect(await outcomeOf(verifier, good)).toBe('user')
      clock.advance(15_000)
    }
    // At 0 s for the first token, then at 30 s: the flood of 0, 15, 30 and 45 s asked in two windows.
    expect(provider.fetches).toBe(2)
  })

  test('while the provider was never reachable asks with growing pauses', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.fail()
    for (let secs = 0; secs < 60; secs++) {
      const outcomes = await Promise.all(Array.from({ length: 5 }, (_, i) => outcomeOf(verifier, makeToken(first, claims({ jti: `${secs}-${i}` })))))
      expect(new Set(outcomes)).toEqual(new Set(['identity_unavailable']))
      clock.advance(1_000)
    }
    // At 0, 1, 3, 7, 15, 31 s.
    expect(provider.fetches).toBe(6)
  })
})

describe('a provider that is down', () => {
  test('does not take known keys down for 24 hours', async () => {
    const { verifier, provider, clock, lines, claims } = makeVerifier()
    provider.publish([first.jwk])
    await verifier.start()
    await eventually(() => lines.some(line => line.level === 'info'))
    await provider.stop()
    const long = makeToken(first, claims({ exp: clock.now() / 1000 + 100 * 3_600 }))
    expect(await outcomeOf(verifier, long)).toBe('user')
    clock.advance(23 * hourMs)
    expect(verifier.peek(long)).not.toBeNull()
    // A token not seen before, signed by the known key.
    expect(await outcomeOf(verifier, makeToken(first, claims({ sub: 'late' })))).toBe('late')
    await eventually(() => lines.some(line => line.level === 'warn'))
    clock.advance(hourMs + 1)
    expect(verifier.peek(long)).toBeNull()
    expect(await outcomeOf(verifier, long)).toBe('identity_unavailable')
  })

  test('is said so when a token names a key that could not be looked up', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    provider.fail()
    clock.advance(30_000)
    const token = makeToken(second, claims())
    expect(await outcomeOf(verifier, token)).toBe('identity_unavailable')
    // A forgery under a known key's name is a forgery, whoever is down.
    expect(await outcomeOf(verifier, makeToken(makeKey('ES256', 'first'), claims()))).toBe('token_invalid')
    provider.publish([first.jwk, second.jwk])
    clock.advance(30_000)
    expect(await outcomeOf(verifier, token)).toBe('user')
  })

  test('does not keep the server from starting, and is asked again', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.fail()
    await verifier.start()
    await eventually(() => provider.fetches === 1)
    provider.publish([first.jwk])
    await Bun.sleep(20)
    clock.advance(30_000)
    await eventually(() => provider.fetches === 2)
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    verifier.stop()
    expect(clock.pending).toBe(0)
  })

  test('never answering is given up after the fetch limit', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.respond = () => new Promise(() => {})
    const outcome = outcomeOf(verifier, makeToken(first, claims()))
    await eventually(() => provider.fetches === 1)
    clock.advance(jwksFetchMsMax)
    expect(await outcome).toBe('identity_unavailable')
  })
})

describe('an answer that is refused', () => {
  const target = new IdentityProvider([first.jwk])
  const ill: Record<string, () => Response> = {
    'a redirect to a metadata address': () => Response.redirect('http://169.254.169.254/latest/meta-data/', 302),
    'a redirect to another server': () => Response.redirect(target.url, 307),
    'a permanent redirect': () => Response.redirect(target.url, 308),
    'keys with status 404': () => Response.json({ keys: [first.jwk] }, { status: 404 }),
    'keys with status 206': () => Response.json({ keys: [first.jwk] }, { status: 206 }),
    'a page': () => new Response('<html>sign in</html>', { headers: { 'Content-Type': 'text/html' } }),
    'a list': () => Response.json([first.jwk]),
    'an object without keys': () => Response.json({ jwks: [first.jwk] }),
    'keys that are no list': () => Response.json({ keys: { 0: first.jwk } }),
    'nothing': () => new Response(''),
    'half of it': () => new Response(JSON.stringify({ keys: [first.jwk] }).slice(0, -10)),
    'more bytes than allowed': () => Response.json({ keys: [first.jwk], filler: 'x'.repeat(jwksBytesMax) }),
    'without end': () => new Response(endless()),
    'compressed against our wish': () => new Response(Bun.gzipSync(JSON.stringify({ keys: [first.jwk] })), { headers: { 'Content-Encoding': 'gzip' } }),
  }
  for (const [name, respond] of Object.entries(ill)) {
    test(name, async () => {
      const { verifier, provider, lines, claims } = makeVerifier()
      provider.respond = respond
      expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('identity_unavailable')
      expect(provider.fetches).toBe(1)
      expect(target.fetches).toBe(0)
      expect(lines.filter(line => line.level === 'warn')).toHaveLength(1)
    })
  }

  test('leaves the keys of the last good one', async () => {
    const { verifier, provider, clock, claims } = makeVerifier()
    provider.publish([first.jwk])
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    for (const respond of Object.values(ill)) {
      provider.respond = respond
      clock.advance(30_000)
      await outcomeOf(verifier, makeToken(second, claims({ jti: String(clock.now()) })))
      expect(await outcomeOf(verifier, makeToken(first, claims({ jti: String(clock.now()) })))).toBe('user')
    }
    await target.stop()
  })
})

describe('a key set', () => {
  test('of very many keys is read up to a limit', async () => {
    const { verifier, provider, claims } = makeVerifier()
    const filler = Array.from({ length: 1_000 }, (_, i) => ({ ...second.jwk, kid: `filler-${i}` }))
    provider.publish([first.jwk, ...filler, { ...second.jwk, kid: 'second' }])
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    expect(await outcomeOf(verifier, makeToken(second, claims()))).toBe('token_invalid')
  })

  test('with parts that we do not know is read without them', async () => {
    const { verifier, provider, claims } = makeVerifier()
    const odd = [null, 1, 'key', {}, { kty: 'EC' }, { kty: 'RSA', n: '', e: '' }, { kty: 'RSA', n: first.jwk['x'], e: 'AQAB' }, { ...first.jwk, kid: 7 }, { kty: 'AKP', alg: 'ML-DSA-44' }]
    provider.publish([...(odd as object[]), { ...first.jwk, x5c: ['?'], extra: { a: 1 } }])
    expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
  })

  test('with an RSA exponent that makes signing trivial is not used', async () => {
    const { verifier, provider, claims } = makeVerifier()
    const rsa = makeKey('RS256', 'rsa')
    const modulus = Buffer.from(String(rsa.jwk['n']), 'base64url')
    for (const e of ['AQ', 'AA', '']) {
      provider.publish([{ ...rsa.jwk, e }])
      const [header, payload] = makeToken(rsa, claims({ jti: e })).split('.')
      expect(await outcomeOf(verifier, `${header}.${payload}.${paddedDigest(`${header}.${payload}`, modulus.length)}`)).toBe('token_invalid')
    }
  })
})

describe('a key file', () => {
  async function fileWith(text: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'headwater-jwks-'))
    cleanAfter(() => rm(folder, { recursive: true }))
    const path = join(folder, 'jwks.json')
    await writeFile(path, text)
    return path
  }
  const setOf = (...keys: readonly object[]) => JSON.stringify({ keys })

  test('is read, and read again when it changes', async () => {
    const path = await fileWith(setOf(first.jwk))
    const { verifier, clock, claims } = makeVerifier({ jwksPath: path })
    await verifier.start()
    const token = makeToken(first, claims())
    expect(await outcomeOf(verifier, token)).toBe('user')
    await writeFile(path, setOf(second.jwk))
    // A token that names the new key brings it at once (after the pause of a second), and ends the old one.
    clock.advance(1_000)
    expect(await outcomeOf(verifier, makeToken(second, claims()))).toBe('user')
    expect(await outcomeOf(verifier, token)).toBe('token_invalid')
    await writeFile(path, setOf(first.jwk))
    clock.advance(10_000)
    await eventually(async () => (await outcomeOf(verifier, makeToken(second, claims()))) === 'token_invalid')
  })

  test('that is spoilt later leaves the keys as they were', async () => {
    const path = await fileWith(setOf(first.jwk))
    const { verifier, clock, lines, claims } = makeVerifier({ jwksPath: path })
    await verifier.start()
    for (const spoil of [() => writeFile(path, '{"keys":['), () => rm(path)]) {
      await spoil()
      const before = lines.length
      clock.advance(10_000)
      await eventually(() => lines.length > before)
      clock.advance(48 * hourMs)
      expect(await outcomeOf(verifier, makeToken(first, claims()))).toBe('user')
    }
  })

  for (const [name, text] of Object.entries({ 'no JSON': 'keys', 'another object': '{}', 'too long': `{"keys":[],"x":"${'x'.repeat(jwksBytesMax)}"}` })) {
    test(`with ${name} is an operator's mistake at the start`, async () => {
      const { verifier, clock } = makeVerifier({ jwksPath: await fileWith(text) })
      await expect(verifier.start()).rejects.toMatchObject({ name: 'OperatorError', exitCode: 78 })
      expect(clock.pending).toBe(0)
    })
  }

  test('that is missing is one too', async () => {
    const { verifier } = makeVerifier({ jwksPath: join(tmpdir(), 'headwater-no-such-file.json') })
    await expect(verifier.start()).rejects.toMatchObject({ name: 'OperatorError', exitCode: 78 })
  })

  test('may hold a symmetric key, which only counts when its algorithm is listed and it is long enough', async () => {
    const rsa = makeKey('RS256', 'rsa')
    const secret = 'a secret of at least thirty-two bytes'
    const secretJwk = { kty: 'oct', kid: 'secret', k: Buffer.from(secret).toString('base64url') }
    const shortJwk = { kty: 'oct', kid: 'short', k: Buffer.from('short').toString('base64url') }
    const path = await fileWith(setOf(secretJwk, shortJwk, rsa.jwk))
    const { verifier, claims } = makeVerifier({ jwksPath: path, algorithms: ['HS256', 'HS512', 'RS256'] })
    const hmac = (alg: string, kid: string, by: string | Uint8Array) => outcomeOf(verifier, makeHmacToken(alg, by, claims(), { alg, kid }))
    expect(await hmac('HS256', 'secret', secret)).toBe('user')
    expect(await hmac('HS256', 'short', 'short')).toBe('token_invalid')
    expect(await hmac('HS512', 'secret', secret)).toBe('token_invalid')
    expect(await hmac('HS256', 'rsa', rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString())).toBe('token_invalid')
    expect(await hmac('HS256', 'rsa', rsa.publicKey.export({ type: 'spki', format: 'der' }))).toBe('token_invalid')
    expect(await outcomeOf(verifier, makeToken(rsa, claims()))).toBe('user')
    const unlisted = makeVerifier({ jwksPath: path })
    expect(await outcomeOf(unlisted.verifier, makeHmacToken('HS256', secret, unlisted.claims(), { alg: 'HS256', kid: 'secret' }))).toBe('token_invalid')
  })

  test('with private keys is used for its public halves', async () => {
    const jwk = { ...first.privateKey.export({ format: 'jwk' }), kid: 'first', key_ops: ['sign', 'verify'] }
    const { verifier, claims } = makeVerifier({ jwksPath: await fileWith(setOf(jwk)) })
    expect(await outcomeOf(verifier, makeToken(first, claims({ iss: issuer })))).toBe('user')
  })
})

/** What a signature by an exponent of 1 would be: the padded message itself (RFC 8017 §9.2). */
function paddedDigest(input: string, length: number): string {
  const digest = new Bun.CryptoHasher('sha256').update(input).digest()
  const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), digest])
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(length - info.length - 3, 255), Buffer.from([0]), info]).toString('base64url')
}

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(64 * 1024).fill(32)) })
}

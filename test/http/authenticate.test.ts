/** The Authorization header over a real socket, and what it costs. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { createAuthenticator } from '../../src/http/authenticate.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { bestMs } from '../support/best-of.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { makeKey, makeToken } from '../support/signing.ts'

const key = makeKey('ES256', 'k1')
const provider = new IdentityProvider([key.jwk])
const issuer = 'https://id.example.test'
const config = { name: 'id', issuer, audiences: ['streams'], jwksUrl: provider.url, algorithms: [], clockToleranceSecs: 0 }
const verifier = new TokenVerifier([config], { clock: systemClock, log: silentLog, fetch })
const token = makeToken(key, { iss: issuer, aud: 'streams', sub: 'user', exp: Date.now() / 1000 + 600 })

/** Answers with who asked, or the refusal's code. */
function serve(authenticate: ReturnType<typeof createAuthenticator>) {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    development: false,
    fetch: async request => {
      try {
        const principal = await authenticate(request)
        return new Response(principal.kind === 'user' ? principal.subject : principal.kind)
      } catch (error) {
        return new Response(error instanceof Refusal ? error.code : String(error))
      }
    },
  })
}

const guarded = serve(createAuthenticator(verifier))
const agnostic = serve(createAuthenticator(null))
beforeAll(() => verifier.start())
afterAll(async () => {
  verifier.stop()
  await Promise.all([guarded.stop(true), agnostic.stop(true), provider.stop()])
})

const whoAmI = async (server: typeof guarded, authorization?: string) =>
  (await fetch(server.url, authorization === undefined ? {} : { headers: { Authorization: authorization } })).text()

describe('with an issuer', () => {
  const cases: Readonly<Record<string, string>> = {
    [`Bearer ${token}`]: 'user',
    [`bearer ${token}`]: 'user',
    [`BEARER ${token}`]: 'user',
    [`Bearer   ${token}`]: 'user',
    'Bearer': 'token_invalid',
    'Bearer x': 'token_invalid',
    [`Bearer ${token}, Bearer ${token}`]: 'token_invalid',
    [`Bearer ${token} ${token}`]: 'token_invalid',
    [`Bearer "${token}"`]: 'token_invalid',
    [`Bearer=${token}`]: 'token_invalid',
    [`Bearer\t${token}`]: 'token_invalid',
    [`Bearer:${token}`]: 'token_invalid',
    [`Basic ${token}`]: 'token_invalid',
    [`DPoP ${token}`]: 'token_invalid',
    [`Token ${token}`]: 'token_invalid',
    [`Bearer${token}`]: 'token_invalid',
    [token]: 'token_invalid',
    'Negotiate': 'token_invalid',
  }
  for (const [header, outcome] of Object.entries(cases)) {
    test(`${header.replaceAll(token, '<token>')} is ${outcome}`, async () => {
      expect(await whoAmI(guarded, header)).toBe(outcome)
    })
  }

  test('no header is anonymous, and other places of a token are not looked at', async () => {
    expect(await whoAmI(guarded)).toBe('anonymous')
    const elsewhere = await fetch(`${guarded.url}?access_token=${token}`, { headers: { Cookie: `token=${token}`, 'X-Authorization': `Bearer ${token}` } })
    expect(await elsewhere.text()).toBe('anonymous')
  })

  test('a header in two lines is refused', async () => {
    const headers = new Headers()
    headers.append('Authorization', `Bearer ${token}`)
    headers.append('Authorization', `Bearer ${token}`)
    expect(await (await fetch(guarded.url, { headers })).text()).toBe('token_invalid')
  })

  test('a known token is answered without a promise', async () => {
    await verifier.verify(token)
    const principal = createAuthenticator(verifier)(new Request('http://localhost/', { headers: { Authorization: `Bearer ${token}` } }))
    expect(principal).not.toBeInstanceOf(Promise)
    expect(principal).toMatchObject({ kind: 'user', subject: 'user' })
  })
})

test('without an issuer every token is ignored', async () => {
  for (const header of [undefined, `Bearer ${token}`, 'Bearer nonsense', 'Basic dXNlcjpwYXNz', 'Bearer']) {
    expect(await whoAmI(agnostic, header)).toBe('anonymous')
  }
})

test('costs next to nothing without a header, and little with a known token', async () => {
  await verifier.verify(token)
  const plain = new Request('http://localhost/')
  const signed = new Request('http://localhost/', { headers: { Authorization: `Bearer ${token}` } })
  const cost = (authenticate: ReturnType<typeof createAuthenticator>, request: Request) => {
    for (let i = 0; i < 20_000; i++) authenticate(request)
    return bestMs(50, () => {
      for (let i = 0; i < 1000; i++) authenticate(request)
    })
  }
  const costs = { agnostic: cost(createAuthenticator(null), plain), plain: cost(createAuthenticator(verifier), plain), signed: cost(createAuthenticator(verifier), signed) }
  console.log(`authentication, µs a request: ${JSON.stringify(costs)}`)
  expect(costs.agnostic).toBeLessThan(0.5)
  expect(costs.plain).toBeLessThan(2)
  expect(costs.signed).toBeLessThan(10)
})

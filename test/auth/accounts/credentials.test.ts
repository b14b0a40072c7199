/** Who asks: own tokens, those of other issuers and cookies, for record APIs, streams and administration. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TokenVerifier } from '../../../src/auth/tokens.ts'
import { IdentityProvider } from '../../support/identity-provider.ts'
import { makeKey, makeToken } from '../../support/signing.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { issuerConfig, issuer } from '../verifier-setting.ts'
import { startAccountServer, type AccountServer } from './account-server.ts'

setDefaultTimeout(30_000)

interface Tokens {
  readonly auth_token: string
  readonly refresh_token: string
  readonly csrf_token: string
}

async function tokensOf(server: AccountServer, email: string): Promise<Tokens> {
  return (await (await server.post('/login', { email, password: 'password' })).json()) as Tokens
}

function asker(server: AccountServer) {
  return async (surface: string, headers: Record<string, string>, method = 'GET') => {
    const response = await fetch(`${server.url}/seen/${surface}`, { method, headers })
    const text = await response.text()
    const body = JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>
    return { status: response.status, kind: body['kind'], code: body['code'], body, cookie: response.headers.get('set-cookie') }
  }
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

test('own tokens', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock })
  await server.addUser('a@example.com', 'password')
  const ask = asker(server)
  const { auth_token } = await tokensOf(server, 'a@example.com')
  const [[id] = []] = server.rows('main', "SELECT hex(id) FROM _user WHERE email = 'a@example.com'")
  for (const surface of ['records', 'streams']) {
    expect((await ask(surface, bearer(auth_token))).body).toMatchObject({ kind: 'user', issuer: 'urn:headwater:depot', isAdmin: false, id: String(id).toLowerCase() })
    expect((await ask(surface, {})).kind).toBe('anonymous')
  }
  for (const header of ['Bearer x', 'Basic YTpi', `Bearer ${auth_token}x`, `bearer  ${auth_token} x`]) {
    expect((await ask('records', { Authorization: header })).kind).toBe('anonymous')
    expect((await ask('streams', { Authorization: header })).code).toBe('token_invalid')
    expect((await ask('open-streams', { Authorization: header })).kind).toBe('anonymous')
  }
  expect((await ask('open-streams', bearer(auth_token))).kind).toBe('anonymous')
  clock.advance(3660_000)
  expect([(await ask('records', bearer(auth_token))).kind, (await ask('streams', bearer(auth_token))).code]).toEqual(['anonymous', 'token_expired'])
})

test('tokens of other issuers, and none of them as ours', async () => {
  const key = makeKey('EdDSA', 'k1')
  const provider = new IdentityProvider([key.jwk])
  const foreign = new TokenVerifier([issuerConfig({ jwksUrl: provider.url })], { clock: systemClock, log: silentLog, fetch })
  await foreign.start()
  await using server = await startAccountServer({ foreign })
  await server.addUser('a@example.com', 'password')
  const ask = asker(server)
  const claims = { iss: issuer, aud: 'streams', sub: 'user', exp: Math.floor(Date.now() / 1000) + 600 }
  for (const surface of ['records', 'streams']) {
    expect((await ask(surface, bearer(makeToken(key, claims)))).body).toEqual({ kind: 'user', issuer, subject: 'user', isAdmin: null, id: null })
    expect((await ask(surface, bearer((await tokensOf(server, 'a@example.com')).auth_token))).kind).toBe('user')
  }
  // The provider signs what looks like a token of ours: no issuer, a user's id, an administrator.
  const { auth_token } = await tokensOf(server, 'a@example.com')
  const ours = JSON.parse(Buffer.from(auth_token.split('.')[1] ?? '', 'base64url').toString()) as object
  const forged = [makeToken(key, { ...ours, admin: true }, { typ: 'JWT', alg: 'EdDSA' }), makeToken(key, { ...claims, ...ours, admin: true }), makeToken(key, { ...claims, iss: 'urn:headwater:depot' })]
  for (const token of forged) {
    const seen = await ask('records', bearer(token))
    expect([seen.kind, seen.body['id'] ?? null]).toEqual([seen.kind, null])
    expect((await ask('admin', bearer(token))).status).toBe(401)
  }
  expect((await ask('records', bearer(forged[0] ?? ''))).kind).toBe('anonymous')
  expect((await ask('admin', bearer(makeToken(key, claims)))).status).toBe(401)
  foreign.stop()
  await provider.stop()
})

test('cookies: the access token, a fresh one by the refresh token, neither beside a Bearer token', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock, siteUrl: 'https://app.example.com' })
  await server.addUser('a@example.com', 'password')
  const ask = asker(server)
  const { auth_token, refresh_token } = await tokensOf(server, 'a@example.com')
  const both = { Cookie: `theme=dark; auth_token=${auth_token}; refresh_token=${refresh_token}` }
  expect(await ask('records', both)).toMatchObject({ kind: 'user', cookie: null })
  expect((await ask('records', { ...both, Authorization: 'Bearer x' })).kind).toBe('anonymous')
  expect((await ask('streams', both)).kind).toBe('anonymous')
  clock.advance(3660_000)
  const fresh = await ask('records', both)
  expect(fresh.kind).toBe('user')
  expect(fresh.cookie).toMatch(/^auth_token=ey[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure$/)
  expect((await ask('records', { Cookie: fresh.cookie?.split(';')[0] ?? '' })).kind).toBe('user')
  expect((await ask('records', { Cookie: `auth_token=${auth_token}` })).kind).toBe('anonymous')
  // Two different ones: somebody tossed one in.
  expect((await ask('records', { Cookie: `auth_token=x; ${fresh.cookie?.split(';')[0]}` })).kind).toBe('anonymous')
  await server.post('/logout', { refresh_token })
  expect(await ask('records', both)).toMatchObject({ kind: 'anonymous', cookie: null })
})

test('a write with cookies that a page of another origin sent', async () => {
  await using server = await startAccountServer({ siteUrl: 'https://app.example.com' })
  await server.addUser('a@example.com', 'password')
  const ask = asker(server)
  const { auth_token } = await tokensOf(server, 'a@example.com')
  const cookie = { Cookie: `auth_token=${auth_token}` }
  const outcome = async (headers: Record<string, string>, method: string, credential: Record<string, string> = cookie) => {
    const { status, kind } = await ask('records', { ...credential, ...headers }, method)
    return kind ?? status
  }
  const others = [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: 'https://app.example.com.evil.example' }, { Origin: 'https://app.example.com:1' }, { 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site', Origin: 'https://app.example.com' }]
  const own = [{}, { Origin: 'https://app.example.com' }, { Origin: server.url }, { 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none' }] as Record<string, string>[]
  for (const method of ['POST', 'PATCH', 'DELETE', 'PUT']) {
    for (const headers of others) expect(await outcome(headers, method)).toBe(403)
    for (const headers of own) expect(await outcome(headers, method)).toBe('user')
    expect(await outcome(others[0] ?? {}, method, bearer(auth_token))).toBe('user')
    expect(await outcome(others[0] ?? {}, method, {})).toBe('anonymous')
  }
  expect(await outcome(others[0] ?? {}, 'GET')).toBe('user')
  // The handshake of a WebSocket is a GET that no origin is kept from.
  expect(server.accounts.credentials.user(new Request(server.url, { headers: cookie }))?.kind).toBe('user')
  expect(() => server.accounts.credentials.user(new Request(server.url, { headers: { ...cookie, Upgrade: 'websocket', Origin: 'https://evil.example' } }))).toThrow('forbidden')
})

test('while developing, pages of this machine may write with cookies', async () => {
  const write = async (isDev: boolean, origin: string) => {
    await using server = await startAccountServer({ isDev })
    await server.addUser('a@example.com', 'password')
    const { auth_token } = await tokensOf(server, 'a@example.com')
    return (await asker(server)('records', { Cookie: `auth_token=${auth_token}`, Origin: origin, 'Sec-Fetch-Site': 'same-site' }, 'POST')).status
  }
  const page = 'http://localhost:5173'
  expect([await write(true, page), await write(false, page), await write(true, 'https://evil.example')]).toEqual([200, 403, 403])
})

test('the gate of administration: by the database, with the token’s proof', async () => {
  await using server = await startAccountServer()
  await server.addUser('admin@example.com', 'password', { admin: 1n })
  await server.addUser('a@example.com', 'password')
  const ask = asker(server)
  const [admin, user] = [await tokensOf(server, 'admin@example.com'), await tokensOf(server, 'a@example.com')]
  const proof = (tokens: Tokens) => ({ ...bearer(tokens.auth_token), 'CSRF-Token': tokens.csrf_token })
  expect((await ask('admin', proof(admin))).status).toBe(200)
  expect((await ask('admin', { Cookie: `auth_token=${admin.auth_token}`, 'CSRF-Token': admin.csrf_token })).status).toBe(200)
  expect((await ask('admin', {})).status).toBe(401)
  expect((await ask('admin', bearer('x'))).status).toBe(401)
  expect((await ask('admin', proof(user))).status).toBe(403)
  expect((await ask('admin', bearer(admin.auth_token))).body).toMatchObject({ status: 400, detail: 'admin APIs require csrf header' })
  expect((await ask('admin', { ...bearer(admin.auth_token), 'CSRF-Token': user.csrf_token })).body).toMatchObject({ status: 400, detail: 'invalid CSRF token' })
  const update = async (sql: string) => await server.store.write('main', { steps: [{ kind: 'run', sql, params: [], atLeast: 1 }] })
  await update("UPDATE _user SET admin = 1 - admin WHERE email IN ('admin@example.com', 'a@example.com')")
  expect([(await ask('admin', proof(admin))).status, (await ask('admin', proof(user))).status]).toEqual([403, 200])
  await update("DELETE FROM _user WHERE email = 'a@example.com'")
  expect((await ask('admin', proof(user))).status).toBe(401)
})

test('the public key', async () => {
  await using server = await startAccountServer()
  const response = await fetch(`${server.url}/.well-known/jwks.json`)
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=300'])
  expect(await response.json()).toEqual({ keys: [expect.objectContaining({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA' })] } as never)
})

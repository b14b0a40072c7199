/** Signing in over HTTP: login, second step, codes, refresh, status, logout, with what each answers (trailbase-api.md §9.5). */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { currentCode } from '../../../src/auth/accounts/totp.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { startAccountServer, type AccountServer } from './account-server.ts'

setDefaultTimeout(30_000)

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' // RFC 7636, appendix B
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

interface Tokens {
  readonly auth_token: string
  readonly refresh_token: string
  readonly csrf_token: string
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const form = (fields: Record<string, string>, headers: Record<string, string> = {}): RequestInit => ({ method: 'POST', body: new URLSearchParams(fields), headers })

async function tokensOf(server: AccountServer, email = 'a@example.com'): Promise<Tokens> {
  return (await (await server.post('/login', { email, password: 'password' })).json()) as Tokens
}

test('the three tokens, and exactly the claims of TrailBase', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  await server.addUser('b@example.com', 'password', { username: 'bob', admin: 1n, provider_id: 0n })
  const response = await server.post('/login', { email: 'a@example.com', password: 'password' })
  expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control'), response.headers.get('x-common')]).toEqual([200, 'application/json', 'no-store', 'yes'])
  const tokens = (await response.json()) as Tokens
  expect(Object.keys(tokens).toSorted()).toEqual(['auth_token', 'csrf_token', 'refresh_token'])
  const claims = claimsOf(tokens.auth_token)
  expect(Object.keys(claims).toSorted()).toEqual(['csrf_token', 'email', 'exp', 'iat', 'provider', 'sub', 'type', 'username'])
  expect(claims).toMatchObject({ type: 1, provider: 0, email: 'a@example.com', username: null, csrf_token: tokens.csrf_token })
  expect(Number(claims['exp']) - Number(claims['iat'])).toBe(3600)
  expect(claimsOf((await tokensOf(server, 'B@example.com')).auth_token)).toMatchObject({ admin: true, username: 'bob' })
  // What a thief of the file gets.
  expect(JSON.stringify(server.rows('session', 'SELECT refresh_token FROM session._session'))).not.toContain(tokens.refresh_token)
})

test('by address, by name, by either; as query, form and multipart', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password', { username: 'ann' })
  const bodies = [{ email: 'A@EXAMPLE.com' }, { username: 'ANN' }, { email_or_username: 'a@example.com' }, { email_or_username: 'ann' }, { email: ' a@example.com ' }]
  for (const body of bodies) expect((await server.post('/login', { ...body, password: 'password' })).status).toBe(200)
  expect((await server.post('/login', { email: 'ann', password: 'password' })).status).toBe(401)
  const multipart = new FormData()
  multipart.set('username', 'ann')
  multipart.set('password', 'password')
  expect((await server.call('/login', { method: 'POST', body: multipart })).status).toBe(200)
  const bare = await server.call('/login', { method: 'POST', body: new Blob([JSON.stringify({ username: 'ann', password: 'password' })]) })
  expect(bare.status).toBe(200)
})

test('wrong password, nobody, no password, an unconfirmed address: one answer', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  await server.addUser('none@example.com', 'x', { password_hash: null })
  await server.addUser('odd@example.com', 'x', { password_hash: 'not a hash' })
  await server.addUser('old@example.com', 'password', { unverified_email: 'new@example.com' })
  await server.addUser('gone@example.com', 'password', { email: null, unverified_email: 'gone@example.com' })
  const tries = [['a@example.com', 'Password'], ['nobody@example.com', 'password'], ['none@example.com', 'password'], ['odd@example.com', 'password'], ['old@example.com', 'password'], ['gone@example.com', 'password'], ['a@example.com', `password${'x'.repeat(200)}`]]
  for (const [email, password] of tries) {
    const response = await server.post('/login', { email, password })
    expect([response.status, await response.text()]).toEqual([401, ''])
  }
})

test('bcrypt hashes of users who came from elsewhere', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'x', { password_hash: await Bun.password.hash('password', { algorithm: 'bcrypt', cost: 4 }) })
  expect((await server.post('/login', { email: 'a@example.com', password: 'password' })).status).toBe(200)
  expect((await server.post('/login', { email: 'a@example.com', password: 'passwore' })).status).toBe(401)
})

test('malformed requests', async () => {
  await using server = await startAccountServer()
  const status = async (body: string, type = 'application/json', path = '/login') => (await server.call(path, { method: 'POST', body, headers: { 'Content-Type': type } })).status
  const bodies = ['', '{', '[]', 'null', '{}', '{"email":"a@example.com"}', '{"email":5,"password":"x"}', '{"email":"a","email":"b","password":"x"}', `{"email":"${'x'.repeat(20_000)}","password":"x"}`]
  for (const body of bodies) expect(await status(body)).toBe(400)
  expect(await status('x'.repeat(65 * 1024))).toBe(413)
  expect(await status('<x/>', 'text/xml')).toBe(400)
  expect(await status('garbage', 'multipart/form-data; boundary=x')).toBe(400)
  for (const path of ['/refresh', '/token', '/logout']) {
    expect([await status('{}', 'text/plain', path), await status('{', 'application/json', path), await status('{"x":1}', 'application/json', path)]).toEqual([415, 400, 422])
  }
  const bad = { email: 'a@example.com', password: 'x' }
  const wishes = [{ pkce_code_challenge: challenge }, { response_type: 'code' }, { response_type: 'code', redirect_uri: '/x' }, { response_type: 'code', redirect_uri: '/x', pkce_code_challenge: 'short' }, { response_type: 'other' }]
  for (const wish of wishes) expect((await server.post('/login', { ...bad, ...wish })).status).toBe(400)
  const evil = await server.post('/login', { ...bad, redirect_uri: '//evil.example' })
  expect([evil.status, await evil.text()]).toEqual([400, 'invalid redirect'])
})

test('a form gets cookies and is sent on; the query wins over the body', async () => {
  await using server = await startAccountServer({ siteUrl: 'https://app.example.com' })
  await server.addUser('a@example.com', 'password')
  const good = { email: 'a@example.com', password: 'password' }
  const response = await server.call('/login?redirect_uri=/profile', form({ ...good, redirect_uri: '/other' }))
  expect([response.status, response.headers.get('location')]).toEqual([303, '/profile'])
  const [access = '', refresh = ''] = response.headers.getSetCookie()
  expect(access).toMatch(/^auth_token=ey[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure$/)
  expect(refresh).toMatch(/^refresh_token=[A-Za-z0-9]{86}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2592000; Secure$/)
  const plain = await server.call('/login', form(good))
  expect([plain.status, await plain.text()]).toEqual([200, 'logged in'])
  const wrong = await server.call('/login', form({ ...good, password: 'wrong', redirect_uri: '/form?x=1' }))
  expect([wrong.status, wrong.headers.get('location'), wrong.headers.getSetCookie()]).toEqual([303, '/form?x=1&alert=Login+Failed%3A+401+Unauthorized', []])
  expect((await server.call('/login?redirect_uri=/form', form({ ...good, password: 'wrong' }))).status).toBe(401)
  expect((await server.call('/login', form(good, { Origin: 'https://evil.example' }))).status).toBe(403)
  expect((await server.call('/login', form(good, { Origin: 'https://app.example.com' }))).status).toBe(200)
})

test('too many wrong passwords of one account, right one or not', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password', { username: 'ann' })
  await server.addUser('b@example.com', 'password')
  const wrong = { email: 'a@example.com', password: 'wrong' }
  for (let at = 0; at < 3; at++) expect((await server.post('/login', wrong)).status).toBe(401)
  const limited = await server.post('/login', { email: 'a@example.com', password: 'password' })
  expect(limited.status).toBe(429)
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(50)
  expect((await server.post('/login', { username: 'ann', password: 'password' })).status).toBe(429)
  expect((await server.call('/login', form({ ...wrong, redirect_uri: '/f' }))).headers.get('location')).toBe('/f?alert=Login+Failed%3A+429+Too+Many+Requests')
  expect((await server.post('/login', { email: 'b@example.com', password: 'password' })).status).toBe(200)
  // Nobody is limited as somebody is.
  const nobody = { email: 'nobody@example.com', password: 'wrong' }
  const seen = []
  for (let at = 0; at < 4; at++) seen.push((await server.post('/login', nobody)).status)
  expect(seen).toEqual([401, 401, 401, 429])
})

test('guesses at the same time count, too', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  const seen = await Promise.all(Array.from({ length: 12 }, async (_, at) => (await server.post('/login', { email: 'a@example.com', password: `wrong${at}` })).status))
  expect(seen.toSorted()).toEqual([401, 401, 401, ...Array<number>(9).fill(429)])
})

test('good logins of one account at the same time are no guesses', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  const login = async (password: string) => (await server.post('/login', { email: 'a@example.com', password })).status
  expect([await login('wrong'), await login('wrong')]).toEqual([401, 401])
  expect(await Promise.all(Array.from({ length: 20 }, () => login('password')))).toEqual(Array<number>(20).fill(200))
})

test('the second step: a code counts once, and guessing ends', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock })
  await server.addUser('a@example.com', 'password', { totp_secret: secret })
  const login = async () => {
    const response = await server.post('/login', { email: 'a@example.com', password: 'password' })
    expect(response.status).toBe(403)
    return ((await response.json()) as { mfa_token: string }).mfa_token
  }
  const token = await login()
  const code = currentCode(secret, clock.now()) ?? ''
  expect(server.rows('session', 'SELECT count(*) FROM session._session')).toEqual([[0n]])
  for (const path of ['/status', '/logout']) expect((await server.call(path, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200)
  expect(await (await fetch(`${server.url}/seen/records`, { headers: { Authorization: `Bearer ${token}` } })).json()).toEqual({ kind: 'anonymous' })
  const done = await server.post('/login_mfa', { mfa_token: token, totp: code })
  expect(claimsOf(((await done.json()) as Tokens).auth_token)['mfa']).toBe(true)
  expect((await server.post('/login_mfa', { mfa_token: token, totp: code })).status).toBe(401)
  expect((await server.post('/login_mfa', { mfa_token: await login(), totp: code })).status).toBe(401)
  clock.advance(30_000)
  expect((await server.post('/login_mfa', { mfa_token: token, totp: currentCode(secret, clock.now()) })).status).toBe(200)
  const seen = []
  for (let at = 0; at < 5; at++) seen.push((await server.post('/login_mfa', { mfa_token: token, totp: '000000' })).status)
  expect(seen).toEqual([401, 401, 401, 429, 429])
  clock.advance(600_000)
  expect((await server.post('/login_mfa', { mfa_token: token, totp: currentCode(secret, clock.now()) })).status).toBe(401)
  expect((await server.post('/login_mfa', { mfa_token: await login(), totp: currentCode(secret, clock.now()) })).status).toBe(200)
})

test('the second step of a form; one without a second step; no token for it', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password', { totp_secret: secret })
  const good = { email: 'a@example.com', password: 'password' }
  const sent = await server.call('/login', form({ ...good, mfa_redirect_uri: '/second' }))
  expect([sent.status, sent.headers.get('location')]).toEqual([303, expect.stringMatching(/^\/second\?mfa_token=ey/)])
  expect((await server.call('/login', form(good))).status).toBe(400)
  const { mfa_token } = (await (await server.post('/login', good)).json()) as { mfa_token: string }
  await server.store.write('main', { steps: [{ kind: 'run', sql: 'UPDATE _user SET totp_secret = NULL WHERE email = ?1', params: [good.email], atLeast: 1 }] })
  expect((await server.post('/login_mfa', { mfa_token, totp: '123456' })).status).toBe(424)
  const { auth_token } = await tokensOf(server)
  expect((await server.post('/login_mfa', { mfa_token: auth_token, totp: '123456' })).status).toBe(401)
  expect((await server.post('/login_mfa', { mfa_token: 'x', totp: '123456' })).status).toBe(401)
})

test('a code is exchanged once, by who knows the verifier, in time', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock, auth: { customUriSchemes: ['app'] } })
  await server.addUser('a@example.com', 'password')
  const codeOf = async () => {
    const wish = { redirect_uri: 'app://done', response_type: 'code', pkce_code_challenge: challenge }
    const response = await server.post('/login', { email: 'a@example.com', password: 'password', ...wish })
    expect([response.status, response.headers.getSetCookie()]).toEqual([303, []])
    return /^app:\/\/done\?code=([A-Za-z0-9]{48})$/.exec(response.headers.get('location') ?? '')?.[1] ?? ''
  }
  const exchange = async (authorization_code: string, pkce_code_verifier = verifier) => await server.post('/token', { authorization_code, pkce_code_verifier })
  const code = await codeOf()
  const exchanged = await exchange(code)
  expect(claimsOf(((await exchanged.json()) as Tokens).auth_token)['email']).toBe('a@example.com')
  expect((await exchange(code)).status).toBe(404)
  const stolen = await codeOf()
  expect((await exchange(stolen, verifier.replace('d', 'e'))).status).toBe(404)
  expect((await exchange(stolen)).status).toBe(404)
  const late = await codeOf()
  clock.advance(300_000)
  expect((await exchange(late)).status).toBe(404)
  expect([(await exchange('x')).status, (await exchange(late, 'short')).status, (await exchange('x'.repeat(48))).status]).toEqual([400, 400, 404])
  const raced = await codeOf()
  const seen = await Promise.all(Array.from({ length: 8 }, async () => (await exchange(raced)).status))
  expect(seen.toSorted()).toEqual([200, ...Array<number>(7).fill(404)])
})

test('refresh lasts as long as the session does', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock })
  await server.addUser('a@example.com', 'password')
  const { refresh_token } = await tokensOf(server)
  const refresh = async (token: string) => await server.post('/refresh', { refresh_token: token })
  clock.advance(29 * 86_400_000)
  const body = (await (await refresh(refresh_token)).json()) as Tokens
  expect(Object.keys(body).toSorted()).toEqual(['auth_token', 'csrf_token'])
  const [[stored] = []] = server.rows('session', 'SELECT refresh_token FROM session._session')
  for (const token of ['', 'x', String(stored), `${refresh_token}x`, 'x'.repeat(1000)]) expect((await refresh(token)).status).toBe(401)
  await server.store.write('main', { steps: [{ kind: 'run', sql: "UPDATE _user SET unverified_email = 'b@example.com'", params: [], atLeast: 1 }] })
  expect((await refresh(refresh_token)).status).toBe(401)
  await server.store.write('main', { steps: [{ kind: 'run', sql: 'UPDATE _user SET unverified_email = NULL', params: [], atLeast: 1 }] })
  expect((await refresh(refresh_token)).status).toBe(200)
  clock.advance(86_400_000)
  expect((await refresh(refresh_token)).status).toBe(401)
})

test('a session that TrailBase stored counts, until its user is gone', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  const token = 'T'.repeat(86)
  const [[id] = []] = server.rows('main', "SELECT id FROM _user WHERE email = 'a@example.com'")
  await server.store.write('session', { steps: [{ kind: 'run', sql: 'INSERT INTO session._session (user, refresh_token, expires) VALUES (?1, ?2, unixepoch() + 60)', params: [id ?? null, token], atLeast: 1 }] })
  expect((await server.post('/refresh', { refresh_token: token })).status).toBe(200)
  await server.store.write('main', { steps: [{ kind: 'run', sql: 'DELETE FROM _user WHERE id = ?1', params: [id ?? null], atLeast: 1 }] })
  expect((await server.post('/refresh', { refresh_token: token })).status).toBe(401)
})

test('status: nothing, a token, a session, a session that is gone', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  const { auth_token, refresh_token, csrf_token } = await tokensOf(server)
  const status = async (headers: Record<string, string>) => {
    const response = await server.call('/status', { headers })
    return [response.status, response.ok ? ((await response.json()) as Record<string, unknown>) : await response.text(), response.headers.getSetCookie().length] as const
  }
  const nothing = { auth_token: null, refresh_token: null, csrf_token: null }
  expect(await status({})).toEqual([200, nothing, 0])
  expect(await status({ Authorization: 'Bearer x' })).toEqual([200, nothing, 0])
  expect(await status({ Authorization: `Bearer ${auth_token}` })).toEqual([200, { auth_token, refresh_token: null, csrf_token }, 0])
  const [code, body] = await status({ Authorization: `Bearer ${auth_token}`, 'Refresh-Token': refresh_token })
  expect([code, body]).toMatchObject([200, { refresh_token }])
  expect((body as { auth_token: string }).auth_token).not.toBe(auth_token)
  expect(await status({ Cookie: `auth_token=${auth_token}; refresh_token=${refresh_token}` })).toMatchObject([200, { refresh_token }, 1])
  expect(await status({ Cookie: `auth_token=${auth_token}` })).toEqual([200, { auth_token, refresh_token: null, csrf_token }, 0])
  expect((await server.post('/logout', { refresh_token })).status).toBe(200)
  expect((await status({ 'Refresh-Token': refresh_token }))[0]).toBe(401)
  expect((await status({ Cookie: `refresh_token=${refresh_token}` }))[0]).toBe(401)
})

test('logout: one session, or all of the caller', async () => {
  await using server = await startAccountServer({ hasPages: true })
  await server.addUser('a@example.com', 'password')
  await server.addUser('b@example.com', 'password')
  const [first, second, other] = [await tokensOf(server), await tokensOf(server), await tokensOf(server, 'b@example.com')]
  const alive = async () => await Promise.all([first, second, other].map(async ({ refresh_token }) => (await server.post('/refresh', { refresh_token })).status))
  const one = await server.post('/logout', { refresh_token: first.refresh_token })
  expect([one.status, await one.text()]).toEqual([200, ''])
  expect(await alive()).toEqual([401, 200, 200])
  expect((await server.call('/logout?redirect_uri=//evil.example', { headers: { Authorization: `Bearer ${second.auth_token}` } })).status).toBe(400)
  const cookies = { Cookie: `auth_token=${second.auth_token}; other=1` }
  expect((await server.call('/logout', { headers: { ...cookies, 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(403)
  expect(await alive()).toEqual([401, 200, 200])
  const all = await server.call('/logout?redirect_uri=/bye', { headers: cookies })
  expect([all.status, all.headers.get('location'), all.headers.getSetCookie()]).toEqual([303, '/bye', ['auth_token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=1']])
  expect(await alive()).toEqual([401, 401, 200])
  expect((await server.call('/logout')).headers.get('location')).toBe('/')
})

test('a user has at most a thousand sessions', async () => {
  await using server = await startAccountServer()
  await server.addUser('a@example.com', 'password')
  const first = await tokensOf(server)
  const [[id] = []] = server.rows('main', "SELECT id FROM _user WHERE email = 'a@example.com'")
  const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO session._session (user, refresh_token, expires) SELECT ?1, 'x' || i, unixepoch() + 60 FROM n`
  await server.store.write('session', { steps: [{ kind: 'run', sql, params: [id ?? null], atLeast: 999 }] })
  expect((await server.post('/refresh', { refresh_token: first.refresh_token })).status).toBe(200)
  await tokensOf(server)
  expect(server.rows('session', 'SELECT count(*) FROM session._session')).toEqual([[1000n]])
  expect((await server.post('/refresh', { refresh_token: first.refresh_token })).status).toBe(401)
})

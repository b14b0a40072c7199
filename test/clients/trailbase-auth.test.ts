/** The account functions of the published client `trailbase`, against the account routes. Record APIs are other files. */
import { expect, setDefaultTimeout, spyOn, test } from 'bun:test'
import { FetchError, initClient, initClientFromCookies } from 'trailbase'
import { currentCode } from '../../src/auth/accounts/totp.ts'
import { startAccountServer } from '../auth/accounts/account-server.ts'

setDefaultTimeout(30_000)

test('login, who one is, status, refresh, logout', async () => {
  await using server = await startAccountServer()
  const changes: (string | undefined)[] = []
  const client = initClient(server.url, { onAuthChange: (_client, user) => void changes.push(user?.email) })
  expect(await client.login(server.admin.email, server.admin.password)).toBeUndefined()
  const tokens = client.tokens()
  expect(tokens?.refresh_token).toMatch(/^[A-Za-z0-9]{86}$/)
  expect(tokens?.csrf_token).toMatch(/^[A-Za-z0-9]{20}$/)
  expect(client.user()).toMatchObject({ email: server.admin.email, admin: true })
  expect(Buffer.from(client.user()?.id ?? '', 'base64url')).toHaveLength(16)

  if (tokens === undefined) throw new Error('expected tokens')
  const again = initClient(server.url, { tokens })
  expect((await again.checkCookies())?.refresh_token).toBe(tokens.refresh_token)
  await client.refreshAuthToken({ force: true })
  expect(client.tokens()?.auth_token).not.toBe(tokens?.auth_token)
  expect(client.tokens()?.refresh_token).toBe(tokens.refresh_token)

  expect(await client.logout()).toBe(true)
  expect([client.tokens(), client.user()]).toEqual([undefined, undefined])
  expect(server.rows('session', 'SELECT count(*) FROM session._session')).toEqual([[0n]])
  // The other client's session is the one that ended: refreshing tells it.
  await again.refreshAuthToken({ force: true })
  expect(again.tokens()).toBeUndefined()
  expect(changes).toEqual([server.admin.email, server.admin.email, undefined])
})

test('a wrong password', async () => {
  await using server = await startAccountServer()
  const client = initClient(server.url)
  const error: unknown = await client.login(server.admin.email, 'wrong').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(FetchError)
  expect([(error as FetchError).status, (error as FetchError).message]).toEqual([401, 'Unauthorized'])
  expect(client.tokens()).toBeUndefined()
})

test('a second step', async () => {
  await using server = await startAccountServer()
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  await server.addUser('a@example.com', 'password', { totp_secret: secret })
  const client = initClient(server.url)
  const mfaToken = await client.login('a@example.com', 'password')
  if (mfaToken === undefined) throw new Error('expected a second step')
  expect(client.tokens()).toBeUndefined()
  await client.loginSecond({ mfaToken, totpCode: currentCode(secret, Date.now()) ?? '' })
  expect(client.user()).toMatchObject({ email: 'a@example.com', mfa: true })
})

test('a client without a refresh token logs out everywhere; one with cookies lifts its tokens out of them', async () => {
  await using server = await startAccountServer()
  const first = initClient(server.url)
  await first.login(server.admin.email, server.admin.password)
  const form = new URLSearchParams({ email: server.admin.email, password: server.admin.password })
  const response = await server.call('/login', { method: 'POST', body: form })
  expect([response.status, await response.text()]).toEqual([200, 'logged in'])
  const cookie = response.headers.getSetCookie().map(text => text.split(';')[0]).join('; ')
  const transport = { fetch: (path: string, init?: RequestInit) => fetch(server.url + path, { ...init, headers: { ...(init?.headers as Record<string, string>), Cookie: cookie } }) }
  const browser = await initClientFromCookies(server.url, { transport })
  expect(browser.tokens()?.refresh_token).toMatch(/^[A-Za-z0-9]{86}$/)

  const { auth_token } = first.tokens() ?? { auth_token: '' }
  const bearer = initClient(server.url, { tokens: { auth_token, refresh_token: null, csrf_token: null } })
  const debug = spyOn(console, 'debug').mockImplementation(() => {})
  await bearer.logout()
  debug.mockRestore()
  expect(server.rows('session', 'SELECT count(*) FROM session._session')).toEqual([[0n]])
})

test('an anonymous user gets a name of its own and a password later', async () => {
  await using server = await startAccountServer({ auth: { enableAnonymousSignin: true } })
  const response = await server.post('/login_anonymous', {})
  const client = initClient(server.url, { tokens: (await response.json()) as never })
  await client.checkCookies()
  expect(client.user()?.email).toBeNull()
  const promoted = await client.fetch('/api/auth/v1/promote_anonymous', { method: 'POST', body: JSON.stringify({ new_password: 'long enough', new_email: 'me@example.com' }) })
  expect(await promoted.text()).toBe('promoted')
  const second = await client.fetch('/api/auth/v1/promote_anonymous', { method: 'POST', body: JSON.stringify({ new_password: 'long enough', new_email: 'me@example.com' }), throwOnError: false })
  expect(second.status).toBe(424)
})

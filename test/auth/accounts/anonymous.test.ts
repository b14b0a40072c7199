/** Users without a name, and what becomes of them (trailbase-api.md §9.9). */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { ManualClock } from '../../support/manual-clock.ts'
import { startAccountServer, type AccountServer } from './account-server.ts'

setDefaultTimeout(30_000)

interface Tokens {
  readonly auth_token: string
  readonly refresh_token: string
}

async function newcomer(server: AccountServer): Promise<Tokens & { promote(body: object): Promise<readonly [number, string]> }> {
  const tokens = (await (await server.post('/login_anonymous', {})).json()) as Tokens
  const promote = async (body: object) => {
    const response = await server.post('/promote_anonymous', body, { Authorization: `Bearer ${tokens.auth_token}` })
    return [response.status, await response.text()] as const
  }
  return { ...tokens, promote }
}

test('only where they are wanted', async () => {
  await using server = await startAccountServer()
  expect([(await server.post('/login_anonymous', {})).status, (await server.post('/promote_anonymous', {})).status]).toEqual([404, 404])
  expect(server.rows('main', 'SELECT count(*) FROM _user')).toEqual([[1n]])
})

test('a name of its own, a session of its own length', async () => {
  const clock = new ManualClock(Date.now())
  await using server = await startAccountServer({ clock, auth: { enableAnonymousSignin: true } })
  const { refresh_token } = await newcomer(server)
  const [[username] = []] = server.rows('main', 'SELECT username FROM _user WHERE email IS NULL')
  expect(String(username)).toMatch(/^anon[0-9a-z]{6}$/)
  clock.advance(89 * 86_400_000)
  expect((await server.post('/refresh', { refresh_token })).status).toBe(200)
  clock.advance(86_400_000)
  expect((await server.post('/refresh', { refresh_token })).status).toBe(401)
  expect((await server.call('/login_anonymous', { method: 'POST' })).status).toBe(200)
  const form = await server.call('/login_anonymous?redirect_uri=/hello', { method: 'POST', body: new URLSearchParams({ remember: 'yes' }) })
  expect([form.status, form.headers.get('location'), form.headers.getSetCookie().length]).toEqual([303, '/hello', 2])
  expect(form.headers.getSetCookie()[1]).toContain('Max-Age=7776000')
})

test('promotion by address: it waits for its owner, and happens once', async () => {
  await using server = await startAccountServer({ auth: { enableAnonymousSignin: true } })
  const anonymous = await newcomer(server)
  const [[before] = []] = server.rows('main', 'SELECT username FROM _user WHERE email IS NULL')
  const good = { new_password: 'long enough', new_email: ' me@example.com ' }
  expect(await anonymous.promote(good)).toEqual([200, 'promoted'])
  expect(server.rows('main', 'SELECT username, email, unverified_email FROM _user WHERE email IS NULL')).toEqual([[before ?? null, null, 'me@example.com']])
  expect(await anonymous.promote(good)).toEqual([424, ''])
  expect((await server.post('/refresh', { refresh_token: anonymous.refresh_token })).status).toBe(401)
  expect((await server.post('/promote_anonymous', good)).status).toBe(401)
  const { auth_token } = (await (await server.post('/login', { email: server.admin.email, password: server.admin.password })).json()) as Tokens
  expect((await server.post('/promote_anonymous', good, { Authorization: `Bearer ${auth_token}` })).status).toBe(424)
})

test('promotion by name, and what the policies refuse', async () => {
  const policy = { passwordMustContainDigits: true, passwordMustContainUpperAndLowerCase: true, passwordMustContainSpecialCharacters: true }
  await using server = await startAccountServer({ auth: { enableAnonymousSignin: true, userIdentifier: 'require_username', ...policy } })
  const anonymous = await newcomer(server)
  const refused = async (body: object) => (await anonymous.promote({ new_password: 'Long enough 1!', ...body }))
  expect(await refused({ new_password: 'Sh0rt!' })).toEqual([400, 'Password too short'])
  expect(await refused({ new_password: `Long enough 1!${'x'.repeat(128)}` })).toEqual([400, 'Password too long'])
  expect(await refused({ new_password: 'Long enough!' })).toEqual([400, 'Must contain digits'])
  expect(await refused({ new_password: '1234567890' })).toEqual([400, 'Must contain non-digits'])
  expect(await refused({ new_password: 'long enough 1!' })).toEqual([400, 'Must contain lower and upper case'])
  expect(await refused({ new_password: 'LongEnough1' })).toEqual([400, 'Must contain special characters'])
  expect(await refused({ new_password_repeat: 'Long enough 2!' })).toEqual([400, 'Passwords don\'t match'])
  for (const name of ['ab', '1abc', 'a b c', 'a'.repeat(33), 'a@example.com']) expect(await refused({ new_username: name })).toEqual([400, 'Invalid username'])
  expect(await refused({ new_email: 'no address' })).toEqual([400, 'Invalid email'])
  expect(await refused({ new_username: 'ADMIN' })).toEqual([409, ''])
  expect(await refused({ new_username: 'Zoë' })).toEqual([200, 'promoted'])
  expect((await server.post('/login', { username: 'Zoë', password: 'Long enough 1!' })).status).toBe(200)
  expect((await server.post('/refresh', { refresh_token: anonymous.refresh_token })).status).toBe(200)
})

test('only addresses, or only names', async () => {
  await using byEmail = await startAccountServer({ auth: { enableAnonymousSignin: true } })
  const first = await newcomer(byEmail)
  expect(await first.promote({ new_password: 'long enough' })).toEqual([400, 'Missing email'])
  expect(await first.promote({ new_password: 'long enough', new_email: 'a@example.com', new_username: 'ann' })).toEqual([400, 'username not allowed'])
  await using byName = await startAccountServer({ auth: { enableAnonymousSignin: true, userIdentifier: 'only_username' } })
  const second = await newcomer(byName)
  expect(await second.promote({ new_password: 'long enough', new_email: 'a@example.com' })).toEqual([400, 'Email not allowed'])
  expect(await second.promote({ new_password: 'long enough' })).toEqual([200, 'promoted'])
})

test('an address has its burst of posts', async () => {
  await using server = await startAccountServer({ auth: { enableAnonymousSignin: true }, addressBurst: 3 })
  const from = async (address: string) => (await server.post('/login_anonymous', {}, { 'X-Test-Address': address })).status
  expect([await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')]).toEqual([200, 200, 200, 429, 200])
  expect((await server.call('/status', { headers: { 'X-Test-Address': '192.0.2.1' } })).status).toBe(200)
})

/** `headwater user …` and `headwater token mint`, on the account routes of the control API. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { Elysia } from 'elysia'
import { userControlRoutes } from '../../src/admin/users/routes.ts'
import { runProgram } from '../../src/cli/program.ts'
import type { Product } from '../../src/cli/product.ts'
import { systemProduct } from '../../src/cli/product.ts'
import { errorResponse } from '../../src/http/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { startAccountServer, type AccountServer } from '../auth/accounts/account-server.ts'

setDefaultTimeout(30_000)

test('adds users with and without a password, lists them, and makes tokens that count', async () => {
  await using server = await startAccountServer()
  const run = commandLine(server)
  const made = await run(['user', 'add', 'ann@example.com'])
  expect(made.out).toMatch(/^added ann@example.com\npassword: [A-Za-z0-9]{20}\n$/)
  const password = made.out.split('password: ')[1]?.trim()
  expect((await server.post('/login', { email: 'Ann@example.com', password })).status).toBe(200)

  expect((await run(['user', 'add', 'bob@example.com', 'secret password', '--admin'])).out).toBe('added bob@example.com\n')
  expect((await run(['user', 'add', 'eve@example.com', '-'], 'from a pipe\nnot this')).out).toBe('added eve@example.com\n')
  expect((await server.post('/login', { email: 'eve@example.com', password: 'from a pipe' })).status).toBe(200)

  const listed = await run(['user', 'list'])
  expect(listed.out.split('\n').slice(1, -1).map(line => line.split(/\s+/)[1]).toSorted()).toEqual(['admin@localhost', 'ann@example.com', 'bob@example.com', 'eve@example.com'])
  const lines = (await run(['user', 'list', '--json'])).out.trim().split('\n').map(line => JSON.parse(line) as { email: string; admin: boolean })
  expect(lines.find(user => user.email === 'bob@example.com')).toMatchObject({ admin: true, mfa: false, provider: 0, username: null })

  const token = (await run(['token', 'mint', 'bob@example.com'])).out.trim()
  expect(await (await fetch(`${server.url}/seen/records`, { headers: { Authorization: `Bearer ${token}` } })).json()).toMatchObject({ kind: 'user', isAdmin: true })
  const whole = JSON.parse(Buffer.from((await run(['user', 'mint', 'admin'])).out, 'base64').toString()) as { auth_token: string; refresh_token: string }
  const claims = JSON.parse(Buffer.from(whole.auth_token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number; iat: number; username: string }
  expect([claims.exp - claims.iat, claims.username]).toEqual([12 * 3600, 'admin'])
  expect((await server.post('/refresh', { refresh_token: whole.refresh_token })).status).toBe(200)
})

test('says what is wrong', async () => {
  await using server = await startAccountServer()
  const run = commandLine(server)
  expect(await run(['user', 'add', 'no address'])).toMatchObject({ code: 1, err: expect.stringContaining('expected an e-mail address, got "no address" (400, bad_request)') })
  await run(['user', 'add', 'a@example.com', 'password'])
  expect(await run(['user', 'add', 'A@example.com', 'password'])).toMatchObject({ code: 1, err: expect.stringContaining('there is a user A@example.com (409, conflict)') })
  expect(await run(['user', 'add', 'b@example.com', '-'])).toMatchObject({ code: 2, err: expect.stringContaining('standard input holds no password') })
  expect(await run(['token', 'mint', 'nobody'])).toMatchObject({ code: 1, err: expect.stringContaining('there is no user "nobody" (404, not_found)') })
})

test('lists in pages', async () => {
  await using server = await startAccountServer()
  for (let at = 0; at < 5; at++) await server.addUser(`u${at}@example.com`, 'password')
  const seen: string[] = []
  let after: string | null = null
  do {
    const page = server.accounts.userAdmin.list(after, 2)
    seen.push(...page.users.map(user => user.email ?? ''))
    after = page.next
  } while (after !== null)
  expect(seen.toSorted()).toEqual(['admin@localhost', 'u0@example.com', 'u1@example.com', 'u2@example.com', 'u3@example.com', 'u4@example.com'])
})

/** The program in this process, on the depot of `server`: with what it opens for commands while no server runs. */
function commandLine(server: AccountServer): (argv: readonly string[], stdin?: string) => Promise<{ code: number; out: string; err: string }> {
  const app = new Elysia({ aot: true })
    .onError(({ error }) => errorResponse(error, { requestId: 'test', log: silentLog }))
    .use(userControlRoutes(server.accounts.userAdmin))
  const product: Product = { ...systemProduct, open: async () => ({ fetch: async request => app.fetch(request), stop: async () => {} }) }
  return async (argv, stdin = '') => {
    const said = { out: '', err: '' }
    const io = {
      cwd: server.depot,
      stdinIsTerminal: false,
      stdoutIsTerminal: false,
      stderrIsTerminal: false,
      hasColors: false,
      out: async (data: string | Uint8Array) => void (said.out += typeof data === 'string' ? data : Buffer.from(data).toString()),
      err: (text: string) => void (said.err += text),
      stdin: () => new Blob([stdin]).stream(),
    }
    const code = await runProgram([...argv, '--depot', server.depot], { io, product, inputs: { env: {}, cwd: server.depot, flags: {}, readFile: () => null } })
    return { code, ...said }
  }
}

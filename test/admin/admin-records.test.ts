/** `/api/_admin/query` of a whole server: who may, and with which proof; a query reaches the writer while records are served. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

interface Tokens {
  readonly auth_token: string
  readonly csrf_token: string
}

let server: Server
let admin: Tokens

beforeAll(async () => {
  server = await startServer({ mode: 'memory' })
  const told = /email: +(\S+)\n.*\n +password: +(\S+)/.exec(server.logs())
  admin = await login(told?.[1] ?? '', told?.[2] ?? '')
})

afterAll(() => server.close())

async function login(email: string, password: string): Promise<Tokens> {
  const response = await fetch(`${server.url}/api/auth/v1/login`, { method: 'POST', body: JSON.stringify({ email, password }), headers: { 'Content-Type': 'application/json' } })
  expect(response.status).toBe(200)
  return (await response.json()) as Tokens
}

function ask(tokens: Partial<Tokens>, query: string, path = 'query', method = 'POST'): Promise<Response> {
  const headers = {
    ...(tokens.auth_token === undefined ? {} : { Authorization: `Bearer ${tokens.auth_token}` }),
    ...(tokens.csrf_token === undefined ? {} : { 'CSRF-Token': tokens.csrf_token }),
  }
  return fetch(`${server.url}/api/_admin/${path}`, { method, headers, ...(method === 'POST' ? { body: JSON.stringify({ query }) } : {}) })
}

test('an administrator with both proofs, nobody else', async () => {
  expect((await ask({}, 'SELECT 1')).status).toBe(401)
  expect((await ask({ auth_token: admin.auth_token }, 'SELECT 1')).status).toBe(400)
  expect((await ask({ ...admin, csrf_token: 'x' }, 'SELECT 1')).status).toBe(400)
  const answer = await ask(admin, `SELECT 1 AS one`)
  expect([answer.status, await answer.json()]).toEqual([200, { columns: [expect.objectContaining({ name: 'one', data_type: 'Integer' })], rows: [[{ Integer: 1 }]] }])
  expect((await ask(admin, '', 'query', 'GET')).status).toBe(405)
  expect((await ask(admin, '', 'tables', 'GET')).status).toBe(200)
  expect((await ask(admin, '', 'nothing', 'GET')).status).toBe(404)
  expect((await ask({}, '', 'nothing', 'GET')).status).toBe(401)
})

test('who is no administrator any more is refused at once', async () => {
  const answer = await ask(admin, 'CREATE TABLE mine (id INTEGER PRIMARY KEY) STRICT; INSERT INTO mine VALUES (7) RETURNING id')
  expect([answer.status, (await answer.json()) as object, Number(answer.headers.get('headwater-txn')) > 0]).toEqual([200, expect.objectContaining({ rows: [[{ Integer: 7 }]] }), true])
  expect((await ask(admin, 'UPDATE _user SET admin = FALSE')).status).toBe(200)
  expect((await ask(admin, 'SELECT 1')).status).toBe(403)
})

/** Users from the shell on a real depot: first with nobody running, then through the control socket of a server. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { initClient } from 'trailbase'
import { headwater, temporaryDirectory } from '../support/cli.ts'
import { startServer } from '../support/server.ts'

setDefaultTimeout(120_000)

test('a user of the shell owns records and streams of the server', async () => {
  using directory = temporaryDirectory()
  const depot = join(directory.path, 'depot')
  mkdirSync(join(depot, 'migrations/main'), { recursive: true })
  writeFileSync(join(depot, 'migrations/main/U1900000000__note.sql'), 'CREATE TABLE note (id INTEGER PRIMARY KEY, owner BLOB NOT NULL REFERENCES _user(id), body TEXT NOT NULL) STRICT;')
  writeFileSync(
    join(depot, 'config.textproto'),
    `record_apis { name: "notes" table_name: "note" acl_authenticated: [CREATE, READ] autofill_missing_user_id_columns: true read_access_rule: "_ROW_.owner = _USER_.id" }
stream_apis { name: "mine" pattern: "user/{sub}/**" acl_authenticated: [CREATE, READ, APPEND] }`,
  )
  expect((await headwater(['user', 'add', 'ann@example.com', 'ann’s password', '--depot', depot])).out).toBe('added ann@example.com\n')

  await using server = await startServer({ depot })
  const added = await headwater(['user', 'add', 'bob@example.com', '--json', '--depot', depot])
  const { password } = JSON.parse(added.out) as { password: string }
  const [ann, bob] = [initClient(server.url), initClient(server.url)]
  await ann.login('ann@example.com', 'ann’s password')
  await bob.login('bob@example.com', password)
  await ann.records('notes').create({ body: 'hers' })
  expect((await ann.records('notes').list()).records.map(record => record['body'])).toEqual(['hers'])
  expect((await bob.records('notes').list()).records).toEqual([])

  const token = (await headwater(['token', 'mint', 'ann@example.com', '--depot', depot])).out.trim()
  const put = async (authorization: Record<string, string>) => (await fetch(`${server.base}/user/x/1`, { method: 'PUT', headers: { 'Content-Type': 'text/plain', ...authorization } })).status
  expect([await put({ Authorization: `Bearer ${token}` }), await put({ Authorization: `Bearer ${token}x` }), await put({})]).toEqual([201, 401, 401])
  expect(statSync(join(depot, 'secrets/keys/private_key.pem')).mode & 0o777).toBe(0o600)
  expect(server.logs()).not.toContain(password)

  // Sessions and keys outlive the process.
  await server.restart()
  await ann.refreshAuthToken({ force: true })
  expect(ann.user()?.email).toBe('ann@example.com')
})

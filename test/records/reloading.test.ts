/** The schema changes while requests go on: none of them ends in a fault of ours, and afterwards all see the new one. */
import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiDefaults } from '../../src/records/catalog/api-config.ts'
import { json, startRecordServer } from '../support/record-server.ts'

const all = ['create', 'read', 'update', 'delete', 'schema'] as const

test('a migration renames and drops columns under load; a database comes in', async () => {
  const sql = 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, extra TEXT) STRICT; INSERT INTO note (id, body, extra) VALUES (1, \'a\', \'b\')'
  const api = { name: 'notes', tableName: 'note', aclWorld: all }
  await using server = await startRecordServer({ sql, apis: [api] })
  const ask = server.as(null)
  const statuses = new Map<string, Set<number>>()
  let isDone = false
  const load = async (name: string, request: () => Promise<Response>) => {
    const seen = new Set<number>()
    statuses.set(name, seen)
    while (!isDone) {
      const answer = await request()
      await answer.arrayBuffer()
      seen.add(answer.status)
    }
  }
  const loads = [
    load('read', () => ask('/notes/1')),
    load('list', () => ask('/notes?order=-id&limit=2')),
    load('filter', () => ask('/notes?filter[extra]=b')),
    load('create', () => ask('/notes', json('POST', { body: 'x', extra: 'y' }))),
    load('update', () => ask('/notes/1', json('PATCH', { body: 'z', extra: 'w' }))),
  ]
  const settings = (databases: readonly string[]) => ({
    config: { recordApis: [{ ...apiDefaults, ...api }], databases, schemas: new Map() },
    directories: { depot: server.directory, migrationsDir: join(server.directory, 'migrations') },
    queryMsMax: 2000, readersMax: 2, answersKeptMs: 86_400_000, retention: { ageMsMax: 1e9, bytesMax: 1e9 },
  })
  for (const [index, change] of ['ALTER TABLE note DROP COLUMN extra', 'ALTER TABLE note ADD COLUMN extra TEXT', 'ALTER TABLE note RENAME COLUMN extra TO more'].entries()) {
    writeFileSync(join(server.directory, 'migrations', 'main', `U180000001${index}__change.sql`), change)
    await server.records.apply(settings(index === 2 ? ['added'] : []))
  }
  isDone = true
  await Promise.all(loads)
  for (const [name, seen] of statuses) expect([name, [...seen].filter(status => status >= 500 && status !== 503)]).toEqual([name, []])
  expect(Object.keys((await (await ask('/notes/1')).json()) as object)).toEqual(['id', 'body', 'more'])
  expect(server.records.store.readNow('added', 'SELECT n FROM added._txn', [])).toEqual([[0n]])
}, 30_000)

test('a migration that fails keeps what is served, and says why', async () => {
  const api = { name: 'notes', tableName: 'note', aclWorld: all }
  await using server = await startRecordServer({ sql: 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT) STRICT', apis: [api] })
  writeFileSync(join(server.directory, 'migrations', 'main', 'U1800000010__bad.sql'), 'ALTER TABLE ghost ADD COLUMN x')
  const settings = {
    config: { recordApis: [{ ...apiDefaults, ...api }], databases: [], schemas: new Map() },
    directories: { depot: server.directory, migrationsDir: join(server.directory, 'migrations') },
    queryMsMax: 2000, readersMax: 2, answersKeptMs: 86_400_000, retention: { ageMsMax: 1e9, bytesMax: 1e9 },
  }
  await expect(server.records.apply(settings)).rejects.toThrow('no such table: ghost')
  expect((await server.as(null)('/notes', json('POST', { body: 'x' }))).status).toBe(200)
})

/** Where this server answers otherwise than TrailBase on purpose: the rows that docs/compatibility.md marks °, asked of a real server. What clients see alike is trailbase.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'

const migration = `
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE post (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL UNIQUE,
  n INTEGER,
  author INTEGER REFERENCES author(id),
  editor INTEGER REFERENCES author(id),
  data TEXT CHECK (jsonschema('named', data)),
  place BLOB CHECK (ST_IsValid(place)),
  excluded TEXT,
  _hidden TEXT
) STRICT;
INSERT INTO author VALUES (1, 'Ann');
INSERT INTO post (id, title, author, editor, excluded, _hidden) VALUES (1, '7', 1, 1, 'x', 'y'), (2, 'two', 1, 1, 'x', 'y');`

const config = `
server { enable_record_transactions: true }
schemas: [{ name: "named" schema: "{\\"type\\": \\"object\\", \\"required\\": [\\"name\\"]}" }]
record_apis: [
  { name: "post" table_name: "post" acl_world: [CREATE, READ, UPDATE, DELETE, SCHEMA] expand: ["author"] excluded_columns: ["excluded"] enable_subscriptions: true listing_hard_limit: 10 },
  { name: "keep" table_name: "author" conflict_resolution: IGNORE acl_world: [CREATE, READ] },
  { name: "ruled" table_name: "author" acl_world: [READ, DELETE, SCHEMA] delete_access_rule: "_ROW_.id > 1" schema_access_rule: "_USER_.id IS NULL" }
]`

let depot: DepotServer
beforeAll(async () => {
  depot = await startDepotServer({ config, migrations: { main: migration } })
})
afterAll(() => depot[Symbol.asyncDispose]())

/** Status and text of the answer. */
async function ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<readonly [number, string]> {
  const sent = body === undefined ? {} : { headers: { 'Content-Type': type }, body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(`${depot.url}${path.startsWith('/') ? path : `/api/records/v1/${path}`}`, { method, redirect: 'manual', ...sent })
  return [response.status, await response.text()]
}

async function batch(...operations: readonly object[]): Promise<readonly [number, string]> {
  return await ask('POST', '/api/transaction/v1/execute', { operations, transaction: true })
}

describe('who sees what', () => {
  test.each(['excluded', '_hidden'])('the column %s is nowhere', async column => {
    expect(await ask('GET', `post?order=${column}`)).toEqual([400, `Invalid query: there is no column "${column}" to order by`])
    expect((await ask('GET', `post?filter[${column}]=x`))[0]).toBe(400)
    expect((await ask('GET', `post/subscribe/*?filter[${column}]=x`))[0]).toBe(400)
    for (const path of ['post', 'post/1', 'post/schema?mode=Select']) {
      const [status, text] = await ask('GET', path)
      expect([status, text.includes(column)]).toEqual([200, false])
    }
  })

  test('only columns of `expand` are expanded', async () => {
    expect((await ask('GET', 'post/1?expand=author'))[1]).toContain('"author":{"id":1,"data":{"id":1,"name":"Ann"}},"editor":1')
    expect((await ask('GET', 'post/1?expand=editor'))[0]).toBe(400)
  })

  test('a schema rule is asked with the caller alone', async () => {
    expect((await ask('GET', 'ruled/schema'))[0]).toBe(200)
  })

  test('a create goes on to where it may only', async () => {
    for (const to of ['https://evil.example', '//evil.example', '/\\evil.example']) {
      expect(await ask('POST', `post?redirect_uri=${encodeURIComponent(to)}`, { title: 'nowhere' })).toEqual([400, 'invalid redirect'])
    }
    expect((await ask('GET', 'post?filter[title]=nowhere&count=true'))[1]).toBe('{"total_count":0,"records":[]}')
  })
})

describe('what a write answers', () => {
  test('of no record', async () => {
    expect(await ask('PATCH', 'post/99', { title: 'x' })).toEqual([404, ''])
    expect(await ask('DELETE', 'post/99')).toEqual([404, ''])
    expect(await ask('DELETE', 'ruled/99')).toEqual([403, ''])
  })

  test('of a constraint', async () => {
    const unique = [400, 'db constraint: unique'] as const
    expect(await ask('PATCH', 'post/1', { title: 'two' })).toEqual(unique)
    expect(await ask('POST', 'post', [{ title: 'same' }, { title: 'same' }])).toEqual(unique)
    expect(await batch({ Create: { api_name: 'post', value: { title: 'two' } } })).toEqual(unique)
  })

  test('of a batch that is refused', async () => {
    expect(await batch({ Delete: { api_name: 'post', record_id: '99' } })).toEqual([404, ''])
    expect(await batch({ Delete: { api_name: 'ruled', record_id: '1' } })).toEqual([403, ''])
    expect(await batch({ Delete: { api_name: 'none', record_id: '1' } })).toEqual([405, ''])
  })

  test('of nothing to change, and of a key that exists under IGNORE', async () => {
    expect(await ask('PATCH', 'post/1', {})).toEqual([200, ''])
    const [status, text] = await ask('POST', 'keep', { id: 1, name: 'Other' })
    expect([status, text.startsWith('{"ids":["1"]')]).toEqual([200, true])
    expect((await ask('GET', 'keep/1'))[1]).toBe('{"id":1,"name":"Ann"}')
  })

  test('of values', async () => {
    expect((await ask('POST', 'post', '{"title":"big","n":9223372036854775808}'))[0]).toBe(400)
    expect((await ask('POST', 'post', { title: 'text', n: '7' }))[0]).toBe(400)
    expect((await ask('POST', 'post', 'title=form&n=7', 'application/x-www-form-urlencoded'))[0]).toBe(200)
    expect((await ask('GET', 'post?filter[title]=form'))[1]).toContain('"n":7,')
    expect((await ask('POST', 'post', { title: 'json text', data: '{"name":"x"}' }))[0]).toBe(400)
    expect((await ask('POST', 'post', { title: 'json', data: { name: 'x' } }))[0]).toBe(200)
  })
})

test('what a list answers', async () => {
  expect((await ask('GET', 'post?filter[title]=007'))[1]).toBe('{"total_count":0,"records":[]}')
  expect((await ask('GET', 'post?filter[title]=7&fields=id'))[1]).toContain('"records":[{"id":1}]')
  expect((await ask('GET', 'post?geojson=place&filter[title]=none'))[1]).toBe('{"type":"FeatureCollection","features":[],"total_count":0}')
  expect(await ask('GET', 'post?limit=11')).toEqual([400, 'limit exceeds max limit of 10'])
})

/** Columns that are not shown, through every route of a whole server: a matrix of requests is generated, and no answer knows their names or values. What lists refuse is query/leak.test.ts. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { operators } from '../../src/records/query/filter-tree.ts'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'

// Starting a server may build it first.
setDefaultTimeout(60_000)

const tables = `
CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT, _hidden TEXT DEFAULT 'leak-owner-hidden', excluded TEXT DEFAULT 'leak-owner-excluded') STRICT;
CREATE TABLE thing (
  id INTEGER PRIMARY KEY,
  name TEXT,
  owner INTEGER REFERENCES owner(id),
  _hidden TEXT DEFAULT 'leak-hidden' CHECK (_hidden <> 'refused'),
  excluded TEXT DEFAULT 'leak-excluded'
) STRICT;
CREATE UNIQUE INDEX thing_hidden ON thing (_hidden) WHERE _hidden <> 'leak-hidden';
CREATE VIEW thing_view AS SELECT id, name, owner, _hidden, excluded FROM thing;
CREATE VIRTUAL TABLE thing_search USING fts5(name, excluded);
INSERT INTO owner (id, name) VALUES (1, 'o'), (2, 'p');
INSERT INTO thing (id, name, owner) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 1);
INSERT INTO thing_search (rowid, name, excluded) VALUES (1, 'a word', 'leak-searched');
`

const acl = 'acl_world: [CREATE, READ, UPDATE, DELETE, SCHEMA]'
const config = `
server { enable_record_transactions: true }
record_apis: [{
  name: "things" table_name: "thing" ${acl} enable_subscriptions: true excluded_columns: ["excluded"] expand: ["owner@owners"]
}, {
  name: "owners" table_name: "owner" ${acl} excluded_columns: ["excluded"] expand: ["things:thing.owner@things"]
}, {
  name: "views" table_name: "thing_view" acl_world: [READ, SCHEMA] excluded_columns: ["excluded"]
}, {
  name: "words" table_name: "thing_search" acl_world: [READ, SCHEMA] excluded_columns: ["excluded"]
}, {
  name: "guarded" table_name: "thing" ${acl} excluded_columns: ["excluded"]
  read_access_rule: "_ROW_._hidden = 'leak-hidden'" create_access_rule: "_REQ_.name <> 'denied'" update_access_rule: "_ROW_.excluded = 'leak-excluded'"
}]
`

let depot: DepotServer
beforeAll(async () => {
  depot = await startDepotServer({ config, migrations: { main: tables } })
})
afterAll(() => depot[Symbol.asyncDispose]())

interface Asked {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

const get = (path: string): Asked => ({ method: 'GET', path: `/api/records/v1${path}` })
const write = (method: string, path: string, body: unknown): Asked => ({ method, path: `/api/records/v1${path}`, body })

/** Every way to say `column`. Names in all of them can be compared with a column that does not exist. */
function requestsNaming(column: string): readonly Asked[] {
  const queries = [
    ...operators.map(operator => `filter[${column}][${operator}]=NULL`),
    `filter[${column}]=leak-hidden`, `filter[$or][0][${column}]=x&filter[$or][1][id]=1`, `filter[owner.${column}]=x`,
    `order=${column}`, `order=-${column},id`, `fields=${column}`, `fields=id,${column}`, `expand=${column}`, `expand=owner.${column}`, `expand=things.${column}`,
    `aggregate=min(${column})`, `aggregate=count&group=${column}`, `aggregate=count&order=${column}`, `geojson=${column}`,
  ]
  const lists = ['things', 'owners', 'views', 'words', 'guarded'].flatMap(api => queries.map(query => get(`/${api}?${query}`)))
  const reads = ['things', 'guarded', 'owners', 'views'].flatMap(api => [get(`/${api}/1?fields=${column}`), get(`/${api}/1?expand=${column}`)])
  const files = [get(`/things/1/file/${column}`), get(`/things/1/files/${column}/x`)]
  const subscriptions = [get(`/things/subscribe/*?filter[${column}]=x`), get(`/things/subscribe/*?filter[$or][0][${column}][$like]=leak%25&filter[$or][1][id]=1`)]
  return [...lists, ...reads, ...files, ...subscriptions]
}

/** What names an excluded column in a body; hidden ones may be written. */
function writesNaming(column: string): readonly Asked[] {
  const operation = { Create: { api_name: 'things', value: { [column]: 'x' } } }
  return [
    write('POST', '/things', { name: 'x', [column]: 'x' }),
    write('POST', '/things', [{ name: 'x' }, { [column]: 'x' }]),
    write('PATCH', '/things/3', { [column]: 'x' }),
    write('POST', '/guarded', { name: 'x', [column]: 'x' }),
    { method: 'POST', path: '/api/transaction/v1/execute', body: { operations: [operation] } },
  ]
}

/** Good and bad requests that do not name it. */
const others: readonly Asked[] = [
  ...['things', 'owners', 'views', 'words', 'guarded'].flatMap(api => ['', '?count=true', '?order=-name', '?limit=1', '?aggregate=count,min(name)', '?filter[name][$like]=%25'].map(query => get(`/${api}${query}`))),
  ...['things', 'owners', 'views', 'words', 'guarded'].flatMap(api => ['?mode=Select', '?mode=nothing'].map(query => get(`/${api}/schema${query}`))),
  ...['things', 'owners', 'views', 'words', 'guarded'].flatMap(api => ['1', '999', 'x'].map(id => get(`/${api}/${id}`))),
  get('/things?expand=owner'), get('/things/1?expand=owner'), get('/owners?expand=things'), get('/owners/1?expand=things'), get('/words?match=word'), get('/words?match=leak'),
  write('POST', '/things', { name: 'n', _hidden: 'refused' }),
  write('POST', '/things', { id: 1, name: 'twice' }),
  write('POST', '/things', { name: 7 }),
  write('POST', '/things', '{'),
  write('POST', '/guarded', { name: 'denied' }),
  write('POST', '/guarded', { name: 'n', _hidden: 'allowed-1' }),
  write('POST', '/guarded', { name: 'n', _hidden: 'allowed-1' }),
  write('PATCH', '/things/2', { _hidden: 'refused' }),
  write('PATCH', '/guarded/999', { name: 'n' }),
  write('PATCH', '/guarded/2', { name: 'renamed' }),
  write('DELETE', '/guarded/999', undefined),
  { method: 'POST', path: '/api/transaction/v1/execute', body: { operations: [{ Create: { api_name: 'guarded', value: { name: 'n', _hidden: 'refused' } } }] } },
]

async function ask({ method, path, body }: Asked): Promise<string> {
  const text = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await fetch(depot.url + path, { method, ...text })
  const fields = [...answer.headers].filter(([name]) => !/^(date|x-request-id|headwater-txn|etag)$/.test(name))
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return `${answer.status} ${JSON.stringify(fields)} ${await answer.text()}`
  await answer.body?.cancel()
  return `${answer.status} ${JSON.stringify(fields)}`
}

/** Answers without what they must differ in: the name that was asked for, and ids and numbers of what was written. */
const comparable = (answer: string, column: string) => answer.replaceAll(column, '?').replace(/"(request_id|txn)":("[^"]*"|\d+)/, '').replace(/\d+(?=")/g, 'n')

describe('a column that is not shown', () => {
  for (const column of ['_hidden', 'excluded']) {
    test(`${column} is answered for like one that does not exist`, async () => {
      const asked = requestsNaming(column)
      const nothing = requestsNaming('nothing')
      for (const [i, request] of asked.entries()) {
        const [real, unreal] = [await ask(request), await ask(nothing[i] ?? request)]
        expect([request.path, comparable(real, column)]).toEqual([request.path, comparable(unreal, 'nothing')])
        expect(real).not.toContain('leak')
        expect(Number(real.slice(0, 3))).toBeOneOf([400, 403, 404, 405])
      }
    })
  }

  test('an excluded one is written like one that does not exist', async () => {
    const nothing = writesNaming('nothing')
    for (const [i, request] of writesNaming('excluded').entries()) {
      expect([request.path, comparable(await ask(request), 'excluded')]).toEqual([request.path, comparable(await ask(nothing[i] ?? request), 'nothing')])
    }
    const { Database } = await import('bun:sqlite')
    using db = new Database(join(depot.depot, 'data/main.db'), { readonly: true })
    expect(db.query("SELECT DISTINCT excluded FROM thing").values()).toEqual([['leak-excluded']])
  })

  test('is in no other answer, whether good or bad', async () => {
    const statuses = new Set<string>()
    for (const request of others) {
      const answer = await ask(request)
      statuses.add(answer.slice(0, 3))
      expect([request, answer.match(/leak|_hidden|excluded|thing_hidden/)?.[0] ?? null]).toEqual([request, null])
    }
    expect([...statuses].sort()).toEqual(['200', '400', '403', '404'])
  })

  // A hidden column may be written, so these modes name it, as TrailBase's do (trailbase-api.md §5.7).
  test('is in no schema of what may be written when it is excluded', async () => {
    for (const api of ['things', 'owners', 'views', 'words', 'guarded']) {
      for (const mode of ['Insert', 'Update']) expect(await ask(get(`/${api}/schema?mode=${mode}`))).not.toMatch(/excluded|leak/)
    }
  })

  test('is not in the description of the API when it is excluded', async () => {
    const text = await ask({ method: 'GET', path: '/api/openapi.json' })
    expect(text).toContain('/api/records/v1/things')
    expect(text).not.toMatch(/excluded"|leak/)
  })

  test('does not show in the version of a record', async () => {
    const tag = async () => (await fetch(`${depot.url}/api/records/v1/things/2`)).headers.get('etag')
    const before = await tag()
    expect((await ask(write('PATCH', '/things/2', { _hidden: 'otherwise' }))).slice(0, 3)).toBe('200')
    expect(await tag()).toBe(before)
  })

  test('is in no event: live, resumed, in a snapshot, of one record', async () => {
    const root = `${depot.url}/api/records/v1/things/subscribe`
    const seen = ['*', '1', '*?follow=snapshot', '*?since=1'].map(target => framesUntil(`${root}/${target}`, '"Delete":{"id":1,'))
    await Bun.sleep(100)
    for (const request of [write('POST', '/things', { name: 'new', _hidden: 'secret' }), write('PATCH', '/things/1', { _hidden: 'leak-other' }), write('DELETE', '/things/1', undefined)]) {
      expect((await ask(request)).slice(0, 3)).toBe('200')
    }
    for (const text of await Promise.all(seen)) {
      expect(text).toContain('"Update":{"id":1,"name":"a","owner":1}')
      expect(text).not.toMatch(/leak|secret|hidden|excluded/)
    }
  })
})

/** The text of an event stream up to `end`. */
async function framesUntil(url: string, end: string): Promise<string> {
  const controller = new AbortController()
  const answer = await fetch(url, { signal: AbortSignal.any([controller.signal, AbortSignal.timeout(5000)]) })
  expect(answer.status).toBe(200)
  let text = ''
  for await (const piece of answer.body ?? expect.unreachable()) {
    text += Buffer.from(piece).toString()
    if (text.includes(end)) break
  }
  controller.abort()
  return text
}

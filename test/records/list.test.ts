/** Lists through the store: bodies formed in reader threads, deadlines, and whose fault an error of SQLite is. */
import { expect, test } from 'bun:test'
import { must } from '../../src/lib/assert.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { anonymous, localAdmin, type Principal } from '../../src/lib/principal.ts'
import type { SqlRow } from '../../src/lib/sql-value.ts'
import { apiDefaults } from '../../src/records/catalog/api-config.ts'
import { compileCatalog } from '../../src/records/catalog/compile.ts'
import { readSchema } from '../../src/records/catalog/read-schema.ts'
import { listRecords } from '../../src/records/list.ts'
import { readRecord } from '../../src/records/read.ts'
import { makeDepot } from '../support/depot.ts'

const sql = `
  CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT) STRICT;
  CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT NOT NULL, author INTEGER REFERENCES author(id)) STRICT;
  INSERT INTO author VALUES (1, 'a');
  INSERT INTO post WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT i, 'a title that is not short ' || i, 1 FROM n;
  CREATE VIRTUAL TABLE doc USING fts5 (title); INSERT INTO doc VALUES ('some words')`

const recordApis = [
  { ...apiDefaults, name: 'posts', tableName: 'post', expand: ['author'] },
  { ...apiDefaults, name: 'failing', tableName: 'post', readAccessRule: 'abs(-9223372036854775807 - (_ROW_.id > 0)) > 0' },
  { ...apiDefaults, name: 'docs', tableName: 'doc' },
]

test('are read, formed, cut and refused', async () => {
  await using depot = await makeDepot({ sql })
  const read = (text: string): readonly SqlRow[] => depot.rows(text)
  const { apis } = compileCatalog({ recordApis, databases: [], schemas: new Map() }, readSchema(read, new Map()), 1, read)
  const list = async (api: string, query: string, principal: Principal = localAdmin, deadlineMs = 2000) =>
    await listRecords({ read: request => depot.store.read(request), deadlineMs }, must(apis.get(api), 'the API is there'), principal, query)
  const statusOf = async (...args: Parameters<typeof list>) => await list(...args).then(() => 200, (error: unknown) => (error instanceof Refusal ? error.status : Promise.reject(error)))

  const page = JSON.parse(await list('posts', 'limit=2&expand=author&count=true', anonymous)) as { total_count: number; records: unknown[] }
  expect(page).toMatchObject({ total_count: 400_000, records: [{ id: 400_000, author: { id: 1, data: { id: 1, name: 'a' } } }, { id: 399_999 }] })

  const record = await readRecord(
    { read: request => depot.store.read(request), readNow: (...args) => depot.store.readNow(...args), deadlineMs: 2000 },
    must(apis.get('posts'), 'the API is there'),
    anonymous,
    '7',
    'expand=author',
  )
  expect(record.text).toBe('{"id":7,"title":"a title that is not short 7","author":{"id":1,"data":{"id":1,"name":"a"}}}')

  // What does not end in time is the client's to mend, and nobody else waits for it.
  const startedAt = performance.now()
  const late = statusOf('posts', `filter[title][$like]=${'%25t%25i'.repeat(20)}%25z&count=true`, anonymous, 60)
  expect(await statusOf('posts', 'limit=1')).toBe(200)
  expect(await late).toBe(422)
  expect(performance.now() - startedAt).toBeLessThan(10_000)

  expect(await statusOf('docs', 'match=words')).toBe(200)
  expect(await statusOf('docs', 'match=AND+AND')).toBe(400)
  expect(await statusOf('docs', 'match=nothing:words')).toBe(400)
  // A rule that ends in an error denies.
  expect(await statusOf('failing', 'limit=1', anonymous)).toBe(403)
  expect(await statusOf('failing', 'limit=1', localAdmin)).toBe(200)
})

test('a query that is asked again is answered for whoever asks now', async () => {
  await using depot = await makeDepot({ sql: `CREATE TABLE note (id INTEGER PRIMARY KEY, owner BLOB NOT NULL) STRICT; INSERT INTO note VALUES (1, x'${'01'.repeat(16)}'), (2, x'${'02'.repeat(16)}'), (3, x'${'02'.repeat(16)}')` })
  const read = (text: string): readonly SqlRow[] => depot.rows(text)
  const config = { recordApis: [{ ...apiDefaults, name: 'notes', tableName: 'note', readAccessRule: '_ROW_.owner = _USER_.id' }], databases: [], schemas: new Map() }
  const api = must(compileCatalog(config, readSchema(read, new Map()), 1, read).apis.get('notes'), 'the API is there')
  const user = (byte: number): Principal => ({ kind: 'user', subject: '', issuer: '', claims: {}, expiresAtMs: null, account: { id: new Uint8Array(16).fill(byte), isAdmin: false } })
  const list = async (principal: Principal, query: string) => {
    const { records, total_count } = JSON.parse(await listRecords({ read: request => depot.store.read(request), deadlineMs: 2000 }, api, principal, query)) as { records: { id: number }[]; total_count?: number }
    return [records.map(({ id }) => id), total_count]
  }
  for (const query of ['', 'count=true', 'count=true&filter[id][$gt]=1', 'limit=0&count=true']) {
    const some = (ids: number[]) => (query.includes('gt') ? ids.filter(id => id > 1) : ids)
    const isCounted = query.includes('count')
    const answer = (ids: number[]) => [query.includes('limit=0') ? [] : some(ids), isCounted || some(ids).length === 0 ? some(ids).length : undefined]
    for (let round = 0; round < 2; round++) {
      expect(await list(user(2), query)).toEqual(answer([3, 2]))
      expect(await list(anonymous, query)).toEqual(answer([]))
      expect(await list(localAdmin, query)).toEqual(answer([3, 2, 1]))
      expect(await list(user(1), query)).toEqual(answer([1]))
    }
  }
})

test('values that are too many for a body are not gathered first', async () => {
  // 300 texts of two million characters each, made when they are read.
  await using depot = await makeDepot({
    sql: `CREATE TABLE shelf (id INTEGER PRIMARY KEY, name TEXT) STRICT;
      CREATE TABLE book (id INTEGER PRIMARY KEY, shelf INTEGER REFERENCES shelf(id), text TEXT GENERATED ALWAYS AS (hex(zeroblob(1000000)))) STRICT;
      CREATE INDEX by_shelf ON book (shelf);
      INSERT INTO shelf WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i, 's' FROM n;
      INSERT INTO book (shelf) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT 1 + i % 3 FROM n`,
  })
  const read = (text: string): readonly SqlRow[] => depot.rows(text)
  const config = {
    recordApis: [
      { ...apiDefaults, name: 'books', tableName: 'book', aclWorld: ['read' as const], listingHardLimit: 1000 },
      { ...apiDefaults, name: 'shelves', tableName: 'shelf', expand: ['books:book.shelf@books'] },
    ],
    databases: [],
    schemas: new Map(),
  }
  const { apis } = compileCatalog(config, readSchema(read, new Map()), 1, read)
  const parts = { read: (request: Parameters<typeof depot.store.read>[0]) => depot.store.read(request), readNow: (...args: Parameters<typeof depot.store.readNow>) => depot.store.readNow(...args), deadlineMs: 20_000 }
  const asked: readonly [string, () => Promise<unknown>][] = [
    ['books', async () => await listRecords(parts, must(apis.get('books'), 'there'), localAdmin, 'limit=300')],
    ['shelf', async () => await readRecord(parts, must(apis.get('shelves'), 'there'), localAdmin, '1', 'expand=books')],
  ]
  for (const [name, ask] of asked) {
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    let most = before
    const look = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5)
    const told = await ask().catch((error: unknown) => error)
    clearInterval(look)
    expect(told).toMatchObject({ code: 'query_too_costly' })
    expect((most - before) / 2 ** 20, name).toBeLessThan(250)
  }
}, 30_000)

test('columns may have names that an object would not keep apart or in order', async () => {
  const columns = ['id', '2', '1', 'hw_0', 'c1', 'constructor']
  await using depot = await makeDepot({
    sql: `CREATE TABLE odd (id INTEGER PRIMARY KEY, ${columns.slice(1).map(name => `"${name}" TEXT`).join(', ')}, parent INTEGER REFERENCES odd(id)) STRICT;
      INSERT INTO odd VALUES (1, ${columns.slice(1).map(name => `'of ${name}'`).join(', ')}, 1)`,
  })
  const read = (text: string): readonly SqlRow[] => depot.rows(text)
  const config = { recordApis: [{ ...apiDefaults, name: 'odd', tableName: 'odd', expand: ['parent'] }], databases: [], schemas: new Map() }
  const api = must(compileCatalog(config, readSchema(read, new Map()), 1, read).apis.get('odd'), 'the API is there')
  const list = async (query: string) => await listRecords({ read: request => depot.store.read(request), deadlineMs: 2000 }, api, localAdmin, query)
  const values = `"id":1,${columns.slice(1).map(name => `"${name}":"of ${name}"`).join(',')}`
  expect(await list('skip_cursor=true')).toBe(`{"records":[{${values},"parent":{"id":1}}]}`)
  expect(await list('skip_cursor=true&expand=parent')).toBe(`{"records":[{${values},"parent":{"id":1,"data":{${values},"parent":1}}}]}`)
  expect(await list('group=1,2&aggregate=count,max(1),sum(id)')).toBe('{"groups":[{"1":"of 1","2":"of 2","count":1,"max(1)":"of 1","sum(id)":1}]}')
})

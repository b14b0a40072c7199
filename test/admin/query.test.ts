/** SQL of administrators: shapes, limits, what is refused, and that the rest of the server hears of it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { queryAnswer } from '../../src/admin/query-answer.ts'
import { queryRowsMax } from '../../src/admin/query-plan.ts'
import type { QueryParts } from '../../src/admin/query.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { startRecordServer, type RecordServer } from '../support/record-server.ts'

setDefaultTimeout(60_000)

let server: RecordServer
let parts: QueryParts
const commits: string[] = []

beforeAll(async () => {
  server = await startRecordServer({
    sql: `CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (length(title) > 0), score REAL, raw BLOB, any_value ANY) STRICT;`,
    databases: { more: 'CREATE TABLE event (id INTEGER PRIMARY KEY, what TEXT) STRICT;' },
    apis: [{ name: 'posts', tableName: 'post', aclWorld: ['read'] }],
  })
  server.records.store.onCommit(database => commits.push(database))
  parts = { records: server.records, queryMsMax: 500, log: silentLog }
})

afterAll(() => server[Symbol.asyncDispose]())

async function ask(query: string, rest: object = {}): Promise<{ status: number; text: string; txn: string | null }> {
  try {
    const answer = await queryAnswer(parts, new Request('http://x/', { method: 'POST', body: JSON.stringify({ query, ...rest }) }))
    return { status: answer.status, text: await answer.text(), txn: answer.headers.get('Headwater-Txn') }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const details: { readonly detail?: string } = error.details
    return { status: error.status, text: `${error.code}: ${details.detail}`, txn: null }
  }
}

const rowsOf = (text: string): unknown => (JSON.parse(text) as { rows: unknown }).rows

describe('shapes', () => {
  test('every type, exact', async () => {
    const { text } = await ask(`SELECT 9223372036854775807 AS i, 1.0 AS r, 0.1 AS q, 9e999 AS inf, 'ü"' AS t, x'00ff' AS b, NULL AS n`)
    expect(text).toContain('[{"Integer":9223372036854775807},{"Real":1.0},{"Real":0.1},{"Real":1e999},{"Text":"ü\\""},{"Blob":{"Base64UrlSafe":"AP8"}},"Null"]')
    expect(JSON.parse(text)).toMatchObject({ columns: [{ name: 'i', data_type: 'Integer', affinity_type: 'Integer', options: [] }, {}, {}, {}, { type_name: 'TEXT' }, {}, { data_type: 'Any' }] })
  })

  test('order and columns of the same name stay', async () => {
    const { text } = await ask('SELECT column1 AS a, column1 FROM (VALUES (2), (3), (1)) ORDER BY 1 DESC')
    expect(rowsOf(text)).toEqual([[{ Integer: 3 }, { Integer: 3 }], [{ Integer: 2 }, { Integer: 2 }], [{ Integer: 1 }, { Integer: 1 }]])
  })

  test('no rows: no columns; the result of several is that of the last that gives rows', async () => {
    expect(JSON.parse((await ask(`INSERT INTO post (title) VALUES ('x')`)).text)).toMatchObject({ columns: null, rows: [], txn: expect.any(Number) })
    expect(rowsOf((await ask('SELECT 1; SELECT 2 -- the end\n;')).text)).toEqual([[{ Integer: 2 }]])
    expect(rowsOf((await ask(`SELECT 1; UPDATE post SET score = 2 WHERE id = -1`)).text)).toEqual([[{ Integer: 1 }]])
  })
})

describe('writes', () => {
  test('all or nothing, seen by those who follow', async () => {
    commits.length = 0
    const done = await ask(`INSERT INTO post (id, title) VALUES (10, 'a'); INSERT INTO post (id, title) VALUES (11, 'b') RETURNING id`)
    expect([done.status, rowsOf(done.text), commits]).toEqual([200, [[{ Integer: 11 }]], ['main']])
    expect(Number(done.txn)).toBeGreaterThan(0)
    const failed = await ask(`INSERT INTO post (id, title) VALUES (12, 'c'); INSERT INTO post (id, title) VALUES (13, '')`)
    expect([failed.status, failed.text]).toEqual([400, expect.stringContaining('CHECK constraint failed')])
    expect(rowsOf((await ask('SELECT count(*) FROM post WHERE id >= 12')).text)).toEqual([[{ Integer: 0 }]])
  })

  test('BEGIN and COMMIT around them say nothing more; others are refused', async () => {
    expect((await ask(`BEGIN; INSERT INTO post (id, title) VALUES (20, 'a'); COMMIT;`)).status).toBe(200)
    for (const query of ['BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT a', `INSERT INTO post (title) VALUES ('a'); COMMIT`]) {
      expect((await ask(query)).status).toBe(412)
    }
  })

  test('an additional database has its own writer', async () => {
    expect((await ask(`INSERT INTO more.event (what) VALUES ('x')`)).status).toBe(200)
    expect((await ask(`INSERT INTO event (what) VALUES ('y')`, { attached_databases: ['more'] })).status).toBe(200)
    expect(rowsOf((await ask('SELECT what FROM more.event ORDER BY id')).text)).toEqual([[{ Text: 'x' }], [{ Text: 'y' }]])
    expect((await ask(`WITH x(v) AS (SELECT title FROM main.post LIMIT 1) INSERT INTO more.event (what) SELECT v FROM x`)).status).toBe(200)
    expect((await ask(`INSERT INTO more.event (what) VALUES ('z'); INSERT INTO main.post (title) VALUES ('z')`)).text).toContain('one database')
    expect((await ask('SELECT 1', { attached_databases: ['nothing'] })).status).toBe(400)
  })

  test('a changed schema is known at once; one that breaks an API is told', async () => {
    expect((await ask('CREATE TABLE fresh (id INTEGER PRIMARY KEY) STRICT')).status).toBe(200)
    expect(server.records.catalog.relations.has('main.fresh')).toBe(true)
    const broken = await ask('ALTER TABLE post RENAME TO posting')
    expect([broken.status, broken.text]).toEqual([422, expect.stringContaining('record_apis[0] "posts"')])
    expect((await ask('ALTER TABLE posting RENAME TO post')).status).toBe(200)
    expect((await server.as(null)('/posts')).status).toBe(200)
  })

  test('VACUUM alone', async () => {
    expect((await ask('VACUUM')).status).toBe(200)
    expect((await ask('SELECT 1; VACUUM')).status).toBe(412)
    expect((await ask(`VACUUM INTO '/tmp/x.db'`)).status).toBe(412)
  })
})

describe('refusals', () => {
  test('ATTACH and DETACH, in any disguise', async () => {
    for (const query of [`ATTACH 'x' AS y`, `SELECT 1; attach 'x' AS y`, `/* */ -- \n ATTACH DATABASE 'x' AS y`, 'DETACH more', ';;DETACH more']) {
      expect((await ask(query)).status).toBe(412)
    }
  })

  test('PRAGMAs that set something; those that tell are run', async () => {
    for (const query of ['PRAGMA synchronous = OFF', 'PRAGMA main.journal_mode(DELETE)', 'PRAGMA foreign_keys(0)', 'PRAGMA wal_checkpoint', 'PRAGMA user_version(3)', 'PRAGMA writable_schema=ON']) {
      expect((await ask(query)).status).toBe(412)
    }
    expect(rowsOf((await ask('PRAGMA main.table_info(post)')).text)).toHaveLength(5)
    expect(rowsOf((await ask('PRAGMA foreign_keys')).text)).toHaveLength(1)
  })

  test('read-only refuses every way to write', async () => {
    for (const query of [`DELETE FROM post`, `WITH a AS (SELECT 1) DELETE FROM post`, 'DROP TABLE post', 'CREATE TABLE y (a)', 'VACUUM', 'PRAGMA user_version']) {
      const { status } = await ask(query, { read_only: true })
      expect([query, status]).toEqual([query, query.startsWith('PRAGMA') ? 200 : 400])
    }
    expect((await ask('WITH a(x) AS (SELECT 4) SELECT x FROM a', { read_only: true })).status).toBe(200)
  })

  test('mistakes are the query’s', async () => {
    for (const query of ['', ' -- nothing', 'SELEC 1', 'SELECT * FROM nowhere', "SELECT 'open", 'SELECT ?1', 'SELECT 1 FROM (SELECT']) {
      expect([query, (await ask(query)).status]).toEqual([query, 400])
    }
    for (const body of ['{}', '[]', '{"query":1}', 'x', '{"query":"SELECT 1","read_only":"yes"}']) {
      await expect(queryAnswer(parts, new Request('http://x/', { method: 'POST', body }))).rejects.toBeInstanceOf(Refusal)
    }
  })

  test('too many rows, and too much time', async () => {
    const count = (rows: number) => `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ${rows}) SELECT x FROM n`
    expect((await ask(count(queryRowsMax))).status).toBe(200)
    expect((await ask(count(queryRowsMax + 1))).text).toContain('add a LIMIT')
    const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)'
    for (const query of [`${endless} SELECT x FROM n WHERE x < 0`, `${endless} SELECT count(*) FROM n`, `SELECT (SELECT max(x) FROM (${endless} SELECT x FROM n))`, `SELECT 1; ${endless} SELECT max(x) FROM n`]) {
      expect([query, (await ask(query)).text]).toEqual([query, expect.stringContaining('query_too_costly')])
    }
    const text = (rows: number) => `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ${rows}) SELECT hex(zeroblob(8 * 1024 * 1024)) AS t FROM n`
    expect((await ask(text(5))).text).toContain('more than 67108864 characters')
    // More of them than there are threads, and none was lost.
    expect((await ask('SELECT 1')).status).toBe(200)
  })
})

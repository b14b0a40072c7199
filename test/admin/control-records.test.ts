/** Rows of tables over the control API: pages by key, batches, whole imports; and the refusals that name a row. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { controlRecords, type ControlRecords } from '../../src/admin/control-records.ts'
import { rowOfWire, wireRow } from '../../src/admin/tables-wire.ts'
import { Refusal } from '../../src/lib/errors.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { SqlRow } from '../../src/lib/sql-value.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startRecordServer, type RecordServer } from '../support/record-server.ts'

let server: RecordServer
let handle: ControlRecords
const clock = new ManualClock()

beforeAll(async () => {
  server = await startRecordServer({
    sql: `
      CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE CHECK (length(title) > 0), twice TEXT AS (title || title)) STRICT;
      CREATE TABLE pair (a TEXT, b BLOB, n INTEGER, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID;
      CREATE TABLE shy (rowid TEXT, _rowid_ TEXT, v INTEGER);
      CREATE TABLE hidden (rowid TEXT, _rowid_ TEXT, oid TEXT);
      CREATE TABLE child (id INTEGER PRIMARY KEY, post INTEGER REFERENCES post (id)) STRICT;
      CREATE VIEW titles AS SELECT title FROM post;
    `,
    databases: { more: 'CREATE TABLE event (id INTEGER PRIMARY KEY, what ANY) STRICT;' },
    apis: [{ name: 'posts', tableName: 'post', aclWorld: ['read'] }],
  })
  handle = controlRecords({ records: server.records, openApi: async () => ({ text: () => '{}' }), queryMsMax: 500, log: silentLog, clock, ids: systemIds })
})

afterAll(() => server[Symbol.asyncDispose]())

type Answer = Readonly<Record<string, unknown>> & { readonly status: number }

async function ask(method: string, path: string, body?: object): Promise<Answer> {
  try {
    const answer = await handle(new Request(`http://x/control${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }))
    if (answer === null) return { status: 0 }
    return { status: answer.status, ...((await answer.json()) as object) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: error.status, code: error.code, ...(error.details as object) }
  }
}

async function pages(table: string, limit: number): Promise<SqlRow[]> {
  const rows: SqlRow[] = []
  let after: string | null = ''
  while (after !== null) {
    const page: Answer = await ask('GET', `/table/rows?${new URLSearchParams({ table, limit: String(limit), ...(after === '' ? {} : { after }) })}`)
    expect(page.status).toBe(200)
    rows.push(...(page['rows'] as (string | null)[][]).map(rowOfWire))
    after = page['next'] as string | null
  }
  return rows
}

const store = (table: string, columns: readonly string[], rows: readonly SqlRow[], conflict = 'fail') =>
  ask('POST', '/table/rows', { table, columns, rows: rows.map(wireRow), conflict })
const read = (sql: string) => server.records.store.readNow('main', sql, [])
const count = (table: string) => read(`SELECT count(*) FROM ${table}`)[0]?.[0]

describe('pages', () => {
  test('by rowid, by composite key, by another name of the rowid', async () => {
    await store('post', ['id', 'title'], Array.from({ length: 25 }, (_, i) => [BigInt(i * 3 - 20), `t${i}`]))
    await store('pair', ['a', 'b', 'n'], Array.from({ length: 20 }, (_, i) => [`k${i % 7}`, new Uint8Array([i % 3]), BigInt(i)]))
    await store('shy', ['rowid', 'v'], Array.from({ length: 7 }, (_, i) => ['same', BigInt(i)]))
    for (const limit of [1, 2, 7, 25, 2000]) {
      expect((await pages('post', limit)).map(([id]) => id)).toEqual(Array.from({ length: 25 }, (_, i) => BigInt(i * 3 - 20)))
      expect(new Set((await pages('pair', limit)).map(([, , n]) => n)).size).toBe(20)
      expect((await pages('shy', limit)).map(([, , v]) => v)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n])
    }
  })

  test('the shape leaves out generated columns; what is no table is refused', async () => {
    expect(await ask('GET', '/table?table=POST')).toEqual({ status: 200, database: 'main', name: 'post', isStrict: true, columns: [{ name: 'id', type: 'INTEGER', isUuid: false }, { name: 'title', type: 'TEXT', isUuid: false }] })
    expect(await ask('GET', '/table?table=more.event')).toMatchObject({ status: 200, database: 'more' })
    expect(await ask('GET', '/table?table=pots')).toMatchObject({ status: 404, detail: 'there is no table "pots"; did you mean "post"?' })
    expect(await ask('GET', '/table?table=titles')).toMatchObject({ status: 400, detail: expect.stringContaining('is a view') })
    expect(await ask('GET', '/table/rows?table=hidden')).toMatchObject({ status: 400, detail: expect.stringContaining('hide its rowid') })
    expect((await ask('GET', '/table/rows?table=post&limit=0')).status).toBe(400)
    for (const after of ['x', '["t1"]]', '["i1","i2"]', '{}']) expect((await ask('GET', `/table/rows?table=post&after=${encodeURIComponent(after)}`)).status).toBe(400)
    expect(await ask('GET', '/nowhere')).toEqual({ status: 0 })
    expect(await ask('PUT', '/table/rows')).toMatchObject({ status: 405, allow: 'GET, POST' })
  })
})

describe('batches', () => {
  test('whole or not at all, with the row that does not fit', async () => {
    const before = count('post')
    const rows = Array.from({ length: 250 }, (_, i): SqlRow => [BigInt(1000 + i), i === 137 ? '' : `n${i}`])
    expect(await store('post', ['id', 'title'], rows)).toMatchObject({ status: 400, code: 'import_failed', row: 137, detail: expect.stringContaining('CHECK') })
    expect(await store('post', ['id', 'title'], [[2000n, 'u'], [2001n, 'u']])).toMatchObject({ row: 1, detail: expect.stringContaining('UNIQUE') })
    expect(await store('post', ['id', 'title'], [[2000n, 'u'], ['x', 'v']])).toMatchObject({ row: 1, detail: 'datatype mismatch' })
    expect(await store('post', ['id', 'title'], [[2000n, 'u'], [2001n]])).toMatchObject({ row: 1 })
    expect(await store('child', ['id', 'post'], [[1n, 99_999n]])).toMatchObject({ row: 0, detail: expect.stringContaining('FOREIGN KEY') })
    expect(await store('post', ['id', 'nope'], [[2000n, 'u']])).toMatchObject({ row: null, detail: expect.stringContaining('no column "nope"') })
    expect(await store('post', ['twice'], [['u']])).toMatchObject({ row: null })
    expect(await store('post', ['id', 'ID'], [[1n, 2n]])).toMatchObject({ row: null })
    expect(count('post')).toBe(before)
    expect(await store('post', ['id', 'title'], rows.map(([id]) => [id ?? null, `n${id}`]))).toMatchObject({ status: 200, stored: 250 })
  })

  test('conflicts: keep or replace; other mistakes stay mistakes', async () => {
    expect(await store('post', ['id', 'title'], [[1000n, 'again'], [3000n, 'new']], 'skip')).toMatchObject({ stored: 1 })
    expect(await store('post', ['id', 'title'], [[1000n, 'again']], 'replace')).toMatchObject({ stored: 1 })
    expect(await store('post', ['id', 'title'], [[3001n, '']], 'skip')).toMatchObject({ code: 'import_failed', row: 0 })
    expect((await pages('post', 500)).find(([id]) => id === 1000n)).toEqual([1000n, 'again'])
  })
})

describe('whole imports', () => {
  const begin = async (table: string, columns: readonly string[]) => String((await ask('POST', '/table/import', { table, columns }))['import'])
  const add = (id: string, rows: readonly SqlRow[]) => ask('POST', '/table/import/rows', { import: id, rows: rows.map(wireRow) })
  const finish = (id: string, conflict = 'fail') => ask('POST', '/table/import/finish', { import: id, conflict })
  const gathered = () => [...server.records.catalog.relations.keys()].filter(name => name.includes('_import_'))
  const tables = () => read(`SELECT name FROM sqlite_schema WHERE name GLOB '_import_*'`).length

  test('all at once; nothing is left of the table beside it', async () => {
    const id = await begin('more.event', ['id', 'what'])
    const odd: SqlRow[] = [[1n, 1.0], [2n, 2n], [3n, '3'], [4n, new Uint8Array([4])], [5n, null]]
    await add(id, odd.slice(0, 3))
    await add(id, odd.slice(3))
    expect(await pages('more.event', 10)).toEqual([])
    expect(await finish(id)).toMatchObject({ status: 200, stored: 5 })
    expect(await pages('more.event', 10)).toEqual(odd)
    expect((await finish(id)).status).toBe(404)
    expect([gathered(), tables()]).toEqual([[], 0])
  })

  test.each([0, 999, 1000, 1001, 2499])('a row that does not fit, at %p: named, and nothing is stored', async bad => {
    const before = count('post')
    const id = await begin('post', ['id', 'title'])
    for (let from = 0; from < 2500; from += 500) await add(id, Array.from({ length: 500 }, (_, i): SqlRow => [BigInt(50_000 + from + i), from + i === bad ? '' : `w${from + i}`]))
    expect(await finish(id)).toMatchObject({ status: 400, code: 'import_failed', row: bad })
    expect([count('post'), tables()]).toEqual([before, 0])
  })

  test('given up, forgotten, and left by a process that is gone', async () => {
    const dropped = await begin('post', ['id', 'title'])
    await ask('DELETE', `/table/import?import=${dropped}`)
    expect(tables()).toBe(0)
    const forgotten = await begin('post', ['id', 'title'])
    await server.records.store.exclusive('main', [{ sql: 'CREATE TABLE _import_dead (row)', params: [] }])
    const second = await begin('post', ['id', 'title'])
    expect(tables()).toBe(2)
    clock.advance(11 * 60_000)
    const third = await begin('post', ['id', 'title'])
    expect([tables(), (await add(forgotten, [])).status, (await add(second, [])).status]).toEqual([1, 404, 404])
    await ask('DELETE', `/table/import?import=${third}`)
  })

  test('so many at a time', async () => {
    const ids: string[] = []
    for (let i = 0; i < 8; i++) ids.push(await begin('post', ['title']))
    expect(await ask('POST', '/table/import', { table: 'post', columns: ['title'] })).toMatchObject({ status: 503 })
    for (const id of ids) await ask('DELETE', `/table/import?import=${id}`)
    expect(tables()).toBe(0)
  })
})

test('schemas by name and mode', async () => {
  expect(await ask('GET', '/schema?api=posts&mode=SELECT')).toMatchObject({ status: 200, title: 'posts', required: expect.arrayContaining(['title', 'id']) })
  expect(await ask('GET', '/schema?api=post')).toMatchObject({ status: 404, detail: 'there is no record API "post"; did you mean "posts"?' })
  expect((await ask('GET', '/schema?api=posts&mode=all')).status).toBe(400)
})

/** The store of the record APIs over real files and threads: programs, scripts, refreshes. Readers, crashes and disks that fail have files of their own. */
import { describe, expect, test } from 'bun:test'
import { Database } from 'bun:sqlite'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Refusal } from '../../../src/lib/errors.ts'
import { Metrics } from '../../../src/lib/metrics.ts'
import type { Param, Program, ProgramResult } from '../../../src/storage/program.ts'
import { makeDepot } from '../../support/depot.ts'

const sql = 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, size INTEGER CHECK (size < 100)) STRICT'
const run = (text: string, ...params: Param[]): Program => ({ steps: [{ kind: 'run', sql: text, params, atLeast: 0 }] })
const insert = (body: string, size: bigint | null = null) => run('INSERT INTO note (body, size) VALUES (?1, ?2) RETURNING id', body, size)
const txnOf = (result: ProgramResult) => (result.ok ? result.txn : null)
const codeOf = (work: Promise<unknown>) => work.then(() => null, error => (error instanceof Refusal ? error.code : error))

describe('writes', () => {
  test('are answered with rows and a number that grows', async () => {
    await using depot = await makeDepot({ sql })
    expect(await depot.store.write('main', insert('a'))).toEqual({ ok: true, txn: 1, rows: [[[1n]]], changes: [1], stoppedAt: null })
    expect(await depot.store.write('main', insert('b', 200n))).toMatchObject({ ok: false, step: 0, why: { errno: 275 } })
    expect(await depot.store.write('main', insert('c'))).toMatchObject({ ok: true, txn: 2, rows: [[[2n]]] })
    expect(depot.store.readNow('main', 'SELECT body FROM note WHERE id = ?1', [2n])).toEqual([['c']])
    expect(depot.rows('SELECT body FROM note ORDER BY id')).toEqual([['a'], ['c']])
  })

  test('10,000 at once are all answered, once each and in order', async () => {
    await using depot = await makeDepot({ sql })
    const results = await Promise.all(Array.from({ length: 10_000 }, (_, index) => depot.store.write('main', insert(`n${index}`))))
    expect(results.map(txnOf)).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1))
    expect(depot.rows('SELECT count(*), count(DISTINCT body), max(id) FROM note')).toEqual([[10_000n, 10_000n, 10_000n]])
  })

  test('beyond the bounds are refused and leave room for the others', async () => {
    await using depot = await makeDepot({ sql, limits: { queuedProgramsMax: 100, queuedBytesMax: 100_000 } })
    const codes = await Promise.all(Array.from({ length: 150 }, () => codeOf(depot.store.write('main', insert('a')))))
    expect(codes.filter(code => code === null)).toHaveLength(100)
    expect(codes.filter(code => code === 'overloaded')).toHaveLength(50)
    const large = await Promise.all(Array.from({ length: 3 }, () => codeOf(depot.store.write('main', insert('x'.repeat(60_000))))))
    expect(large).toEqual([null, 'overloaded', 'overloaded'])
    expect(depot.rows('SELECT count(*) FROM note')).toEqual([[101n]])
    expect(await codeOf(depot.store.write('main', insert('x'.repeat(200_000))))).toBeNull()
  })

  test('send the bytes of a view, not of the buffer around it', async () => {
    await using depot = await makeDepot({ sql: 'CREATE TABLE blob (x BLOB)' })
    await depot.store.write('main', run('INSERT INTO blob VALUES (?1)', new Uint8Array(50_000_000).subarray(5, 8)))
    expect(depot.rows('SELECT x FROM blob')).toEqual([[new Uint8Array(3)]])
  })

  test('know more texts than either side remembers', async () => {
    await using depot = await makeDepot({ sql })
    const results = await Promise.all(Array.from({ length: 9000 }, (_, index) => depot.store.write('main', run(`SELECT ${index}`))))
    expect(results.every((result, index) => result.ok && result.rows[0]?.[0]?.[0] === BigInt(index))).toBe(true)
  })

  test('are told to listeners after those who wait for them', async () => {
    await using depot = await makeDepot({ sql })
    const seen: unknown[] = []
    const cancel = depot.store.onCommit((database, txn) => seen.push([database, txn]))
    await Promise.all([1, 2, 3].map(async index => seen.push(txnOf(await depot.store.write('main', insert(`${index}`))))))
    await Bun.sleep(5)
    await depot.store.write('main', run('SELECT 1'))
    await depot.store.write('main', insert('b', 200n))
    expect(seen).toEqual([1, 2, 3, ['main', 3]])
    cancel()
    await depot.store.write('main', insert('x'))
    expect(seen).toHaveLength(4)
  })

  test('keep the log short under load, though readers never rest', async () => {
    await using depot = await makeDepot({ sql })
    const body = 'x'.repeat(60_000)
    let isDone = false
    const statements = [{ sql: 'SELECT length(body) FROM note WHERE _deadline() ORDER BY id DESC LIMIT 100', params: [] }]
    const reading = Array.from({ length: 4 }, async () => {
      while (!isDone) await depot.store.read({ database: 'main', statements, deadlineMs: 5000, finish: null })
    })
    // Every round adds a megabyte: where the file does not grow, it has begun anew.
    let bytes = 0
    let restarts = 0
    for (let round = 0; round < 500 && restarts < 3; round++) {
      await Promise.all(Array.from({ length: 16 }, () => depot.store.write('main', insert(body))))
      const now = statSync(`${depot.path}-wal`).size
      if (now <= bytes) restarts++
      bytes = now
    }
    isDone = true
    await Promise.all(reading)
    expect(restarts).toBe(3)
  }, 30_000)
})

describe('databases', () => {
  test('have their own numbers and writers; rules of one see the others, and write none', async () => {
    await using depot = await makeDepot({
      sql: `${sql}; INSERT INTO note (body) VALUES ('of main')`,
      databases: { more: 'CREATE TABLE item (x TEXT)', third: 'CREATE TABLE last (x TEXT)' },
      attach: { main: ['more'], third: ['more'] },
    })
    const item = run('INSERT INTO more.item SELECT body FROM main.note WHERE id = 1 RETURNING x')
    const results = await Promise.all([depot.store.write('more', item), depot.store.write('main', insert('b')), depot.store.write('more', item)])
    expect(results).toMatchObject([{ txn: 1, rows: [[['of main']]] }, { txn: 1 }, { ok: true, txn: 2 }])
    expect(depot.store.readNow('more', 'SELECT count(*) FROM note JOIN item', [])).not.toEqual([[0n]])
    expect(await depot.store.write('third', run('INSERT INTO last SELECT x FROM more.item LIMIT 1'))).toMatchObject({ ok: true, txn: 1 })
    for (const [database, text] of [['more', "INSERT INTO main.note (body) VALUES ('x')"], ['main', "INSERT INTO more.item VALUES ('x')"], ['third', 'DELETE FROM more.item']] as const) {
      expect(await depot.store.write(database, run(text))).toMatchObject({ ok: false, why: { errno: 8 } })
    }
    expect(await depot.store.write('main', run('SELECT * FROM third.last'))).toMatchObject({ ok: false, why: { errno: 1 } })
  })

  test('are refused when more would be attached than SQLite can', async () => {
    const names = Array.from({ length: 11 }, (_, index) => `d${index}`)
    const databases = Object.fromEntries(names.map(name => [name, '']))
    await expect(makeDepot({ sql, databases, attach: { main: names } })).rejects.toThrow('SQLite attaches 10')
    await using depot = await makeDepot({ sql, databases, attach: { main: names.slice(1) } })
    expect(depot.store.readNow('main', 'SELECT count(*) FROM d10.sqlite_schema', [])).toEqual([[0n]])
  })
})

describe('scripts', () => {
  test('run between groups, as a whole, with a number of their own', async () => {
    await using depot = await makeDepot({ sql })
    const seen: number[] = []
    depot.store.onCommit((_, txn) => seen.push(txn))
    const before = depot.store.write('main', insert('a'))
    const script = depot.store.exclusive('main', [
      { sql: "-- a migration\nCREATE TABLE b (x TEXT); INSERT INTO b SELECT body FROM note;;\n/* ; */ CREATE TRIGGER tr AFTER INSERT ON b BEGIN SELECT 1; SELECT 2; END; -- done", params: [] },
      { sql: 'SELECT x AS y, ?1 AS z FROM b', params: [5n] },
    ])
    const after = depot.store.write('main', run("INSERT INTO b VALUES ('later')"))
    expect([txnOf(await before), await script, txnOf(await after)]).toEqual([
      1,
      { ok: true, txn: 2, results: [{ columns: [], rows: [], changes: 1 }, { columns: ['y', 'z'], rows: [['a', 5n]], changes: 0 }] },
      3,
    ])
    await Bun.sleep(5)
    expect(seen).toContain(2)
  })

  test('that fail leave nothing, and say which and why', async () => {
    await using depot = await makeDepot({ sql })
    const failed = await depot.store.exclusive('main', [{ sql: 'CREATE TABLE b (x)', params: [] }, { sql: "INSERT INTO b VALUES (1); INSERT INTO note (body, size) VALUES ('x', 200)", params: [] }])
    expect(failed).toMatchObject({ ok: false, script: 1, problem: { errno: 275 } })
    for (const text of ['BEGIN', 'COMMIT; SELECT 1', 'SELECT ?1', 'nonsense', 'SELECT 1; nonsense']) {
      expect(await depot.store.exclusive('main', [{ sql: text, params: [] }])).toMatchObject({ ok: false })
    }
    expect(depot.rows("SELECT name FROM sqlite_schema WHERE name = 'b'")).toEqual([])
    expect(txnOf(await depot.store.write('main', insert('a')))).toBeGreaterThan(0)
    expect(await depot.store.exclusive('main', [{ sql: 'VACUUM', params: [] }], { transaction: false })).toMatchObject({ ok: true, txn: null })
    expect(await depot.store.exclusive('main', [{ sql: 'BEGIN; INSERT INTO note (body) VALUES (1)', params: [] }], { transaction: false })).toMatchObject({ ok: false })
    expect(depot.rows('SELECT count(*) FROM note')).toEqual([[1n]])
    expect(await depot.store.exclusive('main', [{ sql: ' -- nothing', params: [] }])).toMatchObject({ ok: true, results: [{ columns: [], rows: [], changes: 0 }] })
  })
})

test('figures tell of groups, waiting writes and readers', async () => {
  const metrics = new Metrics()
  await using depot = await makeDepot({ sql, metrics })
  const valueOf = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics.render())?.[1])
  const writes = Promise.all(Array.from({ length: 50 }, () => depot.store.write('main', insert('a'))))
  await Promise.resolve()
  expect(valueOf('headwater_record_writes_queued')).toBe(50)
  await writes
  expect(valueOf('headwater_record_writes_queued')).toBe(0)
  expect(valueOf('headwater_record_group_writes_sum')).toBe(50)
  expect(valueOf('headwater_record_group_writes_count')).toBeLessThan(5)
  expect(valueOf('headwater_record_commit_seconds_sum')).toBeGreaterThan(0)
  const read = depot.store.read({ database: 'main', statements: [{ sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE _deadline()) SELECT max(i) FROM n', params: [] }], deadlineMs: 50, finish: null })
  expect([valueOf('headwater_record_readers'), valueOf('headwater_record_readers_busy'), valueOf('headwater_record_reads_late_total')]).toEqual([1, 1, 0])
  expect(await codeOf(read)).toBe('query_too_costly')
  expect(valueOf('headwater_record_reads_late_total')).toBe(1)
  for (let tries = 0; valueOf('headwater_record_readers_busy') > 0 && tries < 4000; tries++) await Bun.sleep(5)
  expect(valueOf('headwater_record_readers_busy')).toBe(0)
})

describe('the first write', () => {
  test('starts the writer: without one there is none, whatever is read, and stopping waits for nothing', async () => {
    await using depot = await makeDepot({ sql, databases: { more: '' } })
    await depot.store.refresh(depot.settings)
    depot.store.readNow('main', 'SELECT 1', [])
    expect(depot.rows("SELECT name FROM sqlite_schema WHERE name = '_txn'")).toEqual([])
    await depot.store.write('main', insert('a'))
    expect(depot.rows('SELECT n FROM _txn')).toEqual([[1n]])
  })

  test('finds that the file is no database any more: nothing is acknowledged, and the fence hears of it', async () => {
    await using depot = await makeDepot({ sql })
    await Bun.write(depot.path, 'x'.repeat(8192))
    expect(await Promise.all([codeOf(depot.store.write('main', insert('a'))), codeOf(depot.store.write('main', insert('b')))])).toEqual(['storage_fenced', 'storage_fenced'])
    expect(depot.fenced).toEqual([expect.stringContaining(`cannot open ${depot.path}`)])
    expect(await codeOf(depot.store.write('main', insert('c')))).toBe('storage_fenced')
    await depot.store.stop()
  })

  test('brings the settings of the last refresh', async () => {
    await using depot = await makeDepot({ sql })
    const schemas = new Map([['even', { multipleOf: 2 }]])
    await depot.store.refresh({ ...depot.settings, functions: { schemas } })
    const result = await depot.store.write('main', run("SELECT jsonschema('even', '4'), jsonschema('even', '5')"))
    expect(result.ok && result.rows[0]).toEqual([[1n, 0n]])
  })
})

describe('refresh and stop', () => {
  test('a refresh brings databases in and takes them out, and loses no write', async () => {
    await using depot = await makeDepot({ sql, databases: { old: 'CREATE TABLE o (x)' } })
    let written = 0
    const writer = (async () => {
      while (written < 300) {
        const results = await Promise.all(Array.from({ length: 20 }, () => depot.store.write('main', insert('a'))))
        written += results.filter(({ ok }) => ok).length
      }
    })()
    const added = { name: 'added', path: join(depot.directory, 'data', 'added.db') }
    const main = depot.settings.databases.slice(0, 1)
    for (let round = 0; round < 5; round++) {
      await depot.store.refresh({ ...depot.settings, databases: [...main, added], attach: new Map([['main', ['added']]]) })
      expect(depot.store.readNow('main', 'SELECT count(*) FROM added.sqlite_schema', [])).toEqual([[0n]])
    }
    await writer.catch((error: unknown) => expect([error, depot.fenced]).toEqual([]))
    expect(depot.rows('SELECT count(*), max(id) FROM note')).toEqual([[BigInt(written), BigInt(written)]])
    expect(await depot.store.exclusive('added', [{ sql: 'CREATE TABLE added.t (x)', params: [] }])).toMatchObject({ ok: true })
    await expect(depot.store.write('old', run('SELECT 1'))).rejects.toThrow('the database old is open')
  })

  test('a stop writes what waits, refuses what comes, and leaves one whole file', async () => {
    const depot = await makeDepot({ sql, databases: { more: '' } })
    const writes = Array.from({ length: 3000 }, () => depot.store.write('main', insert('a')))
    await Bun.sleep(0)
    const stopped = depot.store.stop()
    expect(await codeOf(depot.store.write('main', insert('late')))).toBe('shutting_down')
    expect(await codeOf(depot.store.read({ database: 'main', statements: [], deadlineMs: 1, finish: null }))).toBe('shutting_down')
    await stopped
    expect((await Promise.all(writes)).every(({ ok }) => ok)).toBe(true)
    expect(depot.fenced).toEqual([])
    expect(existsSync(`${depot.path}-wal`)).toBe(false)
    expect(depot.rows('SELECT count(*) FROM note')).toEqual([[3000n]])
    await depot[Symbol.asyncDispose]()
  })

  test('a file that is no database is the operator’s to mend', async () => {
    await using depot = await makeDepot({ sql })
    await Bun.write(join(depot.directory, 'data', 'bad.db'), 'x'.repeat(8192))
    const bad = { name: 'bad', path: join(depot.directory, 'data', 'bad.db') }
    await expect(depot.store.refresh({ ...depot.settings, databases: [...depot.settings.databases, bad] })).rejects.toThrow(`cannot open ${bad.path}`)
    expect(await depot.store.write('main', insert('a'))).toMatchObject({ ok: true })
  })

  test('a writer waits for another process that holds the file for a moment', async () => {
    await using depot = await makeDepot({ sql })
    using other = new Database(depot.path)
    other.run('BEGIN IMMEDIATE')
    other.run("INSERT INTO note (body) VALUES ('other')")
    const write = depot.store.write('main', insert('ours'))
    await Bun.sleep(150)
    other.run('COMMIT')
    expect(await write).toMatchObject({ ok: true, rows: [[[2n]]] })
  })
})

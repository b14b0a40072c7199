/** The change log of real tables: what writes into it, pages and positions, what happens when tables change, and what retention takes away. */
import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { captureEnd } from '../../../src/records/changes/capture.ts'
import { ChangeLog, pageChangesMax, type Change } from '../../../src/records/changes/change-log.ts'
import { lastToRemove, Retention, type RetentionLimits } from '../../../src/records/changes/retention.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { RecordApiConfig } from '../../../src/records/catalog/api-config.ts'
import { apiDefaults } from '../../../src/records/catalog/api-config.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { startRecordServer, type RecordServer } from '../../support/record-server.ts'

const sql = `
CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT, n TEXT COLLATE NOCASE, up TEXT GENERATED ALWAYS AS (upper(v)) VIRTUAL) STRICT;
CREATE TABLE w (k TEXT, l INTEGER, v BLOB, PRIMARY KEY (k, l)) STRICT, WITHOUT ROWID;
CREATE TABLE "od""d'" (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE off (id INTEGER PRIMARY KEY) STRICT;
`
type Api = Partial<RecordApiConfig> & Pick<RecordApiConfig, 'name' | 'tableName'>
const apis: readonly Api[] = [
  { name: 'a', tableName: 'a', enableSubscriptions: true },
  { name: 'w', tableName: 'w', enableSubscriptions: true },
  { name: 'odd', tableName: 'od"d\'', enableSubscriptions: true },
  { name: 'off', tableName: 'off' },
  { name: 'b', tableName: 'more.a', enableSubscriptions: true },
]
const start = (more: Api[] = []) => startRecordServer({ sql, databases: { more: sql }, apis: [...apis, ...more] })

async function run(server: RecordServer, text: string, database = 'main'): Promise<void> {
  const outcome = await server.records.store.exclusive(database, [{ sql: text, params: [] }])
  if (!outcome.ok) throw new Error(JSON.stringify(outcome))
}

function logOf(server: RecordServer, database = 'main'): ChangeLog {
  return new ChangeLog(database, (...asked) => server.records.store.readNow(...asked))
}

function changes(log: ChangeLog, position: number): readonly Change[] {
  const page = log.page(position)
  if (page.kind === 'lost') throw new Error(`lost up to ${page.horizon}`)
  return page.changes
}

const short = ({ operation, relation, old, new: next }: Change) => [operation, relation, old && JSON.parse(old), next && JSON.parse(next)]

async function replace(server: RecordServer, recordApis: readonly Api[]): Promise<void> {
  const config = { recordApis: recordApis.map(api => ({ ...apiDefaults, ...api })), databases: ['more'], schemas: new Map() }
  const directories = { depot: server.directory, migrationsDir: join(server.directory, 'migrations') }
  await server.records.apply({ config, directories, queryMsMax: 2000, readersMax: 2, answersKeptMs: 86_400_000, retention: { ageMsMax: 1e9, bytesMax: 1e9 } })
}

describe('what is written', () => {
  test('every way to change a row, with keys, generated columns and odd names, and nothing of tables without subscribers', async () => {
    await using server = await start()
    const log = logOf(server)
    const from = log.head()
    await run(server, `INSERT INTO a (id, v) VALUES (1, 'x'); REPLACE INTO a (id, v) VALUES (1, 'y'); UPDATE a SET n = 'N'; UPDATE a SET n = 'n'; INSERT INTO w VALUES ('k', 1, x'00ff'); REPLACE INTO w VALUES ('k', 1, NULL); DELETE FROM w; INSERT INTO "od""d'" VALUES (5); INSERT INTO off VALUES (1)`)
    expect(changes(log, from).map(short)).toEqual([
      ['insert', 'a', null, { id: '1', v: 'x', n: null, up: 'X' }],
      ['delete', 'a', { id: '1', v: 'x', n: null, up: 'X' }, null],
      ['insert', 'a', null, { id: '1', v: 'y', n: null, up: 'Y' }],
      ['update', 'a', { id: '1', v: 'y', n: null, up: 'Y' }, { id: '1', v: 'y', n: 'N', up: 'Y' }],
      ['update', 'a', { id: '1', v: 'y', n: 'N', up: 'Y' }, { id: '1', v: 'y', n: 'n', up: 'Y' }],
      ['insert', 'w', null, { k: 'k', l: '1', v: '00FF' }],
      ['delete', 'w', { k: 'k', l: '1', v: '00FF' }, null],
      ['insert', 'w', null, { k: 'k', l: '1', v: null }],
      ['delete', 'w', { k: 'k', l: '1', v: null }, null],
      ['insert', 'od"d\'', null, { id: '5' }],
    ])
    expect(new Set(changes(log, from).map(({ txn }) => txn)).size).toBe(1)
  })

  test('an additional database has a log of its own', async () => {
    await using server = await start()
    const log = logOf(server, 'more')
    const from = log.head()
    await run(server, "INSERT INTO more.a (id, v) VALUES (1, 'x')", 'more')
    expect(changes(log, from).map(short)).toEqual([['insert', 'a', null, { id: '1', v: 'x', n: null, up: 'X' }]])
    expect(changes(logOf(server), logOf(server).head())).toEqual([])
  })
})

describe('pages', () => {
  test('go on where the one before ended, and tell of holes', async () => {
    await using server = await start()
    const log = logOf(server)
    const from = log.head()
    await run(server, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO a (id) SELECT i FROM n`)
    const first = changes(log, from)
    expect(first.length).toBe(pageChangesMax)
    expect(first[0]?.seq).toBe(from + 1)
    expect(changes(log, from + pageChangesMax)[0]?.seq).toBe(from + pageChangesMax + 1)
    expect(log.page(from + 600)).toEqual({ kind: 'changes', changes: [] })
    await run(server, `DELETE FROM _changes WHERE seq <= ${from + 100} OR seq = ${from + 150}`)
    expect(log.horizon()).toBe(from + 100)
    expect(log.page(from)).toEqual({ kind: 'lost', horizon: from + 100 })
    expect(changes(log, from + 100).at(-1)?.seq).toBe(from + 149)
    expect(log.page(from + 149)).toEqual({ kind: 'lost', horizon: from + 150 })
    await run(server, 'DELETE FROM _changes')
    expect(log.horizon()).toBe(from + 600)
    expect(log.page(from + 599)).toEqual({ kind: 'lost', horizon: from + 600 })
  })

  test('of large rows are small', async () => {
    await using server = await start()
    const log = logOf(server)
    const from = log.head()
    await run(server, `INSERT INTO a (v) VALUES (hex(zeroblob(1500000))), (hex(zeroblob(1500000))), (hex(zeroblob(1500000)))`)
    expect(changes(log, from).length).toBe(1)
    expect(changes(log, from + 1).length).toBe(1)
  })
})

describe('tables that change', () => {
  test('a migration drops and adds columns; followers are told', async () => {
    await using server = await start()
    const log = logOf(server)
    const from = log.head()
    await run(server, "INSERT INTO a (id, v, n) VALUES (1, 'x', 'old')")
    writeFileSync(join(server.directory, 'migrations', 'main', 'U1900000000__more.sql'), 'ALTER TABLE a DROP COLUMN n; ALTER TABLE a ADD COLUMN z INTEGER DEFAULT 7; UPDATE a SET z = 8;')
    await replace(server, apis)
    await run(server, 'UPDATE a SET z = 9')
    expect(changes(log, from).filter(({ relation }) => relation === 'a').map(short)).toEqual([
      ['insert', 'a', null, { id: '1', v: 'x', n: 'old', up: 'X' }],
      ['gap', 'a', null, null],
      ['update', 'a', { id: '1', v: 'x', up: 'X', z: '8' }, { id: '1', v: 'x', up: 'X', z: '9' }],
    ])
  })

  test('nothing is done when nothing changed; a table is followed no longer than somebody may subscribe', async () => {
    await using server = await start()
    const log = logOf(server)
    const from = log.head()
    await server.records.refresh()
    expect(log.head()).toBe(from)
    await replace(server, apis.filter(({ name }) => name !== 'a'))
    await run(server, 'INSERT INTO a (id) VALUES (2)')
    expect(log.head()).toBe(from)
    await replace(server, apis)
    expect(changes(log, from).map(short)).toEqual([['gap', 'a', null, null]])
  })

  test('SQL of an administrator can change columns after captureEnd', async () => {
    await using server = await start()
    const { store } = server.records
    const scripts = [...captureEnd({ readNow: (...asked) => store.readNow(...asked) }, 'main'), { sql: 'ALTER TABLE a DROP COLUMN n', params: [] }]
    expect((await store.exclusive('main', scripts)).ok).toBe(true)
    await server.records.refresh()
    const from = logOf(server).head()
    await run(server, 'INSERT INTO a (id) VALUES (3)')
    expect(changes(logOf(server), from).length).toBe(1)
  })
})

describe('retention', () => {
  test('decides by age and by bytes, oldest first', () => {
    const kept = [1, 2, 3, 4].map(n => ({ seq: BigInt(n), atMs: n * 1000, bytes: 100 }))
    const limits = (ageMsMax: number, bytesMax: number): RetentionLimits => ({ ageMsMax, bytesMax })
    expect(lastToRemove(kept, 400, limits(10_000, 400), 5000)).toBe(null)
    expect(lastToRemove(kept, 400, limits(2500, 400), 5000)).toBe(2n)
    expect(lastToRemove(kept, 400, limits(10_000, 250), 5000)).toBe(2n)
    expect(lastToRemove(kept, 400, limits(0, 0), 50_000)).toBe(4n)
    // A clock that went back: what follows one that stays, stays.
    expect(lastToRemove([{ seq: 1n, atMs: 9000, bytes: 1 }, { seq: 2n, atMs: 1, bytes: 1 }], 2, limits(1000, 10), 9500)).toBe(null)
  })

  test('takes steps until what is left fits, and counts what comes', async () => {
    await using server = await start()
    const log = logOf(server)
    const { store } = server.records
    const limits = { ageMsMax: 3_600_000, bytesMax: 100_000 }
    const clock = new ManualClock(Date.now())
    const retention = new Retention({
      clock,
      log: silentLog,
      hasChanges: database => store.readNow(database, `SELECT 1 FROM ${database}._changes LIMIT 1`, []).length > 0,
      read: async (database, statement) => {
        const answer = await store.read({ database, statements: [statement], deadlineMs: 2000, finish: null })
        return 'rows' in answer ? (answer.rows[0] ?? []) : []
      },
      write: (database, program) => store.write(database, program),
      databases: () => ['main', 'more'],
      limits: () => limits,
    })
    await run(server, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO a (id) SELECT i FROM n`)
    const head = log.head()
    await retention.run()
    expect(retention.bytes('main')).toBeLessThanOrEqual(100_000)
    expect(retention.bytes('main')).toBeGreaterThan(99_000)
    expect(log.horizon()).toBeGreaterThan(head - 1300)
    expect(log.horizon()).toBeLessThan(head - 500)
    await retention.run()
    const kept = log.horizon()
    await run(server, 'DELETE FROM a WHERE id < 100')
    await retention.run()
    expect(log.horizon()).toBeGreaterThan(kept)
    clock.advance(3_700_000)
    await retention.run()
    expect(log.horizon()).toBe(log.head())
    expect(retention.bytes('main')).toBe(0)
    await retention.stop()
  })
})

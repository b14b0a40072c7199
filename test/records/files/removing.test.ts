/** Files go when their rows go, however that happens, and only then; what fails is tried again; what a crash leaves is judged by the tables. */
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { Metrics } from '../../../src/lib/metrics.ts'
import type { SqlValue } from '../../../src/lib/sql-value.ts'
import { DiskObjects } from '../../../src/records/files/disk-objects.ts'
import { deletionAttemptsMax, pendingMsMax, sweepPeriodMs } from '../../../src/records/files/file-sweeper.ts'
import { withFilesQueued } from '../../../src/records/files/migrating.ts'
import { registerFunctions } from '../../../src/records/functions/register.ts'
import { openMigrator } from '../../../src/records/migrations/apply.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const tables = `
CREATE TABLE docs (id INTEGER PRIMARY KEY, one TEXT CHECK (jsonschema('std.FileUpload', one)), many TEXT CHECK (jsonschema('std.FileUploads', many)), f TEXT) STRICT;
CREATE TABLE "odd 'name" (rowid TEXT PRIMARY KEY, "oid" TEXT, _rowid_ TEXT, "a:b" TEXT CHECK (jsonschema('std.FileUpload', "a:b"))) STRICT, WITHOUT ROWID;`

interface Scene extends AsyncDisposable {
  readonly server: RecordServer
  readonly uploads: string
  readonly metrics: Metrics
  objects(): string[]
  pending(): string[]
  /** Runs SQL as an administrator would. */
  sql(sql: string, ...params: SqlValue[]): Promise<void>
  rows(sql: string): readonly (readonly SqlValue[])[]
  until(holds: () => boolean): Promise<void>
}

async function openScene(clock?: Clock): Promise<Scene> {
  const uploads = mkdtempSync(join(tmpdir(), 'headwater-removing-'))
  const metrics = new Metrics()
  const server = await startRecordServer({
    sql: tables,
    databases: { other: tables },
    apis: [
      { name: 'docs', tableName: 'docs', aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'ignoring', tableName: 'docs', aclWorld: ['create'], conflictResolution: 'ignore' },
      { name: 'replacing', tableName: 'docs', aclWorld: ['create'], conflictResolution: 'replace' },
      { name: 'odd', tableName: "odd 'name", aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'other', tableName: 'other.docs', aclWorld: ['create', 'read', 'update', 'delete'] },
    ],
    files: { objects: new DiskObjects(uploads), directory: uploads, metrics },
    ...(clock === undefined ? {} : { clock }),
  })
  const { store } = server.records
  return {
    server,
    uploads,
    metrics,
    objects: () => readdirSync(uploads).filter(name => !name.startsWith('.')),
    pending: () => readdirSync(join(uploads, '.pending')),
    async sql(sql, ...params) {
      const outcome = await store.exclusive('main', [{ sql, params }])
      if (!outcome.ok) throw new Error(outcome.problem.message)
    },
    rows: sql => store.readNow('main', sql, []),
    async until(holds) {
      for (let i = 0; i < 2000 && !holds(); i++) await Bun.sleep(10)
      expect(holds()).toBe(true)
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      rmSync(uploads, { recursive: true, force: true })
    },
  }
}

const file = (text: string) => ({ filename: `${text}.txt`, data: Buffer.from(text).toString('base64') })

async function make(server: RecordServer, path: string, body: unknown): Promise<void> {
  const answer = await server.as(null)(path, json('POST', body))
  expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)])
}

const nothingQueued = (scene: Scene) => scene.rows('SELECT count(*) FROM _file_deletions')[0]?.[0] === 0n

describe('triggers', () => {
  test('are left alone while they are what they should be', async () => {
    await using scene = await openScene()
    const version = () => scene.rows('PRAGMA schema_version')
    const before = version()
    await scene.server.records.files.syncTriggers()
    await scene.server.records.refresh()
    expect(version()).toEqual(before)
  })

  test('are there while a migration changes other columns', async () => {
    await using scene = await openScene()
    const path = join(scene.server.directory, 'data', 'main.db')
    const migrator = openMigrator({ path, functions: db => registerFunctions(db, { schemas: new Map(), ids: systemIds, clock: systemClock }) })
    const triggers = () => scene.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '_files:*' ORDER BY 1").flat()
    const before = triggers()
    withFilesQueued(migrator, () => void migrator.run('ALTER TABLE docs DROP COLUMN many'))
    migrator.close()
    expect(triggers()).toEqual(before.filter(name => !String(name).startsWith('_files:docs:many:')))
  })
})

describe('files go', () => {
  test('with rows that SQL deletes or changes, in every table and database', async () => {
    await using scene = await openScene()
    const { server, sql, until, objects } = scene
    await make(server, '/docs', { id: 1, one: file('a'), many: [file('b'), file('c')] })
    await make(server, '/docs', { id: 2, one: file('d') })
    await make(server, '/odd', { rowid: 'x', 'a:b': file('e') })
    await make(server, '/other', { id: 1, one: file('f') })
    expect(objects().length).toBe(6)
    await sql('UPDATE docs SET many = json_remove(many, ?1) WHERE id = 1', '$[0]')
    await until(() => objects().length === 5)
    await sql('DELETE FROM docs')
    await until(() => objects().length === 2)
    await sql(`DELETE FROM "odd 'name"`)
    await until(() => objects().length === 1)
    const answer = await server.records.store.exclusive('other', [{ sql: 'DELETE FROM other.docs', params: [] }])
    expect(answer.ok).toBe(true)
    await until(() => objects().length === 0 && nothingQueued(scene))
  })

  test('with a batch, and with an upsert that replaces them', async () => {
    await using scene = await openScene()
    const { server, until, objects } = scene
    await make(server, '/docs', { id: 1, one: file('a') })
    await make(server, '/replacing', { id: 1, one: file('b') })
    await until(() => objects().length === 1)
    expect(await (await server.as(null)('/docs/1/file/one')).text()).toBe('b')
    const batch = { operations: [{ Delete: { api_name: 'docs', record_id: '1' } }], transaction: true }
    expect((await fetch(`${server.url}/api/transaction/v1/execute`, json('POST', batch))).status).toBe(200)
    await until(() => objects().length === 0)
  })

  test('not with what is rolled back', async () => {
    await using scene = await openScene()
    const { server, sql, objects } = scene
    await make(server, '/docs', { id: 1, one: file('a') })
    expect(sql('DELETE FROM docs; UPDATE docs SET one = NULL; SELECT * FROM nothing')).rejects.toThrow()
    const result = await server.records.store.write('main', {
      steps: [
        { kind: 'run', atLeast: 1, sql: 'DELETE FROM docs', params: [] },
        { kind: 'run', atLeast: 1, sql: 'DELETE FROM docs', params: [] },
      ],
    })
    expect(result.ok).toBe(false)
    await server.records.files.sweep()
    expect([objects().length, nothingQueued(scene)]).toEqual([1, true])
    expect(await (await server.as(null)('/docs/1/file/one')).text()).toBe('a')
  })

  test('not while another row names them', async () => {
    await using scene = await openScene()
    const { server, sql, until, objects } = scene
    await make(server, '/docs', { id: 1, one: file('a'), many: [file('b')] })
    await sql('INSERT OR REPLACE INTO docs SELECT * FROM docs')
    await sql("UPDATE docs SET many = json_insert(many, '$[#]', json(one)), one = NULL")
    await sql('INSERT INTO docs SELECT 2, one, many, f FROM docs')
    await sql('DELETE FROM docs WHERE id = 1')
    await until(() => nothingQueued(scene))
    expect(objects().length).toBe(2)
    await sql('DELETE FROM docs')
    await until(() => objects().length === 0)
  })

  test('also from a table that was made anew by hand', async () => {
    await using scene = await openScene()
    const { server, sql, until, objects, rows } = scene
    await make(server, '/docs', { id: 1, one: file('a') })
    await sql(`CREATE TABLE docs_new (id INTEGER PRIMARY KEY, one TEXT CHECK (jsonschema('std.FileUpload', one)), many TEXT, f TEXT) STRICT;
      INSERT INTO docs_new SELECT * FROM docs; DROP TABLE docs; ALTER TABLE docs_new RENAME TO docs`)
    await server.records.refresh()
    const triggers = rows("SELECT name FROM sqlite_schema WHERE tbl_name = 'docs' AND name LIKE '\\_files%' ESCAPE '\\' ORDER BY 1")
    expect(triggers).toEqual([['_files:docs:one:delete'], ['_files:docs:one:update']])
    await sql('DELETE FROM docs')
    await until(() => objects().length === 0)
  })
})

describe('what cannot be removed', () => {
  test(`is tried ${deletionAttemptsMax} times, then kept with its error`, async () => {
    const clock = new ManualClock()
    await using scene = await openScene(clock)
    const { server, sql, uploads, objects, rows, metrics } = scene
    await make(server, '/docs', { id: 1, one: file('a') })
    const [id = ''] = objects()
    rmSync(join(uploads, id))
    mkdirSync(join(uploads, id)) // a directory cannot be unlinked
    await sql('DELETE FROM docs')
    for (let i = 0; i < deletionAttemptsMax + 2; i++) await server.records.files.sweep()
    const [[attempts, errors] = []] = rows('SELECT attempts, errors FROM _file_deletions')
    expect([attempts, errors]).toEqual([BigInt(deletionAttemptsMax), expect.stringMatching(/EISDIR|EPERM/)])
    expect(metrics.render()).toContain(`headwater_file_deletion_failures_total ${deletionAttemptsMax}\n`)
    expect(metrics.render()).toContain('headwater_file_deletions_given_up_total 1\n')
    await sql('UPDATE _file_deletions SET attempts = 0')
    rmdirSync(join(uploads, id))
    clock.advance(sweepPeriodMs)
    await scene.until(() => nothingQueued(scene))
  })
})

describe('the journal', () => {
  test('of a conflict that was ignored is judged by the tables', async () => {
    const clock = new ManualClock()
    await using scene = await openScene(clock)
    const { server, objects, pending } = scene
    await make(server, '/ignoring', { id: 1, one: file('a'), many: [file('b')] })
    await make(server, '/ignoring', { id: 1, one: file('never') })
    expect([objects().length, pending().length]).toEqual([3, 3])
    await server.records.files.sweep()
    expect([objects().length, pending().length]).toEqual([3, 3])
    clock.advance(pendingMsMax)
    await server.records.files.sweep()
    expect([objects().length, pending().length]).toEqual([2, 0])
    expect(await (await server.as(null)('/docs/1/file/one')).text()).toBe('a')
  })

  test('takes what a crash left half written, and leaves what it does not know', async () => {
    const clock = new ManualClock()
    await using scene = await openScene(clock)
    const { server, uploads, pending } = scene
    const [half, foreign, unserved] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000003'] as const
    writeFileSync(join(uploads, `.partial-${half}`), 'ha')
    writeFileSync(join(uploads, foreign), 'nobody knows')
    writeFileSync(join(uploads, unserved), 'of a database that is not open')
    writeFileSync(join(uploads, '.pending', `${half}.1.main`), '')
    writeFileSync(join(uploads, '.pending', `${unserved}.1.elsewhere`), '')
    writeFileSync(join(uploads, '.pending', 'something else'), '')
    await server.records.files.sweep()
    expect([existsSync(join(uploads, `.partial-${half}`)), existsSync(join(uploads, foreign)), existsSync(join(uploads, unserved))]).toEqual([false, true, true])
    expect(pending().sort()).toEqual([`${unserved}.1.elsewhere`, 'something else'])
  })
})

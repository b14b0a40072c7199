/** The store of the record APIs over real files and threads: programs, reads, scripts, refreshes. Crashes and full disks have files of their own. */
import { describe, expect, test } from 'bun:test'
import { makeDepot } from '../../support/depot.ts'

const sql = 'CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, size INTEGER CHECK (size < 100)) STRICT'
const insert = (body: string, size: bigint | null = null) =>
  ({ steps: [{ kind: 'run', sql: 'INSERT INTO note (body, size) VALUES (?1, ?2) RETURNING id', params: [body, size], atLeast: 1 }] }) as const

describe('writes', () => {
  test('are answered with rows and a number that grows', async () => {
    await using depot = await makeDepot({ sql })
    expect(await depot.store.write('main', insert('a'))).toEqual({ ok: true, txn: 1, rows: [[[1n]]], changes: [1], stoppedAt: null })
    expect(await depot.store.write('main', insert('b', 200n))).toMatchObject({ ok: false, step: 0, why: { errno: 275 } })
    expect(await depot.store.write('main', insert('c'))).toMatchObject({ ok: true, txn: 2, rows: [[[2n]]] })
    expect(depot.store.readNow('main', 'SELECT body FROM note WHERE id = ?1', [2n])).toEqual([['c']])
    expect(await depot.store.read({ database: 'main', statements: [{ sql: 'SELECT count(*) AS n FROM note', params: [] }], deadlineMs: 1000, finish: null })).toEqual({ rows: [[[2n]]], columns: [['n']] })
  })
})

/** Migrations beside a store that writes: nothing acknowledged is lost, nothing is refused, and a failing one says the same as at the start. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../../src/lib/errors.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { migrateAside } from '../../../src/records/migrations/migrate-aside.ts'
import { makeDepot } from '../../support/depot.ts'

setDefaultTimeout(30_000)

const insert = { steps: [{ kind: 'run', atLeast: 1, sql: 'INSERT INTO t (b) VALUES (?1)', params: ['x'] }] } as const

test('beside writes, without one refused or lost', async () => {
  await using depot = await makeDepot({ sql: 'CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT' })
  const directory = join(depot.directory, 'migrations')
  mkdirSync(directory)
  writeFileSync(
    join(directory, 'U100__slow.sql'),
    `CREATE TABLE u (id BLOB PRIMARY KEY DEFAULT (uuid_v7()), n INTEGER) STRICT;
INSERT INTO u (n) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n;
CREATE TABLE t2 (a INTEGER PRIMARY KEY, b TEXT, c INTEGER NOT NULL DEFAULT 7) STRICT;
INSERT INTO t2 (a, b) SELECT a, b FROM t;
DROP TABLE t;
ALTER TABLE t2 RENAME TO t;`,
  )
  let isDone = false
  let written = 0
  const writer = async () => {
    while (!isDone) {
      const result = await depot.store.write('main', insert)
      expect(result.ok).toBe(true)
      written++
    }
  }
  const writers = Array.from({ length: 8 }, writer)
  const options = { database: 'main', path: depot.path, directory, functions: { schemas: new Map() }, log: silentLog }
  const { applied } = await migrateAside(options)
  expect(applied.map(step => step.version)).toContain(100)
  isDone = true
  await Promise.all(writers)
  expect(depot.rows('SELECT count(*), min(c) FROM t')).toEqual([[BigInt(written), 7n]])
  expect(depot.rows('SELECT count(*) FROM u')).toEqual([[20_000n]])
  expect(depot.fenced).toEqual([])
  writeFileSync(join(directory, 'U101__bad.sql'), 'CREATE TABLE u (a)')
  const refusal: unknown = await migrateAside(options).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(OperatorError)
  expect(String(refusal)).toContain('U101__bad.sql:1 failed: table u already exists')
  expect((await depot.store.write('main', insert)).ok).toBe(true)
})

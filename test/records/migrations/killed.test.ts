/** A process that is killed in the middle of a migration leaves the state before it. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { FixtureDepot } from './depot-fixture.ts'

setDefaultTimeout(30_000)

test('kill -9 in the middle of a migration', async () => {
  using depot = new FixtureDepot()
  depot.write('migrations/main/U100__a.sql', 'CREATE TABLE a (n)')
  depot.write(
    'migrations/main/U101__b.sql',
    `CREATE TABLE b (n); DROP TABLE a; INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n;
SELECT announce();
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;`,
  )
  const child = Bun.spawn(['bun', join(import.meta.dir, 'killed-process.ts'), depot.file('main'), join(depot.path, 'migrations/main')], { stdout: 'pipe', stderr: 'inherit' })
  const first = await child.stdout.getReader().read()
  expect(new TextDecoder().decode(first.value)).toBe('in the middle\n')
  child.kill('SIGKILL')
  await child.exited
  expect(depot.rows("SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')")).toEqual([{ name: 'a' }])
  depot.write('migrations/main/U101__b.sql', 'CREATE TABLE b (n)')
  expect(depot.migrate().applied.map(step => step.version)).toEqual([101, 1_785_764_695])
  expect(depot.rows('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})

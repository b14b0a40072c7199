/** All databases of a depot at the start and while it runs. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { migrateDepot, migrateRunning, recordDatabases } from '../../../src/records/migrations/migrate-depot.ts'
import { memoryLog } from '../../support/memory-log.ts'
import { FixtureDepot, fixtureDepot } from './depot-fixture.ts'

const functions = { schemas: new Map([['person', { type: 'object' }]]) }

function place(depot: FixtureDepot, databases: readonly string[] = []) {
  depot.file('main')
  return { depot: depot.path, migrationsDir: join(depot.path, 'migrations'), databases }
}

test('a new depot gets its databases, its migrations and an administrator, once', async () => {
  using depot = new FixtureDepot()
  const parts = { functions, ids: systemIds, clock: systemClock, log: memoryLog(depot.lines) }
  expect((await migrateDepot(place(depot), parts))?.username).toBe('admin')
  expect(await migrateDepot(place(depot), parts)).toBeNull()
  expect(depot.rows('SELECT count(*) AS n FROM _session', 'session')).toEqual([{ n: 0 }])
  depot.write('migrations/main/U100__a.sql', 'CREATE TABLE a (a)')
  depot.write('migrations/later/U100__a.sql', 'CREATE TABLE a (a)')
  await migrateRunning(place(depot), parts)
  expect(depot.rows('SELECT count(*) AS n FROM a')).toEqual([{ n: 0 }])
  expect(depot.lines.filter(line => line.message === 'migrations applied').map(line => line.fields)).toMatchObject([
    { database: 'main', count: 9 }, { database: 'session', count: 2 }, { database: 'main', count: 1, last: 100 },
  ])
})

test('the fixture, with its second database', async () => {
  using depot = fixtureDepot()
  const parts = { functions, ids: systemIds, clock: systemClock, log: memoryLog(depot.lines) }
  expect(await migrateDepot(place(depot, ['other']), parts)).toBeNull()
  expect(depot.rows('SELECT count(*) AS n FROM upload', 'other')).toEqual([{ n: 0 }])
  expect(recordDatabases(place(depot, ['other']))).toEqual([
    { name: 'main', path: join(depot.path, 'data/main.db') },
    { name: 'other', path: join(depot.path, 'data/other.db') },
  ])
})

/** Old answers to idempotent writes go, in bounded steps and in every database; what is kept, and what nobody wrote, is left alone. */
import { expect, test } from 'bun:test'
import { silentLog } from '../../../src/lib/log.ts'
import { Rounds } from '../../../src/records/rounds.ts'
import { forgetOldAnswers, forgottenMax } from '../../../src/records/writing/idempotency-sweeper.ts'
import { makeDepot } from '../../support/depot.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const table = 'CREATE TABLE _idempotency (key TEXT NOT NULL, principal TEXT NOT NULL, request_hash TEXT NOT NULL, answer TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (principal, key)) STRICT, WITHOUT ROWID'
const keptMs = 3_600_000

test('a round forgets what is old and nothing else', async () => {
  const clock = new ManualClock()
  const nowSecs = Math.floor(clock.now() / 1000)
  const fill = (count: number, created: number) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO _idempotency SELECT 'k${created}-' || i, 'p' || i % 3, 'h', '{}', ${created} FROM n`
  await using depot = await makeDepot({ sql: `${table}; ${fill(1200, nowSecs - 3601)}; ${fill(5, nowSecs - 3599)}`, databases: { more: `${table}; ${fill(3, 1)}`, third: table } })
  const steps: string[] = []
  const parts = {
    clock,
    readNow: depot.store.readNow.bind(depot.store),
    write: (database: string, program: Parameters<typeof depot.store.write>[1]) => (steps.push(database), depot.store.write(database, program)),
    keptMs: () => keptMs,
  }
  const rounds = new Rounds({ clock, log: silentLog, periodMs: 1000, databases: () => ['main', 'more', 'third'], step: database => forgetOldAnswers(parts, database), failed: '' })
  rounds.start()
  clock.advance(1000)
  await rounds.run()
  expect(steps).toEqual([...Array.from({ length: Math.ceil(1200 / forgottenMax) }, () => 'main'), 'more'])
  expect(depot.rows('SELECT count(*), min(created) FROM _idempotency')).toEqual([[5n, BigInt(nowSecs - 3599)]])
  expect(depot.store.readNow('more', 'SELECT count(*) FROM more._idempotency', [])).toEqual([[0n]])
  await rounds.run()
  expect(steps).toHaveLength(4)
  clock.advance(2000)
  await rounds.run()
  expect(depot.rows('SELECT count(*) FROM _idempotency')).toEqual([[0n]])
  await rounds.stop()
  clock.advance(100_000)
  expect(steps).toHaveLength(5)
})

test('a step that fails is logged, ends its database for this round, and is tried in the next', async () => {
  const clock = new ManualClock()
  const calls: string[] = []
  const told: unknown[] = []
  const log = { ...silentLog, warn: (message: string, fields?: object) => void told.push([message, fields]) }
  const step = (database: string): Promise<boolean> => {
    calls.push(database)
    return database === 'bad' ? Promise.reject(new Error('no')) : Promise.resolve(false)
  }
  const rounds = new Rounds({ clock, log, periodMs: 10, databases: () => ['bad', 'good'], step, failed: 'it failed' })
  await Promise.all([rounds.run(), rounds.run()])
  await rounds.run()
  expect(calls).toEqual(['bad', 'good', 'bad', 'good'])
  expect(told).toEqual([['it failed', { database: 'bad', error: 'Error: no' }], ['it failed', { database: 'bad', error: 'Error: no' }]])
  await rounds.stop()
})

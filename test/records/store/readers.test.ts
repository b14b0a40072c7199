/** Reads of the record databases in threads: one state for a request, deadlines that hold, and a statement that nothing stops. */
import { describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { StatementError } from '../../../src/records/store/statement-error.ts'
import type { RecordStore } from '../../../src/records/store/record-store.ts'
import { makeDepot } from '../../support/depot.ts'

const sql = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT; INSERT INTO note (body) VALUES ('a'), ('B')"
/** A scan of five million rows; `condition` stands in its WHERE. */
const scan = (condition: string) => `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000000) SELECT count(*) FROM c WHERE ${condition}`
const read = (store: RecordStore, text: string, deadlineMs = 2000) => store.read({ database: 'main', statements: [{ sql: text, params: [] }], deadlineMs, finish: null })
const outcome = (work: Promise<unknown>) => work.then(answer => answer, (error: unknown) => (error instanceof Refusal ? error.code : error))

test('values are exact, LIKE looks at case, and nothing can be written', async () => {
  await using depot = await makeDepot({ sql })
  expect(await read(depot.store, "SELECT 9223372036854775807 AS big, 1.0, x'00', 'b' LIKE 'B'")).toEqual({ rows: [[[2n ** 63n - 1n, 1, Uint8Array.of(0), 0n]]], columns: [['big', '1.0', "x'00'", "'b' LIKE 'B'"]] })
  for (const text of ["INSERT INTO note (body) VALUES ('x')", 'CREATE TABLE t (x)', 'SELECT * FROM nothing']) {
    const error = await outcome(read(depot.store, text))
    expect(error).toBeInstanceOf(StatementError)
  }
  expect(() => depot.store.readNow('main', 'DELETE FROM note', [])).toThrow()
  expect(depot.rows('SELECT count(*) FROM note')).toEqual([[2n]])
})

test('all statements of a request see one state, while writes go on', async () => {
  await using depot = await makeDepot({ sql })
  let isDone = false
  const writing = (async () => {
    const steps = [{ kind: 'run', sql: "INSERT INTO note (body) VALUES ('x'), ('y')", params: [], atLeast: 2 }] as const
    while (!isDone) await depot.store.write('main', { steps })
  })()
  const count = { sql: 'SELECT count(*) FROM note', params: [] }
  const slow = { sql: 'WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT count(*) FROM c', params: [] }
  const seen = new Set<unknown>()
  for (let round = 0; round < 10 || (seen.size < 2 && round < 1000); round++) {
    const answer = await depot.store.read({ database: 'main', statements: [count, slow, count], deadlineMs: 5000, finish: null })
    if (!('rows' in answer)) throw new Error('rows were asked for')
    expect(answer.rows[0]).toEqual(answer.rows[2] ?? [])
    seen.add(answer.rows[0]?.[0]?.[0])
  }
  isDone = true
  await writing
  expect(seen.size).toBeGreaterThan(1)
})

describe('a query that is too costly', () => {
  test('ends at its deadline, and others are answered meanwhile', async () => {
    await using depot = await makeDepot({ sql, limits: { readersMax: 2 } })
    await read(depot.store, 'SELECT 1') // the thread is there
    const started = performance.now()
    const costly = outcome(read(depot.store, scan('_deadline() AND x % 3 = 0'), 250)).then(code => [code, performance.now() - started] as const)
    let others = 0
    for (; performance.now() - started < 200; others++) {
      expect(await read(depot.store, 'SELECT count(*) FROM note')).toMatchObject({ rows: [[[2n]]] })
      depot.store.readNow('main', 'SELECT body FROM note WHERE id = ?1', [1n])
    }
    const [code, tookMs] = await costly
    expect(code).toBe('query_too_costly')
    expect(tookMs).toBeLessThan(10_000)
    expect(others).toBeGreaterThan(0)
    expect(await read(depot.store, scan('x < 10 AND _deadline()'), 20_000)).toMatchObject({ rows: [[[9n]]] })
  })

  test('and never asks for the time is given up; what waited behind it is read by others', async () => {
    await using depot = await makeDepot({ sql, limits: { readersMax: 1 } })
    const started = performance.now()
    const stuck = outcome(read(depot.store, scan('x % 3 = 0').replace('5000000', '20000000'), 100))
    const behind = Array.from({ length: 5 }, () => read(depot.store, 'SELECT count(*) FROM note'))
    expect(await stuck).toBe('query_too_costly')
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(await Promise.all(behind)).toHaveLength(5)
    expect(await read(depot.store, 'SELECT 1')).toMatchObject({ rows: [[[1n]]] })
  })
})

test('reads beyond the bounds are refused', async () => {
  await using depot = await makeDepot({ sql, limits: { readersMax: 1, queuedReadsMax: 3, queuedMsMax: 100 } })
  const slow = () => outcome(read(depot.store, scan('_deadline()'), 300))
  const first = [slow(), slow()]
  const waiting = Array.from({ length: 5 }, () => outcome(read(depot.store, 'SELECT 1')))
  const answers = await Promise.all(waiting)
  expect(answers).toEqual(Array.from({ length: 5 }, () => 'overloaded'))
  for (const code of await Promise.all(first)) expect(['query_too_costly', 'overloaded']).toContain(code)
  expect(depot.fenced).toEqual([])
})

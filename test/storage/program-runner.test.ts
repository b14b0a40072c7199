/** Programs on a real file: their steps, what a failure undoes, and that neighbours in a group neither suffer nor count twice. */
import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWriter } from '../../src/storage/database.ts'
import type { Param, Program, Step } from '../../src/storage/program.ts'
import { ProgramRunner, type ProgramOutcome } from '../../src/storage/program-runner.ts'
import { rowTag } from '../../src/storage/row-tag.ts'

const schema = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY, b TEXT UNIQUE, CHECK (id < 1000)) STRICT;
  CREATE TABLE log (txn INTEGER, id INTEGER) STRICT;
  CREATE TRIGGER t_log AFTER INSERT ON t BEGIN INSERT INTO log VALUES ((SELECT n FROM _txn), new.id); END;
  CREATE TABLE rollback (x INTEGER) STRICT;
  CREATE TRIGGER rollback_raise AFTER INSERT ON rollback BEGIN SELECT raise(ROLLBACK, 'all of it'); END;
  CREATE TABLE child (parent INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
  CREATE TABLE half (x INTEGER UNIQUE ON CONFLICT FAIL) STRICT;
`

let directory = ''
let db: Database
let runner: ProgramRunner

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-runner-'))
  db = openWriter(join(directory, 'main.db'), { pageBytes: 4096, cacheBytes: 1024 * 1024 })
  runner = new ProgramRunner(db, 'main')
  db.run(schema)
})

afterEach(() => {
  runner.close()
  db.close(true)
  rmSync(directory, { recursive: true, force: true })
})

const run = (sql: string, ...params: Param[]): Step => ({ kind: 'run', sql, params, atLeast: 0 })
const must = (sql: string, ...params: Param[]): Step => ({ kind: 'run', sql, params, atLeast: 1 })
const expected = (sql: string, ...params: Param[]): Step => ({ kind: 'expect', sql, params })
const insert = (id: number, a: Param = null): Step => must('INSERT INTO t (id, a) VALUES (?1, ?2)', BigInt(id), a)
const program = (...steps: Step[]): Program => ({ steps })
const one = (...steps: Step[]): ProgramOutcome | undefined => runner.run([program(...steps)])[0]
const ids = () => db.query<{ id: number }, []>('SELECT id FROM t ORDER BY id').all().map(({ id }) => id)
const txn = () => db.query<{ n: number }, []>('SELECT n FROM _txn').get()?.n

describe('steps', () => {
  test('give rows and changes in their order', () => {
    const outcome = one(expected('SELECT 1'), must('INSERT INTO t (id, a) VALUES (1, ?1), (2, ?1) RETURNING id, a', 'x'), run('UPDATE t SET a = 3'), run('SELECT count(*) FROM t'))
    expect(outcome).toEqual({ ok: true, txn: 1, rows: [[[1n]], [[1n, 'x'], [2n, 'x']], [], [[2n]]], changes: [0, 2, 2, 0], stoppedAt: null })
  })

  test('bind and return every value exactly', () => {
    for (const value of [2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n, 0.1, -1.5e300, Infinity, 'a\0b', '', Uint8Array.of(0, 255), new Uint8Array(0), null]) {
      db.run('DELETE FROM t')
      expect(one(insert(1, value), run('SELECT a FROM t'))).toMatchObject({ rows: [[], [[value]]] })
    }
  })

  test('that expect hold for numbers other than 0 and nothing else', () => {
    for (const truth of ['1', '-1', '0.5']) expect(one(expected(`SELECT ${truth}`))?.ok).toBe(true)
    for (const falsehood of ['0', '0.0', 'NULL', "'1'", "x'01'", '1 WHERE 0', 'json(\'{\')', 'nothing']) {
      expect(one(insert(1), expected(`SELECT ${falsehood}`))).toEqual({ ok: false, step: 1, why: 'unmet' })
    }
    expect(ids()).toEqual([])
    expect(txn()).toBe(0)
  })

  test('that match look at the tag of the first row', () => {
    one(insert(1, 'v'))
    const match = (id: number, ...tags: string[]): Step => ({ kind: 'match', sql: 'SELECT id, a FROM t WHERE id = ?1', params: [BigInt(id)], tags })
    const tag = rowTag([1n, 'v'])
    expect(one(match(1, 'other', tag))?.ok).toBe(true)
    expect(one(match(1, '*'))?.ok).toBe(true)
    expect(one(match(1, 'other'))).toEqual({ ok: false, step: 0, why: 'unmet' })
    expect(one(match(2, '*'))).toEqual({ ok: false, step: 0, why: 'unmet' })
  })

  test('that stop end the program well, and nothing behind them runs', () => {
    const stop: Step = { kind: 'stopAt', sql: 'SELECT id FROM t WHERE id = 7', params: [] }
    expect(one(stop, insert(7))).toMatchObject({ ok: true, txn: 1, stoppedAt: null })
    expect(one(stop, insert(8), run('SELECT 1'))).toEqual({ ok: true, txn: 1, rows: [[[7n]], [], []], changes: [0, 0, 0], stoppedAt: 0 })
    expect(ids()).toEqual([7])
  })

  test('take the rows of earlier ones as JSON', () => {
    const outcome = one(run("SELECT 9223372036854775807, x'00ff', 0.5, NULL"), run("SELECT 'a\"', 9e999"), run('SELECT ?1', { rowsOf: [0, 1] }))
    expect(outcome?.ok === true && outcome.rows[2]).toEqual([['[[["9223372036854775807",{"hex":"00ff"},0.5,null]],[["a\\"",9e999]]]']])
  })

  test('want as many rows or changes as they say', () => {
    expect(one(insert(1), must('UPDATE t SET a = 1 WHERE id = 99'))).toEqual({ ok: false, step: 1, why: 'unmet' })
    expect(one(must('DELETE FROM t WHERE id = 99 RETURNING id'))).toEqual({ ok: false, step: 0, why: 'unmet' })
    expect(ids()).toEqual([])
  })
})

describe('a program that fails', () => {
  test('says why by SQLite’s extended code', () => {
    one(must("INSERT INTO t (id, b) VALUES (1, 'taken')"))
    const code = (step: Step) => {
      const outcome = one(step)
      return outcome?.ok === false && outcome.why !== 'unmet' ? outcome.why.errno : outcome
    }
    expect(code(insert(1000))).toBe(275)
    expect(code(insert(1))).toBe(1555)
    expect(code(must("INSERT INTO t (b) VALUES ('taken')"))).toBe(2067)
    expect(code(must("INSERT INTO log VALUES ('text', 1)"))).toBe(3091)
    expect(code(run('SELECT * FROM nothing'))).toBe(1)
    expect(code(run('SELECT ?1, ?2', 1n))).toBe(25)
    expect(code(run('SELECT ?1', 2n ** 63n))).toBe(1)
  })

  test('in a registered function takes its statement with it, and the function’s words', () => {
    db.function('refuse', () => {
      throw new TypeError('not today')
    })
    db.run('CREATE TRIGGER t_refuse AFTER INSERT ON t WHEN new.id = 5 BEGIN SELECT refuse(); END')
    const [first, second, third] = runner.run([program(insert(1)), program(insert(4), insert(5)), program(insert(6))])
    expect(first?.ok).toBe(true)
    expect(second).toEqual({ ok: false, step: 1, why: { errno: 1, message: 'not today' } })
    expect(third).toMatchObject({ ok: true, txn: 2 })
    expect(ids()).toEqual([1, 6])
  })

  test('leaves nothing, whatever its conflict clause keeps', () => {
    one(run('INSERT INTO half VALUES (2)'))
    expect(one(run('INSERT INTO half VALUES (1), (2), (3)'))).toMatchObject({ ok: false, why: { errno: 2067 } })
    expect(db.query('SELECT x FROM half').values()).toEqual([[2]])
  })
})

describe('a group', () => {
  test('numbers its programs one by one, and triggers see the number', () => {
    const outcomes = runner.run([program(insert(1)), program(insert(2), insert(3)), program(insert(1)), program(run('SELECT 1')), program(insert(4))])
    expect(outcomes.map(outcome => (outcome.ok === true ? outcome.txn : outcome.ok))).toEqual([1, 2, false, 2, 3])
    expect(db.query('SELECT txn, id FROM log ORDER BY id').values()).toEqual([[1, 1], [2, 2], [2, 3], [3, 4]])
    expect(txn()).toBe(3)
    expect(runner.written).toBe(3)
    runner.run([program(run('SELECT 1'))])
    expect(runner.written).toBeNull()
  })

  test('survives programs that roll the whole transaction back: neighbours count once', () => {
    const bad = program(insert(500), run('INSERT INTO rollback VALUES (1)'), insert(501))
    const outcomes = runner.run([bad, program(insert(1)), program(insert(2)), bad, bad, program(insert(3)), program(insert(1)), bad])
    expect(outcomes.map(({ ok }) => ok)).toEqual([false, true, true, false, false, true, false, false])
    expect(outcomes[0]).toMatchObject({ step: 1, why: { errno: 1811, message: 'all of it' } })
    expect(ids()).toEqual([1, 2, 3])
    expect(outcomes.map(outcome => (outcome.ok === true ? outcome.txn : null))).toEqual([null, 1, 2, null, null, 3, null, null])
    expect(db.query('SELECT txn FROM log').values()).toEqual([[1], [2], [3]])
  })

  test('finds whose deferred key the COMMIT refuses', () => {
    const orphan = program(run('INSERT INTO child VALUES (77)'))
    const outcomes = runner.run([program(insert(1)), program(insert(2)), orphan, program(insert(3)), program(run('INSERT INTO child VALUES (78)'), insert(78)), orphan])
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, true, true, false])
    expect(outcomes[2]).toMatchObject({ step: 0, why: { errno: 787 } })
    expect(ids()).toEqual([1, 2, 3, 78])
    expect(txn()).toBe(4)
  })

  test('of culprits only stays linear', () => {
    const bad = program(run('INSERT INTO rollback VALUES (1)'))
    expect(runner.run(Array.from({ length: 2000 }, () => bad)).every(({ ok }) => ok === false)).toBe(true)
  })

  test('is refused as a whole when another process keeps the file', () => {
    db.run('PRAGMA busy_timeout = 20')
    using other = new Database(join(directory, 'main.db'))
    other.run('BEGIN IMMEDIATE')
    expect(runner.run([program(insert(1)), program(insert(2))])).toMatchObject([{ ok: null, why: 'busy' }, { ok: null, why: 'busy' }])
    other.run('COMMIT')
    expect(runner.run([program(insert(1))])).toMatchObject([{ ok: true, txn: 1 }])
  })

  test('is refused as a whole when the file may not grow', () => {
    const pages = db.query<{ page_count: number }, []>('PRAGMA page_count').get()?.page_count ?? 0
    db.run(`PRAGMA max_page_count = ${pages + 2}`)
    const outcomes = runner.run([program(insert(1)), program(insert(2, new Uint8Array(100_000))), program(insert(3))])
    expect(outcomes.map(outcome => outcome.ok)).toEqual([null, null, null])
    expect(outcomes[0]).toMatchObject({ why: 'full' })
    expect(ids()).toEqual([])
    expect(txn()).toBe(0)
    db.run('PRAGMA max_page_count = 1000000')
    expect(runner.run([program(insert(1))])).toMatchObject([{ ok: true, txn: 1 }])
  })
})

test('prepared statements are bounded', () => {
  const small = new ProgramRunner(db, 'main', 10)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 50; i++) expect(small.run([program(run(`SELECT ${i}`), run('SELECT -1'))])).toMatchObject([{ ok: true, rows: [[[BigInt(i)]], [[-1n]]] }])
  }
  small.close()
})

test('the writer of another database counts there', () => {
  const path = join(directory, 'other.db')
  openWriter(path, { pageBytes: 4096, cacheBytes: 1024 * 1024 }).close(true)
  db.run('ATTACH ? AS other', [path])
  const other = new ProgramRunner(db, 'other')
  db.run('CREATE TABLE other.o (x INTEGER)')
  expect(other.run([program(run('INSERT INTO other.o VALUES (1)'))])).toMatchObject([{ ok: true, txn: 1 }])
  expect(txn()).toBe(0)
  other.close()
})

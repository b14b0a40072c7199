/** Rows one at a time: the same as all at once, whatever the columns are called, and no further than there is room. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { boundedRows, RowRoom } from '../../../src/records/store/bounded-rows.ts'

const series = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)'

function rowsOf(db: Database, sql: string, valueCharsMax: number): unknown {
  using statement = db.prepare<unknown, []>(sql).safeIntegers(true)
  return boundedRows(statement, [], new RowRoom(valueCharsMax))
}

test('rows are those that all at once would be', () => {
  using db = new Database(':memory:')
  const columns = Array.from({ length: 200 }, (_, i) => `i + ${i} AS c${i}`).join(', ')
  for (const sql of [`SELECT i, 'a' AS b, x'01' AS c, NULL AS d, 1.5 AS e FROM n`, 'SELECT 1, 2, 1, i FROM n', "SELECT i AS __proto__, 'x' AS a FROM n", 'SELECT i AS "2", -i AS "1" FROM n', `SELECT ${columns} FROM n`, 'SELECT i FROM n WHERE i > 1000']) {
    using statement = db.prepare<unknown, []>(`${series} ${sql}`).safeIntegers(true)
    expect(rowsOf(db, `${series} ${sql}`, 1000)).toEqual(statement.values())
  }
})

test('no more are made than there is room for, and the statement can be run again', () => {
  using db = new Database(':memory:')
  let made = 0
  db.function('made', () => ++made)
  for (const value of ["'0123456789'", "x'00010203040506070809'"]) {
    made = 0
    const sql = `${series} SELECT made() AS a, ${value} AS b FROM n`
    for (let round = 1; round <= 2; round++) {
      expect(() => rowsOf(db, sql, 200)).toThrow(/query_too_costly.*more than 200 characters/)
      expect(made).toBe(round * 21)
    }
    expect(rowsOf(db, sql, 1000)).toHaveLength(100)
  }
})

test('a refused read leaves no transaction open', () => {
  using db = new Database(':memory:')
  db.run(`CREATE TABLE t (a TEXT); INSERT INTO t ${series} SELECT 'text' FROM n`)
  using statement = db.prepare<unknown, []>('SELECT a FROM t')
  expect(() => boundedRows(statement, [], new RowRoom(10))).toThrow()
  expect(() => db.run('DROP TABLE t')).not.toThrow() // locked as long as a statement reads it
})

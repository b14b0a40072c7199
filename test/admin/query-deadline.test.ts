/** Looks at the clock inside of queries: where they go, and that SQLite gives the same rows with them. */
import { expect, test } from 'bun:test'
import { Database } from 'bun:sqlite'
import { withDeadlines } from '../../src/admin/query-deadline.ts'

const queries: readonly string[] = [
  'SELECT 1',
  'SELECT * FROM t',
  'SELECT a, b FROM t WHERE a > 1 OR b = 2 ORDER BY a DESC LIMIT 2',
  'SELECT DISTINCT a IS DISTINCT FROM b FROM t',
  'SELECT a IS NOT DISTINCT FROM b AS c FROM t GROUP BY a HAVING count(*) > 0 ORDER BY 1',
  'SELECT a FROM t UNION SELECT b FROM t WHERE b < 3 EXCEPT SELECT 1 ORDER BY 1',
  'WITH x(n) AS (SELECT a FROM t), y AS (SELECT n FROM x WHERE n > 1) SELECT * FROM y JOIN x USING (n)',
  'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT sum(x) FROM n',
  'SELECT (SELECT max(b) FROM t AS u WHERE u.a = t.a), count(*) FILTER (WHERE b > 1) FROM t',
  'SELECT a, row_number() OVER w FROM t WHERE b IN (SELECT b FROM t) WINDOW w AS (PARTITION BY a ORDER BY b)',
  'SELECT sum(b) OVER (ORDER BY a) FROM t AS "order" WHERE EXISTS (SELECT 1 FROM t u)',
  "SELECT 'FROM t WHERE (' || \"b\" /* FROM x */ FROM t -- WHERE\n WHERE a = 2",
  'SELECT l.a, r.b FROM t l LEFT JOIN t r ON r.a = l.b WHERE r.a IS NULL',
  'SELECT CASE WHEN a = 1 THEN b ELSE (SELECT 7) END FROM (SELECT * FROM t LIMIT 2)',
  'VALUES (1), (2)',
  "SELECT rowid FROM f WHERE f MATCH 'word' ORDER BY rank",
  'SELECT window FROM (SELECT a AS window FROM t) ORDER BY 1',
]

test.each(queries)('%s: the same rows', sql => {
  using db = new Database(':memory:')
  const looks = { count: 0 }
  db.function('_deadline', () => (looks.count++, 1))
  db.run(`CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (2, NULL), (2, 3), (3, 1); CREATE VIRTUAL TABLE f USING fts5(c); INSERT INTO f VALUES ('a word')`)
  const watched = withDeadlines(sql)
  expect(db.prepare(watched).values()).toEqual(db.prepare(sql).values())
  expect(looks.count > 0).toBe(/FROM (t|x|n|f|\()/i.test(sql))
})

test('every SELECT that searches is looked at', () => {
  expect(withDeadlines('SELECT a FROM t, (SELECT b FROM u WHERE c) LIMIT 1')).toBe('SELECT a FROM t, (SELECT b FROM u WHERE _deadline() AND ( c)) WHERE _deadline() LIMIT 1')
  expect(withDeadlines('SELECT 1 UNION SELECT a FROM t')).toBe('SELECT 1 UNION SELECT a FROM t WHERE _deadline()')
})

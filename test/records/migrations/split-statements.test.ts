/** Where statements end: semicolons in strings, names, comments and triggers, and scripts that are cut off. */
import { expect, test } from 'bun:test'
import { Database } from 'bun:sqlite'
import fc from 'fast-check'
import { splitStatements } from '../../../src/records/migrations/split-statements.ts'

const trigger = `CREATE TRIGGER t AFTER INSERT ON a BEGIN
  UPDATE a SET x = CASE WHEN x > 1 THEN 1 ELSE 2 END;
  INSERT INTO b SELECT 'END;' ; -- END;
END`

const cases: readonly (readonly [script: string, texts: readonly string[]])[] = [
  ['', []],
  [' ; ;; -- nothing\n/* ; */', []],
  ['SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
  ["SELECT ';''; ' ; SELECT \";\", `;`, [;] -- ;\n, 1", ["SELECT ';''; '", 'SELECT ";", `;`, [;] -- ;\n, 1']],
  ['SELECT 1 /* ; */ + 1; /* open ; SELECT 2', ['SELECT 1 /* ; */ + 1']],
  ["SELECT 'open ; SELECT 2", ["SELECT 'open ; SELECT 2"]],
  [`${trigger};\nSELECT 1;`, [trigger, 'SELECT 1']],
  [`create temp ${trigger.slice(7)};SELECT 1`, [`create temp ${trigger.slice(7)}`, 'SELECT 1']],
  ['CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT 1; END ; CREATE TABLE "trigger" (a)', ['CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT 1; END', 'CREATE TABLE "trigger" (a)']],
  ['CREATE TABLE trigger_log (a); SELECT 1', ['CREATE TABLE trigger_log (a)', 'SELECT 1']],
  ['\uFEFFSELECT 1;', ['SELECT 1']],
  ['SELECT 1 AS "été"; SELECT 2 AS überall', ['SELECT 1 AS "été"', 'SELECT 2 AS überall']],
]

test.each(cases)('%j', (script, texts) => {
  expect(splitStatements(script).map(statement => statement.text)).toEqual([...texts])
})

test('line and verb', () => {
  expect(splitStatements('-- first\n\ncommit;\n  "x" = 1')).toEqual([
    { text: 'commit', line: 3, verb: 'COMMIT' },
    { text: '"x" = 1', line: 4, verb: '' },
  ])
})

test('SQLite sees the same statements', () => {
  using db = new Database(':memory:')
  db.run('CREATE TABLE a (x); CREATE TABLE b (x)')
  const script = `${trigger}; INSERT INTO a VALUES (';'), (5); ALTER TABLE b ADD COLUMN "y;" TEXT DEFAULT 'BEGIN';`
  for (const { text } of splitStatements(script)) {
    using statement = db.prepare(text)
    expect(statement.toString().replace(/;$/, '')).toBe(text)
    statement.run()
  }
  expect(db.query('SELECT count(*) AS n FROM b').get()).toEqual({ n: 2 })
})

test('any row of statements, however they are separated', () => {
  const statement = fc.constantFrom('SELECT 1', "SELECT ';'", 'SELECT ";" AS [;]', trigger, "INSERT INTO a VALUES ('it''s; END')", 'SELECT CASE WHEN 1 THEN 2 END', '/* ; */ SELECT 3', 'PRAGMA x = `;`')
  const separator = fc.constantFrom(';', ' ;\n', '; -- ; it\'s\n', ';/* " ; */', ';;')
  fc.assert(
    fc.property(fc.array(fc.tuple(statement, separator), { maxLength: 20 }), parts => {
      const found = splitStatements(parts.map(([text, end]) => text + end).join(''))
      expect(found.map(each => each.text)).toEqual(parts.map(([text]) => text.replace('/* ; */ ', '')))
    }),
  )
})

/** Every value that SQLite stores comes back from the change log as it was: the triggers are real, the values random and odd. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import type { Column, ColumnType } from '../../../src/records/catalog/relation.ts'
import { parseRow, rowTextSql } from '../../../src/records/changes/row-text.ts'

const types: readonly ColumnType[] = ['INTEGER', 'REAL', 'TEXT', 'BLOB', 'ANY']
const columns = types.map((type, index): Column => ({
  name: type === 'ANY' ? `od"d'${type}` : type === 'TEXT' ? '__proto__' : type, index, type, isNullable: true, defaultSql: null, collation: 'BINARY', isGenerated: false, isHidden: false, format: { kind: 'plain' }, reference: null,
}))

function open(): Database {
  const db = new Database(':memory:', { safeIntegers: true })
  const names = columns.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${type}`).join(', ')
  db.run(`CREATE TABLE t (${names}) STRICT`)
  db.run('CREATE TABLE log (text TEXT)')
  db.run(`CREATE TRIGGER c AFTER INSERT ON t BEGIN INSERT INTO log VALUES (${rowTextSql(columns, 'NEW')}); END`)
  return db
}

/** The stored row, and what the log says of it. */
function through(db: Database, row: readonly SqlValue[]): readonly [SqlRow, SqlRow] {
  db.prepare('INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)').run(...(row as string[]))
  const stored = db.prepare('SELECT * FROM t ORDER BY rowid DESC LIMIT 1').values()[0] as SqlRow
  const text = (db.prepare('SELECT text FROM log ORDER BY rowid DESC LIMIT 1').values() as [string][])[0]?.[0] ?? ''
  db.run('DELETE FROM t; DELETE FROM log')
  return [stored, parseRow({ columns }, text)]
}

const odd = {
  INTEGER: [null, 0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
  REAL: [null, 0, -0, 0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity, 1e22, 9007199254740993],
  TEXT: [null, '', 'a\0b', '\u{1f600}', '"\\\n\r\t\u0001\u007f\u2028', 'null', '{"a":1}', 'é', '\ufeff'],
  BLOB: [null, new Uint8Array(0), Uint8Array.of(0, 255, 1)],
} as const

test('odd values', () => {
  using db = open()
  const any = [...odd.INTEGER, ...odd.REAL, ...odd.TEXT, ...odd.BLOB]
  for (let i = 0; i < any.length; i++) {
    const row = [odd.INTEGER[i % odd.INTEGER.length] ?? null, odd.REAL[i % odd.REAL.length] ?? null, odd.TEXT[i % odd.TEXT.length] ?? null, odd.BLOB[i % odd.BLOB.length] ?? null, any[i] ?? null]
    const [stored, logged] = through(db, row)
    expect(logged).toEqual(stored)
    expect(Object.is(logged[4], stored[4]) || typeof stored[4] !== 'number').toBe(true) // -0
  }
})

test('random numbers of every size', () => {
  using db = open()
  const view = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < 5000; i++) {
    crypto.getRandomValues(new Uint8Array(view.buffer))
    const real = Number.isNaN(view.getFloat64(0)) ? 1.5 : view.getFloat64(0)
    const [stored, logged] = through(db, [view.getBigInt64(0), real, null, null, real])
    if (!Object.is(stored[1], logged[1]) || stored[0] !== logged[0] || !Object.is(stored[4], logged[4])) throw new Error(`${view.getBigInt64(0)} ${real} ${String(logged)}`)
  }
})

test('a column that came later is null', () => {
  expect(parseRow({ columns: columns.slice(0, 2) }, '{"INTEGER":"5"}')).toEqual([5n, null])
})

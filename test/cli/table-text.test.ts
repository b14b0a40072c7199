/** Rows as CSV, JSON lines and SQL and back: every value as it was, however the file is cut into pieces; and what is refused, with its line. */
import { describe, expect, test } from 'bun:test'
import type { ShapeColumn, TableShape } from '../../src/admin/tables-shape.ts'
import { rowOfWire, wireRow } from '../../src/admin/tables-wire.ts'
import { csvText, jsonLinesText, sqlText } from '../../src/cli/table-export-text.ts'
import { CsvReader } from '../../src/cli/table-import-csv.ts'
import { JsonLinesReader } from '../../src/cli/table-import-jsonl.ts'
import { LineError, type ImportRow, type RowReader } from '../../src/cli/table-import-rows.ts'
import { SqlReader } from '../../src/cli/table-import-sql.ts'
import type { SqlRow, SqlValue } from '../../src/lib/sql-value.ts'

const column = (name: string, type: ShapeColumn['type'], isUuid = false): ShapeColumn => ({ name, type, isUuid })
const shape: TableShape = {
  database: 'main',
  name: 'odd "table"',
  isStrict: true,
  columns: [column('i', 'INTEGER'), column('r', 'REAL'), column('te"x,t', 'TEXT'), column('b', 'BLOB'), column('u', 'BLOB', true), column('any', 'ANY')],
}

const uuid = Uint8Array.fromHex('0190b5e27b0070008000000000000001')
const rows: SqlRow[] = [
  [null, null, null, null, null, null],
  [9223372036854775807n, 0.1, '', new Uint8Array(0), uuid, ''],
  [-9223372036854775808n, 1e308, 'a "quoted", b', new Uint8Array([0, 255, 10, 34]), new Uint8Array([1]), '12'],
  [0n, -5e-324, 'line\nbreak\r\nand\ttab', new Uint8Array([39]), null, 12n],
  [1n, Infinity, " it's ", uuid, null, 1.5],
  [2n, -Infinity, 'ü 漢 🦄 \u2028 \ufeff', null, null, 'NULL'],
  [9007199254740993n, 1, ';--/* [x] `y` "', null, null, 9007199254740993n],
  [3n, 1e21, 'null', null, null, 2],
  [4n, 123456789012345680000, '\\n \\"', null, null, '{"$text":"x"}'],
]

const forms = {
  csv: [csvText(shape), () => new CsvReader(shape)],
  jsonl: [jsonLinesText(shape), () => new JsonLinesReader(shape)],
  sql: [sqlText(shape), () => new SqlReader(shape)],
} as const

function textOf(name: keyof typeof forms, values: readonly SqlRow[]): string {
  const [text] = forms[name]
  return text.head + values.map((row, i) => text.row(row, i + 1)).join('') + text.tail
}

function readAll(reader: RowReader, text: string, piece = text.length): ImportRow[] {
  const found: ImportRow[] = []
  for (let at = 0; at < text.length; at += piece) found.push(...reader.push(text.slice(at, at + piece)))
  return [...found, ...reader.end()]
}

const valuesOf = (found: readonly ImportRow[]): SqlRow[] => found.map(({ values }) => values)

describe.each(['csv', 'jsonl', 'sql'] as const)('%s', name => {
  test('reads back as it was, in pieces of any size', () => {
    const text = textOf(name, rows)
    for (const piece of [1, 2, 3, 5, 7, 64, text.length]) {
      const found = readAll(forms[name][1](), text, piece)
      expect({ piece, values: valuesOf(found) }).toEqual({ piece, values: [...rows] })
      expect(found[0]?.columns).toEqual(shape.columns.map(each => each.name))
    }
  })

  test('lines are those of the file', () => {
    const text = textOf(name, rows)
    const lines = readAll(forms[name][1](), text, 11).map(({ line }) => line)
    const place = (line: number) => text.split('\n')[line - 1] ?? ''
    expect(lines).toHaveLength(rows.length)
    expect(lines.toSorted((a, b) => a - b)).toEqual(lines)
    expect(place(lines[6] ?? 0)).toContain('9007199254740993')
    expect(place(lines[2] ?? 0)).toContain('-9223372036854775808')
  })

  test('random values', () => {
    const seed = Number(Bun.env['SEED'] ?? Math.floor(Math.random() * 1e9))
    const random = randomOf(seed)
    const many = Array.from({ length: 300 }, () => shape.columns.map(each => randomValue(each, random)))
    const found = readAll(forms[name][1](), textOf(name, many), 1 + Math.floor(random() * 200))
    expect({ seed, values: valuesOf(found) }).toEqual({ seed, values: many })
  })
})

test('what a format cannot say is refused, not changed', () => {
  const loose: TableShape = { ...shape, isStrict: false, columns: [column('i', 'INTEGER'), column('t', 'TEXT')] }
  expect(() => csvText(loose).row(['text', 'x'], 3)).toThrow('row 3 of "odd "table"": the value of column "i"')
  expect(() => csvText(loose).row([1n, new Uint8Array(1)], 1)).toThrow('CSV cannot say')
  const odd: SqlRow = ['text', new Uint8Array([1, 2])]
  for (const reading of [
    readAll(new JsonLinesReader(loose), jsonLinesText(loose).row(odd, 1)),
    readAll(new SqlReader(loose), sqlText(loose).row(odd, 1)),
    readAll(new SqlReader(loose), sqlText(loose).row(['a\0b', 'x'], 1)).map(row => ({ ...row, values: ['text', new Uint8Array([1, 2])] })),
  ]) {
    expect(valuesOf(reading)).toEqual([odd])
  }
  expect(valuesOf(readAll(new SqlReader(loose), sqlText(loose).row(['a\0b', 'x'], 1)))).toEqual([['a\0b', 'x']])
})

test('between the tools and the server nothing changes', () => {
  for (const row of rows) expect(rowOfWire(JSON.parse(JSON.stringify(wireRow(row))) as string[])).toEqual(row)
  expect(Object.is(rowOfWire(wireRow([-0]))[0], -0)).toBe(true)
  for (const bad of ['x1', 'i1.5', 'i', 'rx', 'r', 'inull']) expect(() => rowOfWire([bad])).toThrow()
})

describe('other people’s files', () => {
  const posts: TableShape = { database: 'main', name: 'posts', isStrict: true, columns: [column('id', 'INTEGER'), column('title', 'TEXT')] }

  test('CSV with LF, BOM-less heads in any order and case, blank lines', () => {
    expect(readAll(new CsvReader(posts), 'TITLE , id\n"a",1\n\nb,2').map(row => [row.line, row.columns, row.values])).toEqual([
      [2, ['title', 'id'], ['a', 1n]],
      [4, ['title', 'id'], ['b', 2n]],
    ])
    expect(valuesOf(readAll(new CsvReader({ ...posts, columns: [column('title', 'TEXT')] }), 'title\n\n""\nx\n'))).toEqual([[null], [''], ['x']])
  })

  test('JSON with some of the columns, nested values, booleans, several heads', () => {
    const text = '{"title": {"a": [12345678901234567890, 1.50]}}\r\n\n{"id": true}\n{"ID": 7, "title": null}'
    expect(readAll(new JsonLinesReader(posts), text).map(row => [row.line, row.columns, row.values])).toEqual([
      [1, ['title'], ['{"a":[12345678901234567890,1.5]}']],
      [3, ['id'], [1n]],
      [4, ['id', 'title'], [7n, null]],
    ])
  })

  test('a dump of sqlite3', () => {
    const text = `PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n-- a comment; with 'one\nINSERT INTO posts VALUES(1,'it''s; "x"');INSERT INTO "posts" VALUES(-2,NULL),(+3,'b');\nCOMMIT;\n`
    expect(readAll(new SqlReader(posts), text, 4).map(row => [row.line, row.values])).toEqual([[4, [1n, `it's; "x"`]], [4, [-2n, null]], [4, [3n, 'b']]])
  })

  test('texts of dumps that no literal holds on one line', () => {
    const text = String.raw`INSERT INTO posts VALUES(1,replace(replace('a\r\nb','\r',char(13)),'\n',char(10)));INSERT INTO posts VALUES(2,unistr('a\u000ab\\c\+01f984\00e9'));INSERT INTO posts VALUES(3,char(104,105));`
    expect(valuesOf(readAll(new SqlReader(posts), text))).toEqual([[1n, 'a\r\nb'], [2n, 'a\nb\\c🦄é'], [3n, 'hi']])
    for (const bad of ['lower(1)', `replace('a',1,2)`, `replace('a','','b')`, 'char(-1)', 'unistr(1)', `CAST('a' AS TEXT)`, '1 + 2', '(1)']) {
      expect(caught(() => readAll(new SqlReader(posts), `INSERT INTO posts VALUES(1,${bad});`))?.message).toContain('a literal value is expected')
    }
  })

  test('lines before the one to begin with are not looked at', () => {
    expect(valuesOf(readAll(new CsvReader(posts, 3), 'id,title\nbad,a,b\n3,c\n'))).toEqual([[3n, 'c']])
    expect(valuesOf(readAll(new JsonLinesReader(posts, 2), 'bad\n{"id":3}'))).toEqual([[3n]])
    expect(valuesOf(readAll(new SqlReader(posts, 2), "DROP TABLE posts;\nINSERT INTO posts VALUES (3,'c');"))).toEqual([[3n, 'c']])
  })

  test.each([
    ['csv', 'id,nope\n', 1, 'has no column "nope"'],
    ['csv', 'id,title\n1,a\n2\n', 3, '2 fields are needed, there are 1'],
    ['csv', 'id,title\n1,"a\nb"\nx,y\n', 4, 'column "id": expected an integer of 64 bits, got "x"'],
    ['csv', 'id,title\n9223372036854775808,a\n', 2, 'expected an integer'],
    ['csv', 'id,title\n1,a"b\n', 2, 'a field with a quote'],
    ['csv', 'id,title\n1,"a"b\n', 2, 'a comma or the end'],
    ['csv', 'id,title\n1,"a\n2,b\n', 2, 'not closed'],
    ['csv', '', 1, 'the file is empty'],
    ['jsonl', '{"id":1}\n{"id":1\n', 2, 'not valid JSON'],
    ['jsonl', '[1]\n', 1, 'each line is an object'],
    ['jsonl', '{"x":1}', 1, 'has no column "x"'],
    ['jsonl', '{}', 1, 'has no columns'],
    ['sql', 'INSERT INTO posts VALUES (1, random());', 1, 'a literal value'],
    ['sql', '\nDELETE FROM posts;', 2, 'only INSERT'],
    ['sql', 'INSERT INTO other VALUES (1);', 1, 'not for the table "posts"'],
    ['sql', 'INSERT INTO posts (id) VALUES (1), (1, 2);', 1, '1 values are needed'],
    ['sql', 'INSERT INTO posts SELECT 1;', 1, 'VALUES is expected'],
    ['sql', "INSERT INTO posts VALUES (1, 'a", 1, 'not closed'],
  ] as const)('%s %p is refused', (name, text, line, message) => {
    const readers = { csv: CsvReader, jsonl: JsonLinesReader, sql: SqlReader }
    const error = caught(() => readAll(new readers[name](posts), text, 3))
    expect([error?.line, error?.message]).toEqual([line, expect.stringContaining(message)])
  })
})

function caught(run: () => unknown): LineError | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof LineError) return error
    throw error
  }
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const alphabet = [...`ab"',;\n\r\t\\[]\`-/*{}:ü🦄 01.eNULL`]

function randomValue({ type, isUuid }: ShapeColumn, random: () => number): SqlValue {
  if (random() < 0.15) return null
  const text = () => Array.from({ length: Math.floor(random() * 12) }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  const integer = () => BigInt.asIntN(64, (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)))
  const real = () => (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20)
  const blob = () => Uint8Array.from({ length: isUuid ? 16 : Math.floor(random() * 20) }, () => Math.floor(random() * 256))
  if (type === 'INTEGER') return integer()
  if (type === 'REAL') return real()
  if (type === 'TEXT') return text()
  if (type === 'BLOB') return blob()
  const choice = random()
  return choice < 0.3 ? integer() : choice < 0.6 ? real() : text()
}

/** Lists of random tables by random filters, orders, pages and rules, against a plain evaluation of the same in TypeScript. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import { valueText } from '../../../src/records/row-json.ts'
import type { Filter, Operator } from '../../../src/records/query/filter-tree.ts'
import { compare, type NaiveColumn, naiveList, type NaiveQuery } from './naive-list.ts'
import { type ListAnswer, QueryScene, userWith } from './query-scene.ts'

const userId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
const user = userWith(userId)
const columns = 'n INTEGER, r REAL, t TEXT, c TEXT COLLATE NOCASE, b BLOB, x ANY, "odd name" TEXT COLLATE RTRIM'
const plain: readonly NaiveColumn[] = [
  { name: 'n', type: 'INTEGER', collation: 'BINARY' },
  { name: 'r', type: 'REAL', collation: 'BINARY' },
  { name: 't', type: 'TEXT', collation: 'BINARY' },
  { name: 'c', type: 'TEXT', collation: 'NOCASE' },
  { name: 'b', type: 'BLOB', collation: 'BINARY' },
  { name: 'x', type: 'ANY', collation: 'BINARY' },
  { name: 'odd name', type: 'TEXT', collation: 'RTRIM' },
]
const id = (type: NaiveColumn['type'], collation: NaiveColumn['collation'] = 'BINARY'): NaiveColumn => ({ name: 'id', type, collation })

interface Table {
  readonly name: string
  readonly key: readonly NaiveColumn[]
  readonly sql: string
}

const tables: readonly Table[] = [
  { name: 'whole', key: [id('INTEGER')], sql: `CREATE TABLE whole (id INTEGER PRIMARY KEY, ${columns}) STRICT` },
  { name: 'text', key: [id('TEXT', 'NOCASE')], sql: `CREATE TABLE text (id TEXT COLLATE NOCASE PRIMARY KEY, ${columns}) STRICT, WITHOUT ROWID` },
  { name: 'bytes', key: [id('BLOB')], sql: `CREATE TABLE bytes (id BLOB PRIMARY KEY NOT NULL, ${columns}) STRICT; CREATE INDEX bytes_t ON bytes (t, n)` },
  {
    name: 'pair',
    key: [id('TEXT'), { name: 'part', type: 'INTEGER', collation: 'BINARY' }],
    sql: `CREATE TABLE pair (id TEXT NOT NULL, part INTEGER NOT NULL, ${columns}, PRIMARY KEY (id, part)) STRICT`,
  },
]

/** Rules in SQL and what they mean. The second reads another table, the third the caller. */
const rules: readonly { readonly sql: string | null; readonly holds: NaiveQuery['rule'] }[] = [
  { sql: null, holds: () => true },
  { sql: "_ROW_.n > 0 OR _ROW_.t IN (SELECT word FROM words) -- said so", holds: row => Number(row['n'] ?? 0) > 0 || row['t'] === 'a' || row['t'] === 'B' },
  { sql: "(_ROW_.r IS NULL OR _ROW_.r < 2) AND _USER_.id IS NOT NULL", holds: row => row['r'] === null || Number(row['r']) < 2 },
]

const words = ['', 'a', 'A', 'b', 'B', 'ab', 'aB', 'a b', 'b ', '7', '007', 'é', "o'x", '%', '_', 'abcd']
const nullable = <T extends SqlValue>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 5 })
const integers = fc.constantFrom(-2n, -1n, 0n, 1n, 2n, 7n, 9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n)
const reals = fc.constantFrom(-1.5, 0, 0.5, 1, 2, 7, 1e300)
const texts = fc.constantFrom(...words)
const blobs = fc.constantFrom('', '00', '0102', '69b71d', 'ff').map(hex => Uint8Array.fromHex(hex))
const anything = fc.oneof(integers, fc.constantFrom(0.5, 1.5), texts, blobs)
const valuesByType = { INTEGER: integers, REAL: reals, TEXT: texts, BLOB: blobs, ANY: anything }

const rowOf = (table: Table): fc.Arbitrary<SqlRow> =>
  fc.tuple(...table.key.map(column => valuesByType[column.type]), ...plain.map(column => nullable<SqlValue>(valuesByType[column.type])))

const rowsOf = (table: Table) => fc.uniqueArray(rowOf(table), { maxLength: 14, selector: row => keyText(table, row) })

function keyText(table: Table, row: SqlRow): string {
  return table.key.map((column, i) => (column.collation === 'NOCASE' ? String(row[i]).toLowerCase() : String(row[i]))).join('|')
}

function textOfValue(value: SqlValue): string {
  return value instanceof Uint8Array ? valueText('plain')(value).slice(1, -1) : String(value)
}

const operators: readonly Operator[] = ['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin']

function testOf(table: Table): fc.Arbitrary<Filter> {
  return fc.constantFrom(...table.key, ...plain).chain((column): fc.Arbitrary<Filter> => {
    // ANY compares ranges by one meaning; the reference of §4 gives it none for bytes.
    const value = (column.type === 'ANY' ? fc.oneof(integers, texts) : (valuesByType[column.type] as fc.Arbitrary<SqlValue>)).map(textOfValue)
    const one = fc.record({ kind: fc.constant('test' as const), column: fc.constant(column.name), operator: fc.constantFrom(...operators), value })
    const nulls = fc.constantFrom('NULL', '!NULL').map((text): Filter => ({ kind: 'test', column: column.name, operator: '$is', value: text }))
    const several = fc.array(value, { minLength: 1, maxLength: 3 }).map((list): Filter => ({ kind: 'test', column: column.name, operator: '$in', value: list.join(',') }))
    const like = fc.constantFrom('a%', '%b', '_', '%', 'A_', '%é%', "%'%", 'a b').map((text): Filter => ({ kind: 'test', column: column.name, operator: '$like', value: text }))
    return fc.oneof(one, one, nulls, several, ...(column.type === 'TEXT' ? [like] : []))
  })
}

const filterOf = (table: Table) =>
  fc.letrec<{ filter: Filter }>(tie => ({
    filter: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      testOf(table),
      fc.record({ kind: fc.constantFrom('all' as const, 'any' as const), parts: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    ),
  })).filter

/** The filter in brackets, with percent-encoding. */
function queryOf(filter: Filter, path: string): readonly string[] {
  if (filter.kind === 'test') return [`${path}${encodeURIComponent(`[${filter.column}]`)}[${filter.operator}]=${encodeURIComponent(filter.value)}`]
  return filter.parts.flatMap((part, i) => queryOf(part, `${path}[${filter.kind === 'all' ? '$and' : '$or'}][${i}]`))
}

const scenario = fc.constantFrom(...tables).chain(table =>
  fc.record({
    table: fc.constant(table),
    rows: rowsOf(table),
    filter: fc.option(filterOf(table), { nil: null }),
    order: fc.uniqueArray(fc.record({ name: fc.constantFrom(...[...table.key, ...table.key, ...plain].map(column => column.name)), descending: fc.boolean() }), {
      maxLength: 4,
      selector: item => item.name,
    }),
    limit: fc.integer({ min: 1, max: 6 }),
    offset: fc.constantFrom(0, 0, 0, 1, 3, 20),
    rule: fc.nat({ max: rules.length - 1 }),
    byCursor: fc.boolean(),
  }),
)

test('answer what a plain evaluation answers', () => {
  const apis = tables.flatMap(({ name }) => rules.map((rule, i) => ({ name: `${name}${i}`, tableName: name, readAccessRule: rule.sql })))
  using scene = new QueryScene(`${tables.map(table => table.sql).join(';')}; CREATE TABLE words (word TEXT) STRICT; INSERT INTO words VALUES ('a'), ('B')`, ...apis)
  fc.assert(
    fc.property(scenario, ({ table, rows, filter, order, limit, offset, rule, byCursor }) => {
      fill(scene, table, rows)
      const all = [...table.key, ...plain]
      const expected = naiveList(all, rows, { filter, order, key: table.key.map(({ name }) => name), rule: rules[rule]?.holds ?? (() => false) })
      const query = [
        ...(filter === null ? [] : queryOf(filter, 'filter')),
        ...(order.length === 0 ? [] : [`order=${order.map(item => encodeURIComponent(`${item.descending ? '-' : ''}${item.name}`)).join(',')}`]),
        `limit=${limit}`,
        'count=true',
      ].join('&')
      const list = (more: string): ListAnswer => scene.list(`${table.name}${rule}`, query + more, user)
      const whole = expected.map(record => JSON.parse(`{${all.map(({ name }) => `${JSON.stringify(name)}:${valueText('plain')(record[name] ?? null)}`).join(',')}}`) as unknown)
      const first = list(`&offset=${offset}`)
      expect(first.total_count).toBe(expected.length)
      expect(first.records).toEqual(whole.slice(offset, offset + limit) as Record<string, unknown>[])
      const isContinued = order.length === 0 || order[0]?.name === 'id'
      expect(first.cursor !== undefined).toBe(isContinued && first.records.length > 0)
      if (byCursor && isContinued) expect(allPages(list)).toEqual(whole)
    }),
    { numRuns: 500 },
  )
})

test('groups answer what a plain evaluation answers', () => {
  const [table] = tables
  if (table === undefined) throw new Error('there is a table')
  using scene = new QueryScene(table.sql, { name: 'whole', tableName: 'whole' })
  const groups = fc.constantFrom<readonly string[]>([], ['t'], ['n'], ['t', 'x'], ['b'])
  fc.assert(
    fc.property(rowsOf(table), groups, fc.boolean(), (rows, group, descending) => {
      fill(scene, table, rows)
      const query = `aggregate=count,sum(n),sum(r),min(t),max(x),distinct(c)${group.length === 0 ? '' : `&group=${group.join(',')}`}&order=${descending ? '-' : ''}sum(n)`
      const answer = JSON.parse(scene.text('whole', query).replace(/("sum\(n\)":)(-?\d+)/g, '$1"$2"')) as { readonly groups: readonly Record<string, unknown>[] }
      const expected = naiveGroups(rows.map(row => Object.fromEntries([...table.key, ...plain].map(({ name }, i) => [name, row[i] ?? null]))), group)
      const sums = answer.groups.map(each => (each['sum(n)'] === null ? null : BigInt(String(each['sum(n)']))))
      const ordered = [...sums].sort((a, b) => compare(a, b, 'BINARY'))
      expect(sums).toEqual(descending ? ordered.reverse() : ordered)
      expect(new Set(answer.groups.map(each => JSON.stringify(each)))).toEqual(new Set(expected.map(each => JSON.stringify(each))))
    }),
    { numRuns: 150 },
  )
})

function naiveGroups(records: readonly Readonly<Record<string, SqlValue>>[], group: readonly string[]): readonly Record<string, unknown>[] {
  const json = (value: SqlValue): unknown => JSON.parse(valueText('plain')(value))
  const byKey = Map.groupBy(records, record => JSON.stringify(group.map(name => `${typeof record[name]} ${json(record[name] ?? null)}`)))
  const parts = group.length === 0 && records.length === 0 ? [[]] : [...byKey.values()]
  return parts.map(part => {
    const values = (name: string) => part.map(record => record[name] ?? null).filter(value => value !== null)
    const extreme = (name: string, sign: number) => values(name).reduce<SqlValue>((best, value) => (best === null || compare(value, best, 'BINARY') * sign > 0 ? value : best), null)
    const whole = values('n') as bigint[]
    return {
      ...Object.fromEntries(group.map(name => [name, json(part[0]?.[name] ?? null)])),
      count: part.length,
      'sum(n)': whole.length === 0 ? null : String(whole.reduce((sum, value) => sum + value, 0n)),
      'sum(r)': values('r').length === 0 ? null : (values('r') as number[]).reduce((sum, value) => sum + value, 0),
      'min(t)': json(extreme('t', -1)),
      'max(x)': json(extreme('x', 1)),
      'distinct(c)': new Set(values('c').map(value => String(value).toLowerCase())).size,
    }
  })
}

function fill(scene: QueryScene, table: Table, rows: readonly SqlRow[]): void {
  scene.db.run(`DELETE FROM "${table.name}"`)
  using insert = scene.db.prepare(`INSERT INTO "${table.name}" VALUES (${[...table.key, ...plain].map(() => '?').join(', ')})`)
  for (const row of rows) insert.run(...(row as string[]))
}

function allPages(list: (more: string) => ListAnswer): unknown[] {
  const records: unknown[] = []
  for (let page = list(''); page.records.length > 0; page = list(`&cursor=${page.cursor}`)) {
    records.push(...page.records)
    if (records.length > 100) throw new Error('the pages do not end')
  }
  return records
}

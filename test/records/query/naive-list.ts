/** What a list should answer, computed in TypeScript from the rows: SQLite's order of values, filters, order and pages. Slow and plain on purpose. */
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import type { Filter } from '../../../src/records/query/filter-tree.ts'

export interface NaiveColumn {
  readonly name: string
  readonly type: 'INTEGER' | 'REAL' | 'TEXT' | 'BLOB' | 'ANY'
  readonly collation: 'BINARY' | 'NOCASE' | 'RTRIM'
}

export interface NaiveQuery {
  readonly filter: Filter | null
  readonly order: readonly { readonly name: string; readonly descending: boolean }[]
  readonly key: readonly string[]
  readonly rule: (row: Readonly<Record<string, SqlValue>>) => boolean
}

/** The rows that match, all of them, in order. */
export function naiveList(columns: readonly NaiveColumn[], rows: readonly SqlRow[], query: NaiveQuery): readonly Readonly<Record<string, SqlValue>>[] {
  const byName = new Map(columns.map(column => [column.name, column]))
  const records = rows.map(row => Object.fromEntries(columns.map(({ name }, i) => [name, row[i] ?? null])))
  const found = records.filter(record => query.rule(record) && (query.filter === null || holds(query.filter, record, byName)))
  const last = query.order.at(-1)?.descending ?? true
  const rest = query.key.filter(name => !query.order.some(item => item.name === name)).map(name => ({ name, descending: last }))
  return found.sort((a, b) => {
    for (const { name, descending } of [...query.order, ...rest]) {
      const sign = compare(a[name] ?? null, b[name] ?? null, byName.get(name)?.collation ?? 'BINARY')
      if (sign !== 0) return descending ? -sign : sign
    }
    return 0
  })
}

/** SQLite's order: NULL, numbers, text, blobs. */
export function compare(a: SqlValue, b: SqlValue, collation: NaiveColumn['collation']): number {
  const [ra, rb] = [rank(a), rank(b)]
  if (ra !== rb) return ra - rb
  if (ra === 0) return 0
  if (ra === 1) return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(folded(a, collation)), Buffer.from(folded(b, collation)))
  return Buffer.compare(a as Uint8Array, b as Uint8Array)
}

function rank(value: SqlValue): number {
  if (value === null) return 0
  return typeof value === 'bigint' || typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3
}

function folded(text: string, collation: NaiveColumn['collation']): string {
  if (collation === 'NOCASE') return text.replace(/[A-Z]/g, letter => letter.toLowerCase())
  return collation === 'RTRIM' ? text.replace(/ +$/, '') : text
}

function holds(filter: Filter, record: Readonly<Record<string, SqlValue>>, columns: ReadonlyMap<string, NaiveColumn>): boolean {
  if (filter.kind !== 'test') return filter.parts[filter.kind === 'all' ? 'every' : 'some'](part => holds(part, record, columns))
  const column = columns.get(filter.column)
  const value = record[filter.column] ?? null
  if (column === undefined) throw new Error('the test filters by a column that is not there')
  if (filter.operator === '$is') return (value === null) === (filter.value === 'NULL')
  if (value === null) return false
  const wanted = (text: string) => meanings(column, text)
  const equals = (text: string) => wanted(text).some(each => compare(value, each, column.collation) === 0)
  const sign = () => compare(value, wanted(filter.value)[0] ?? null, column.collation)
  switch (filter.operator) {
    case '$eq': return equals(filter.value)
    case '$ne': return !equals(filter.value)
    case '$gt': return sign() > 0
    case '$gte': return sign() >= 0
    case '$lt': return sign() < 0
    case '$lte': return sign() <= 0
    case '$in': return filter.value.split(',').some(equals)
    case '$nin': return !filter.value.split(',').some(equals)
    case '$like': return typeof value !== 'object' && likePattern(filter.value).test(String(value))
    default: throw new Error(`the test does not know ${filter.operator}`)
  }
}

function meanings({ type }: NaiveColumn, text: string): readonly SqlValue[] {
  if (type === 'TEXT') return [text]
  if (type === 'BLOB') return [new Uint8Array(Buffer.from(text, 'base64url'))]
  if (/^-?\d+$/.test(text) && type !== 'REAL') return [BigInt(text)]
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text)) return [Number(text)]
  return text !== '' && text.length % 4 === 0 && /^[\w-]+$/.test(text) ? [text, new Uint8Array(Buffer.from(text, 'base64url'))] : [text]
}

function likePattern(text: string): RegExp {
  const source = [...text].map(character => (character === '%' ? '[^]*' : character === '_' ? '[^]' : character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&'))).join('')
  return new RegExp(`^${source}$`, 'u')
}

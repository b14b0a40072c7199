/** The grammar of query strings (trailbase-api.md §5.3, §6.1): what is a query, and what is refused. */
import { describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { parseListQuery, parseReadQuery } from '../../../src/records/query/parse.ts'

const eq = (column: string, value: string) => ({ kind: 'test' as const, column, operator: '$eq' as const, value })

describe('filter', () => {
  const filterOf = (raw: string) => parseListQuery(raw).filter

  test('is a value, or an operator and a value', () => {
    expect(filterOf('filter[a]=1')).toEqual(eq('a', '1'))
    expect(filterOf('?filter[a][$eq]=1')).toEqual(eq('a', '1'))
    expect(filterOf('filter%5Ba.b-c_d%5D%5B%24gte%5D=x+y%2Bz%26')).toEqual({ kind: 'test', column: 'a.b-c_d', operator: '$gte', value: 'x y+z&' })
    expect(filterOf('filter[a]=')).toEqual(eq('a', ''))
    expect(filterOf('filter[a]=b=c')).toEqual(eq('a', 'b=c'))
  })

  test('takes every operator', () => {
    for (const operator of ['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$is', '$like', '$re', '$in', '$nin', '@within', '@intersects', '@contains']) {
      expect(filterOf(`filter[a][${operator}]=1`)).toMatchObject({ operator })
    }
  })

  test('joins everything of one level, repeated operators too', () => {
    expect(filterOf('filter[a][$gt]=1&filter[a][$gt]=2&filter[b]=3')).toEqual({
      kind: 'all',
      parts: [{ ...eq('a', '1'), operator: '$gt' }, { ...eq('a', '2'), operator: '$gt' }, eq('b', '3')],
    })
  })

  test('nests $and and $or by number, in any order', () => {
    expect(filterOf('filter[$or][1][b]=2&filter[$or][0][$and][0][a]=1&filter[c]=3&filter[$or][0][$and][1][a][$ne]=2')).toEqual({
      kind: 'all',
      parts: [
        { kind: 'any', parts: [{ kind: 'all', parts: [eq('a', '1'), { ...eq('a', '2'), operator: '$ne' }] }, eq('b', '2')] },
        eq('c', '3'),
      ],
    })
  })

  test('is none without a parameter', () => {
    expect(filterOf('limit=3')).toBeNull()
  })
})

describe('the other parameters', () => {
  test('have their defaults', () => {
    expect(parseListQuery('')).toEqual({
      filter: null, order: [], limit: null, offset: 0n, cursor: null, skipCursor: false, count: false, expand: [], fields: null, aggregates: [], group: [],
      match: null, geojson: null,
    })
  })

  test('are taken as §5.3 says', () => {
    const query = parseListQuery('limit=10&offset=5&cursor=abc&count=TRUE&expand=a,b.c&order=-a,+b,%2Bc,d&fields=a, b&skip_cursor=1&unknown=1&x[y]=2&match=a+b')
    expect(query).toMatchObject({ limit: 10n, offset: 5n, cursor: 'abc', count: true, expand: ['a', 'b.c'], fields: ['a', 'b'], skipCursor: true, match: 'a b' })
    expect(query.order).toEqual([{ name: 'a', descending: true }, ...['b', 'c', 'd'].map(name => ({ name, descending: false }))])
  })

  test('an empty order is none', () => {
    expect(parseListQuery('order=').order).toEqual([])
  })

  test('aggregates and groups', () => {
    const query = parseListQuery('aggregate=count,sum(a),distinct(b c)&group=d')
    expect(query.aggregates).toEqual([
      { function: 'count', column: null, text: 'count' },
      { function: 'sum', column: 'a', text: 'sum(a)' },
      { function: 'distinct', column: 'b c', text: 'distinct(b c)' },
    ])
    expect(query.group).toEqual(['d'])
  })

  test('of a read are expand and fields', () => {
    expect(parseReadQuery('expand=a&fields=b&limit=nonsense')).toEqual({ expand: ['a'], fields: ['b'] })
  })
})

describe('refused with 400', () => {
  const deep = (levels: number) => `filter${'[$and][0]'.repeat(levels)}[a]=1`
  const cases: Readonly<Record<string, readonly string[]>> = {
    'Invalid query': [
      'filter=1', 'filter=', 'filter', 'filter[]=1', 'filter[a=1', 'filter[a]x=1', 'filter]a[=1', 'filter[a][$foo]=1', 'filter[a][$gt][b]=1', 'filter[$eq]=1',
      'filter[$and]=1', 'filter[$and][0]=1', 'filter[$and][1][a]=1', 'filter[$and][0][a]=1&filter[$and][2][a]=1', 'filter[$or][x][a]=1', 'filter[$or][-1][a]=1',
      'filter[$or][00][a]=1', 'filter[a"b]=1', "filter[a'b]=1", 'filter[a;b]=1', 'filter[a(b]=1', 'filter[a%00]=1', deep(6), deep(1000),
      Array.from({ length: 65 }, (_, i) => `filter[c${i}]=1`).join('&'), 'a=1&'.repeat(300), `filter[a]=${'x'.repeat(17_000)}`, 'filter[a]=%ff', 'limit=%', 'limit=-1',
      'limit=1.5', 'limit=', 'limit=ten', 'limit=1&limit=2', 'limit[0]=1', 'limit=99999999999999999999', 'offset=-1', 'count=yes', 'count=', 'skip_cursor=2',
      'order=a,,b', 'order=-', 'order=a,b,c,d,e,f', 'fields=', 'fields=a,a', 'aggregate=', 'aggregate=median(a)', 'aggregate=count(', 'aggregate=sum', 'aggregate=count(a)',
      'aggregate=count,count', 'group=a', 'aggregate=count&group=a,a', 'aggregate=count&cursor=x', 'aggregate=count&fields=a', 'aggregate=count&expand=a',
      'aggregate=count&geojson=a', `match=${'x'.repeat(1025)}`,
    ],
    'Invalid expansion': ['expand=', 'expand=a,', 'expand=a,b,c,d,e,f'],
  }
  for (const [detail, queries] of Object.entries(cases)) {
    for (const raw of queries) {
      test(`${detail}: ${raw.slice(0, 50)}`, () => {
        const refusal = refusalOf(() => parseListQuery(raw))
        expect([refusal?.status, (refusal?.details as { detail?: string }).detail]).toEqual([400, detail])
      })
    }
  }
})

function refusalOf(run: () => unknown): Refusal | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

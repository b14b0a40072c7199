/** Hidden and excluded columns by every way a query names columns: refused in the words for a column that does not exist, and in no body. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { operators } from '../../../src/records/query/filter-tree.ts'
import { QueryScene } from './query-scene.ts'

const scene = new QueryScene(
  `CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, _hidden TEXT DEFAULT 'leak-hidden', excluded TEXT DEFAULT 'leak-excluded', place BLOB CHECK (ST_IsValid(place))) STRICT;
   CREATE TABLE entry (id INTEGER PRIMARY KEY, account INTEGER REFERENCES account(id), _hidden TEXT DEFAULT 'leak-hidden', excluded TEXT DEFAULT 'leak-excluded') STRICT;
   INSERT INTO account (id, name) VALUES (1, 'a'), (2, 'b'); INSERT INTO entry (id, account) VALUES (1, 1), (2, 2);
   CREATE TABLE secretive (_id INTEGER PRIMARY KEY, name TEXT) STRICT; INSERT INTO secretive VALUES (424242, 'x')`,
  { name: 'accounts', tableName: 'account', aclWorld: ['read'], excludedColumns: ['excluded'], expand: ['entries:entry.account@entries', 'entries.account@accounts'] },
  { name: 'entries', tableName: 'entry', aclWorld: ['read'], excludedColumns: ['excluded'], expand: ['account@accounts'] },
  { name: 'secretive', tableName: 'secretive' },
)
afterAll(() => scene[Symbol.dispose]())

/** What a query says of `column`: every parameter that names columns. */
function queriesOf(column: string): readonly string[] {
  const filters = operators.flatMap(operator => [`filter[${column}][${operator}]=NULL`, `filter[$or][0][${column}][${operator}]=NULL&filter[$or][1][id]=1`])
  const aggregates = ['sum', 'avg', 'min', 'max', 'distinct'].map(name => `aggregate=${name}(${column})`)
  return [
    ...filters, `filter[${column}]=x`, ...aggregates, `order=${column}`, `order=-${column}`, `order=name,${column}`, `fields=${column}`, `fields=name,${column}`, `geojson=${column}`,
    `expand=${column}`, `expand=entries.${column}`, `expand=account.${column}`, `aggregate=count&group=${column}`, `aggregate=count&order=${column}`,
  ]
}

const textOf = (query: string): string => {
  try {
    return scene.text('accounts', query)
  } catch (error) {
    if (error instanceof Refusal) return `${error.status} ${JSON.stringify(error.details)}`
    throw error
  }
}

describe('a column that is not shown', () => {
  for (const column of ['_hidden', 'excluded']) {
    for (const [i, query] of queriesOf(column).entries()) {
      test(query, () => {
        const answer = textOf(query)
        expect(answer).toStartWith('400 ')
        expect(answer.replaceAll(column, '?')).toBe(textOf(queriesOf('nothing')[i] ?? '').replaceAll('nothing', '?'))
      })
    }
  }

  test('is in no body', () => {
    const queries = ['', 'count=true', 'fields=name,id', 'geojson=place', 'expand=entries', 'expand=entries.account', 'order=-name', 'aggregate=count,min(name)&group=name', 'limit=1']
    for (const query of queries) {
      const text = scene.text('accounts', query)
      expect(text).not.toMatch(/leak|_hidden|excluded/)
      expect(text).toMatch(/"(id|name)"/)
    }
    for (const { text } of [scene.read('accounts', '1'), scene.read('entries', '1')] as { text: string }[]) expect(text).not.toMatch(/leak|_hidden|excluded/)
  })

  test('is in no cursor, even when it is the key', () => {
    const { cursor, records } = scene.list('secretive', '')
    expect(records).toEqual([{ name: 'x' }])
    expect(cursor).toBeUndefined()
  })
})

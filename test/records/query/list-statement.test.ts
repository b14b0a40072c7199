/** Lists over a real database: pages, cursors, orders, selected fields, counts, groups, features and searches. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { anonymous } from '../../../src/lib/principal.ts'
import { decodeCursor, encodeCursor } from '../../../src/records/query/cursor.ts'
import { QueryScene, userWith } from './query-scene.ts'

const sql = `
  CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, stars INTEGER, weight REAL, tag TEXT, _hidden TEXT DEFAULT 'h', secret TEXT DEFAULT 's') STRICT;
  INSERT INTO note (id, title, stars, weight, tag) VALUES (1, 'one', 5, 1.5, 'x'), (2, 'two', 3, 2, 'y'), (3, 'three', NULL, NULL, 'x'), (4, 'four', 3, 0.25, NULL);
  CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER) STRICT;
  INSERT INTO big VALUES (1, 9223372036854775807), (2, 9223372036854775807), (3, -1), (4, -9223372036854775808), (9223372036854775807, NULL);
  CREATE TABLE pair (a TEXT NOT NULL, b INTEGER NOT NULL, note TEXT, PRIMARY KEY (a, b)) STRICT;
  INSERT INTO pair VALUES ('x', 1, NULL), ('x', 2, 'p'), ('x', 3, NULL), ('y', 1, 'q'), ('y', 2, 'p');
  CREATE VIEW titles AS SELECT id, title FROM note;
`
const apis = [
  { name: 'notes', tableName: 'note', excludedColumns: ['secret'], listingHardLimit: 100 },
  { name: 'mine', tableName: 'note', readAccessRule: '_ROW_.stars = 3 AND _USER_.id IS NOT NULL', excludedColumns: ['secret'] },
  { name: 'big', tableName: 'big' },
  { name: 'pairs', tableName: 'pair' },
  { name: 'titles', tableName: 'titles' },
] as const

const scene = new QueryScene(sql, ...apis.map(api => ({ ...api, excludedColumns: 'excludedColumns' in api ? [...api.excludedColumns] : [] })))
afterAll(() => scene[Symbol.dispose]())
const ids = (query: string, api = 'notes') => scene.list(api, query).records.map(record => record['id'])

describe('a list', () => {
  test('is all visible columns, the key downwards, 50 at the most', () => {
    const { records, cursor } = scene.list('notes', '')
    expect(records.map(record => record['id'])).toEqual([4, 3, 2, 1])
    expect(records[0]).toEqual({ id: 4, title: 'four', stars: 3, weight: 0.25, tag: null })
    expect(typeof cursor).toBe('string')
    expect(scene.text('notes', '')).not.toContain('total_count')
  })

  test('has a count when it is asked for, and when it is empty', () => {
    expect(scene.list('notes', 'count=true&limit=1').total_count).toBe(4)
    expect(scene.text('notes', 'filter[id]=99')).toBe('{"total_count":0,"records":[]}')
    expect(scene.text('notes', 'limit=0&filter[tag]=x')).toBe('{"total_count":2,"records":[]}')
    expect(scene.list('notes', 'count=true&offset=10').total_count).toBe(4)
  })

  test('shows what the rule allows, and counts nothing else', () => {
    const someone = userWith(new Uint8Array(16))
    expect(scene.list('mine', 'count=true', someone)).toMatchObject({ total_count: 2, records: [{ id: 4 }, { id: 2 }] })
    expect(scene.list('mine', 'count=true', anonymous)).toEqual({ total_count: 0, records: [] } as never)
    expect(scene.list('mine', 'count=true&limit=0&filter[id]=2', someone).total_count).toBe(1)
    expect(scene.list('mine', 'aggregate=count', someone).groups).toEqual([{ count: 2 }])
    expect(scene.list('mine', 'count=true').total_count).toBe(4) // the operator passes every rule
  })

  test('selects fields in the order asked for', () => {
    expect(scene.text('notes', 'fields=title,id&limit=1&skip_cursor=true')).toBe('{"records":[{"title":"four","id":4}]}')
  })

  test('keeps 64 bits', () => {
    expect(scene.text('big', 'limit=1&skip_cursor=true')).toBe('{"records":[{"id":9223372036854775807,"n":null}]}')
    expect(scene.text('big', 'filter[n]=9223372036854775807&skip_cursor=1&fields=n&limit=1')).toBe('{"records":[{"n":9223372036854775807}]}')
  })

  test('refuses more than the limit of the API, and knows its default', () => {
    expect(refusal(() => scene.list('notes', 'limit=101'))).toEqual({ status: 400, detail: 'limit exceeds max limit of 100' })
    expect(ids('limit=100')).toHaveLength(4)
  })
})

describe('order', () => {
  test('is by any visible column, the key last', () => {
    expect(ids('order=stars')).toEqual([3, 2, 4, 1])
    expect(ids('order=-stars')).toEqual([1, 4, 2, 3])
    expect(ids('order=tag,-weight')).toEqual([4, 1, 3, 2])
    expect(ids('order=%2Btitle')).toEqual([4, 1, 3, 2])
  })

  test('has a cursor only when it begins with the key', () => {
    expect(scene.list('notes', 'order=title').cursor).toBeUndefined()
    expect(scene.list('notes', 'order=id,title').cursor).toBeString()
    expect(refusal(() => scene.list('notes', 'order=title&cursor=x')).detail).toBe('Only TABLEs with PK primary order support cursors. Use offset instead.')
  })
})

test('a view is ordered by its key and has no cursor', () => {
  expect(scene.text('titles', 'limit=1&filter[title]=two&count=true')).toBe('{"total_count":1,"records":[{"id":2,"title":"two"}]}')
  expect(ids('', 'titles')).toEqual([4, 3, 2, 1])
})

test('a page is found in the index of the key, whatever the key', () => {
  for (const [api, query] of [['notes', ''], ['notes', 'order=id'], ['pairs', ''], ['pairs', 'order=a'], ['pairs', 'order=a,-b']] as const) {
    const { cursor } = scene.list(api, `${query}&limit=1`)
    scene.ran.length = 0
    scene.list(api, `${query}&limit=1&cursor=${cursor}`)
    const plan = scene.db.prepare<unknown, []>(`EXPLAIN QUERY PLAN ${scene.ran[0]}`).values().map(row => String((row as unknown[])[3]))
    expect([api, query, plan[0]]).toEqual([api, query, expect.stringMatching(/^SEARCH/)])
  }
})

describe('a cursor', () => {
  const { cursor = '' } = scene.list('notes', 'limit=2')

  test('goes on behind the page, in both directions, over every kind of key', () => {
    expect(ids(`limit=2&cursor=${cursor}`)).toEqual([2, 1])
    expect(scene.text('notes', `cursor=${scene.list('notes', `cursor=${cursor}`).cursor}`)).toBe('{"total_count":0,"records":[]}')
    const up = scene.list('notes', 'order=id&limit=3').cursor ?? ''
    expect(ids(`order=id&cursor=${up}`)).toEqual([4])
    const pairs = (query: string) => scene.list('pairs', query)
    for (const order of ['', 'order=a', 'order=a,-note', 'order=-a,note,b', 'order=a,note', 'order=-a,-note']) {
      const whole = pairs(order).records
      const pages = []
      for (let page = pairs(`${order}&limit=1`); page.records.length > 0; page = pairs(`${order}&limit=1&cursor=${page.cursor}`)) pages.push(...page.records)
      expect(pages).toEqual([...whole])
    }
  })

  test('is refused when it is not ours, or is for another API or order', () => {
    const other = [...cursor].with(-3, cursor.at(-3) === 'A' ? 'B' : 'A').join('')
    for (const query of [`cursor=${other}`, 'cursor=', 'cursor=!', 'cursor=AAAA', `cursor=${cursor}&order=id`, `cursor=${cursor.slice(0, -4)}`, `cursor=${'A'.repeat(5000)}`]) {
      expect(refusal(() => scene.list('notes', query))).toMatchObject({ status: 400, detail: 'Bad cursor' })
    }
    expect(refusal(() => scene.list('big', `cursor=${cursor}`)).detail).toBe('Bad cursor')
  })

  test('made up with a checksum of its own is a cursor or refused', () => {
    const binding = JSON.stringify(['notes', ['id', true]])
    for (const values of [[], [1n, 2n], ['x'], [1.5], [new Uint8Array(3)]]) {
      expect(refusal(() => decodeCursor(binding, ['INTEGER'], encodeCursor(binding, values))).detail).toBe('Bad cursor')
    }
    expect(decodeCursor(binding, ['INTEGER'], encodeCursor(binding, [3n]))).toEqual([3n])
  })

  test('neither skips nor repeats a row that stays while others come and go', () => {
    using changing = new QueryScene('CREATE TABLE item (id TEXT PRIMARY KEY NOT NULL, stays INTEGER NOT NULL) STRICT', { name: 'items', tableName: 'item' })
    const key = (i: number) => new Bun.CryptoHasher('sha256').update(String(i)).digest('hex')
    for (let i = 0; i < 200; i++) changing.db.run('INSERT INTO item VALUES (?, ?)', [key(i), i % 2])
    const seen: unknown[] = []
    let next = 200
    for (let page = changing.list('items', 'limit=7'); page.records.length > 0; page = changing.list('items', `limit=7&cursor=${page.cursor}`)) {
      seen.push(...page.records.filter(record => record['stays'] === 1).map(record => record['id']))
      changing.db.run('DELETE FROM item WHERE stays = 0 AND id IN (SELECT id FROM item WHERE stays = 0 ORDER BY random() LIMIT 5)')
      for (let i = 0; i < 5; i++) changing.db.run('INSERT INTO item VALUES (?, 0)', [key(next++)])
    }
    const stable = Array.from({ length: 100 }, (_, i) => key(2 * i + 1)).sort().reverse()
    expect(seen).toEqual(stable)
  })
})

describe('groups', () => {
  test('are counted, summed and compared exactly', () => {
    expect(scene.text('big', 'aggregate=count,sum(n),min(n),max(n),avg(n),distinct(n)')).toBe(
      '{"groups":[{"count":5,"sum(n)":9223372036854775805,"min(n)":-9223372036854775808,"max(n)":9223372036854775807,"avg(n)":2305843009213694000.0,"distinct(n)":3}]}',
    )
    expect(scene.text('big', 'aggregate=sum(n)&filter[n][$gt]=0')).toBe('{"groups":[{"sum(n)":18446744073709551614}]}')
    expect(scene.text('big', 'aggregate=sum(n),count&filter[id]=0')).toBe('{"groups":[{"sum(n)":null,"count":0}]}')
  })

  test('are ordered, limited and counted', () => {
    expect(scene.text('notes', 'aggregate=count,sum(weight)&group=tag&order=-count,tag')).toBe(
      '{"groups":[{"tag":"x","count":2,"sum(weight)":1.5},{"tag":null,"count":1,"sum(weight)":0.25},{"tag":"y","count":1,"sum(weight)":2.0}]}',
    )
    expect(scene.text('notes', 'aggregate=count&group=tag,stars&limit=1&offset=1&count=true')).toBe('{"total_count":4,"groups":[{"tag":"x","stars":null,"count":1}]}')
    expect(scene.text('big', 'aggregate=sum(n)&group=n&order=-sum(n)&limit=2')).toBe('{"groups":[{"n":9223372036854775807,"sum(n)":18446744073709551614},{"n":-1,"sum(n)":-1}]}')
    expect(scene.text('notes', 'aggregate=count&group=tag&filter[id]=99')).toBe('{"groups":[]}')
  })

  test('refuse what is not compared or summed', () => {
    for (const query of ['aggregate=sum(title)', 'aggregate=avg(tag)', 'aggregate=count&order=title', 'aggregate=count&group=tag&order=-stars', 'aggregate=min(nothing)']) {
      expect(refusal(() => scene.list('notes', query)).status).toBe(400)
    }
  })
})

test('match is refused where nothing is indexed for search', () => {
  expect(refusal(() => scene.list('notes', 'match=one')).detail).toBe('Invalid query')
})

function refusal(run: () => unknown): { readonly status: number; readonly detail?: unknown } {
  try {
    run()
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, detail: (error.details as { detail?: string }).detail }
    throw error
  }
  throw new Error('it was not refused')
}

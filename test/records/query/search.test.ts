/** Full-text search tables as record APIs: match, rank, and columns that match must not look into. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { matchQuery } from '../../../src/records/query/match.ts'
import { QueryScene } from './query-scene.ts'

const scene = new QueryScene(
  `CREATE VIRTUAL TABLE article USING fts5 (title, body, secret);
   INSERT INTO article (rowid, title, body, secret) VALUES (1, 'Heads of water', 'pumps and water wheels', 'alpha'), (2, 'Mills', 'a wheel in the water', 'beta'), (3, 'Dry land', 'no "river" here', 'water')`,
  { name: 'articles', tableName: 'article', excludedColumns: ['secret'] },
)
afterAll(() => scene[Symbol.dispose]())

const titles = (query: string) => scene.list('articles', query).records.map(record => record['title'])

describe('match', () => {
  test('finds words, the best first', () => {
    expect(titles('match=water')).toEqual(['Heads of water', 'Mills'])
    expect(titles('match=water&order=-rank')).toEqual(['Mills', 'Heads of water'])
    expect(titles('match=whee*+NOT+mills')).toEqual(['Heads of water'])
    expect(titles('match=title:water+OR+"river"')).toHaveLength(2)
    expect(titles('match=water&filter[title][$like]=M%25&count=true')).toEqual(['Mills'])
  })

  test('tells the rank when it is selected', () => {
    const [record] = scene.list('articles', 'match=water&fields=title,rank').records
    expect(record).toMatchObject({ title: 'Heads of water' })
    expect(record?.['rank']).toBeNumber()
  })

  test('does not look into a column that the API does not show, however it is written', () => {
    expect(titles('match=alpha')).toEqual([])
    expect(titles('match=secret:alpha')).toEqual([])
    expect(titles('match={secret}:alpha')).toEqual([])
    expect(titles('match=heads+OR+(secret:beta)')).toEqual(['Heads of water'])
    for (const text of ['x) OR (secret:beta', ') OR secret:(beta', '"x"") OR (secret:beta', '', ' ', '((x)', 'x\0) OR (secret:beta', '('.repeat(17) + ')'.repeat(17)]) {
      expect(() => matchQuery(text, ['title'])).toThrow(Refusal)
    }
  })

  test('rank is nothing without it', () => {
    expect(() => titles('order=rank')).toThrow(Refusal)
    expect(() => titles('fields=rank')).toThrow(Refusal)
  })
})

test('a search table is listed and paged like any other', () => {
  const page = scene.list('articles', 'limit=2')
  expect(page.records.map(record => record['title'])).toEqual(['Dry land', 'Mills'])
  expect(titles(`cursor=${page.cursor}`)).toEqual(['Heads of water'])
  expect(scene.text('articles', 'limit=1')).not.toContain('secret')
})

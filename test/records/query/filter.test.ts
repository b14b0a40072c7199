/** Conditions by the type of their column (trailbase-api.md §6.2), and what a column does not take. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { Bindings } from '../../../src/records/query/bindings.ts'
import { filterCondition } from '../../../src/records/query/filter.ts'
import { parseListQuery } from '../../../src/records/query/parse.ts'
import { patternSize } from '../../../src/records/query/pattern-size.ts'
import { valuesRelation } from '../../../src/records/rules.ts'
import { QueryScene } from './query-scene.ts'

const scene = new QueryScene(
  `CREATE TABLE thing (
     id BLOB PRIMARY KEY NOT NULL CHECK (is_uuid(id)),
     whole INTEGER, part REAL, text TEXT, bytes BLOB, any_value ANY,
     doc TEXT CHECK (jsonschema_matches('{"type":"object"}', doc)),
     file TEXT CHECK (jsonschema('std.FileUpload', file)),
     place BLOB CHECK (ST_IsValid(place))
   ) STRICT;
   INSERT INTO thing VALUES
     (x'00000000000040008000000000000001', 1, 0.5, '007', x'fbff', 7, '{"a": 1.50, "big": 12345678901234567890}', NULL, ST_GeomFromText('POINT (1 1)')),
     (x'00000000000040008000000000000002', -9223372036854775808, -2, '7', x'', 'abcd', NULL, '{"id":"00000000-0000-4000-8000-00000000abcd","filename":"x_0123456789.png"}', ST_GeomFromText('POINT (9 9)')),
     (x'00000000000040008000000000000003', NULL, 1e300, 'Straße', NULL, x'69b71d', NULL, NULL, NULL)`,
  { name: 'things', tableName: 'thing' },
)
afterAll(() => scene[Symbol.dispose]())

/** Last digit of the ids that match. */
function found(filter: string): string {
  const { records } = scene.list('things', `${filter}&order=id&fields=id`)
  return records.map(record => Buffer.from(String(record['id']), 'base64url').at(-1)).join('')
}

describe('values', () => {
  const cases: Readonly<Record<string, string>> = {
    'filter[id]=AAAAAAAAQACAAAAAAAAAAQ==': '1',
    'filter[id]=00000000-0000-4000-8000-000000000002': '2',
    'filter[whole]=1': '1',
    'filter[whole]=%2B1': '1',
    'filter[whole]=-9223372036854775808': '2',
    'filter[whole][$lt]=1': '2',
    'filter[part]=0.5': '1',
    'filter[part][$gte]=.5': '13',
    'filter[part]=1e300': '3',
    'filter[part]=-2': '2',
    'filter[text]=7': '2', // TrailBase would print 007 as 7
    'filter[text]=007': '1',
    'filter[text]=Stra%C3%9Fe': '3',
    'filter[text][$like]=%25ra%25': '3',
    'filter[text][$like]=%25RA%25': '',
    'filter[text][$re]=^0*7$': '12',
    'filter[text][$re]=(?i)STRASSE|STRA%C3%9FE': '3',
    'filter[bytes]=-_8=': '1',
    'filter[bytes]=-_8': '1',
    'filter[bytes]=': '2',
    'filter[any_value]=7': '1',
    'filter[any_value]=abcd': '23', // as text and as the bytes 69b71d
    'filter[any_value][$ne]=abcd': '1',
    'filter[any_value][$nin]=abcd,7': '',
    'filter[whole][$in]=1,2,3': '1',
    'filter[text][$nin]=7,007': '3',
    'filter[doc][$is]=NULL': '23',
    'filter[doc][$is]=!NULL': '1',
    'filter[file][$is]=!NULL': '2',
    'filter[doc][$like]=%251.50%25': '1',
    'filter[place][@within]=POLYGON((0 0,0 2,2 2,2 0,0 0))': '1',
    'filter[place][@intersects]=LINESTRING(0 0,10 10)': '12',
    'filter[place][@contains]=POINT(9 9)': '2',
    'filter[whole][$gt]=0&filter[whole][$lt]=2': '1',
    'filter[$or][0][whole]=1&filter[$or][1][text]=7': '12',
  }
  for (const [query, expected] of Object.entries(cases)) test(query, () => expect(found(query)).toBe(expected))
})

describe('refused with 400', () => {
  const queries = [
    'filter[whole]=1.0', 'filter[whole]=one', 'filter[whole]=', 'filter[whole]=9223372036854775808', 'filter[whole]=0x1', 'filter[whole]=true', 'filter[part]=nan', 'filter[part]=inf',
    'filter[part]=', 'filter[part]=1e999', 'filter[bytes]=***', 'filter[bytes]=abc=d', 'filter[id]=1', 'filter[whole][$is]=null', 'filter[whole][$is]=', 'filter[whole][$like]=1%25',
    'filter[bytes][$re]=a', 'filter[text][$re]=(', 'filter[text][$re]=(?=a)', 'filter[text][$re]=(a)\\1', `filter[text][$re]=${'a'.repeat(513)}`, `filter[text][$like]=${'%25'.repeat(513)}`,
    `filter[whole][$in]=${'1,'.repeat(256)}1`, 'filter[whole][$in]=1,x', 'filter[whole][$in]=', 'filter[place][@within]=nonsense', "filter[place][@within]=POINT(1 1)'", 'filter[place][@within]=POINT(1 1);',
    'filter[text][@within]=POINT(1 1)', 'filter[nothing]=1', 'filter[rowid]=1', 'filter[_rowid_]=1', 'filter[ID]=1', 'filter[file]=x', 'filter[file][$like]=%25abcd%25', 'filter[file][$in]=a',
    'filter[file][$re]=abcd', 'filter[file][$gt]=a',
  ]
  for (const query of queries) {
    test(query.slice(0, 50), () => {
      try {
        found(query)
        throw new Error('it was not refused')
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal)
        expect((error as Refusal).details).toMatchObject({ detail: 'Invalid filter params' })
      }
    })
  }
})

test('a filter judges a row of bound values as it judges the stored one', () => {
  const { relation, visible } = scene.api('things')
  const columns = new Map(visible.map(column => [column.name, column]))
  const values = scene.rows('SELECT * FROM thing ORDER BY id', [])
  const row = valuesRelation(relation, 1)
  for (const query of ['filter[text][$like]=%25ra%25', 'filter[whole]=1', 'filter[part][$lt]=0', 'filter[any_value]=abcd', 'filter[place][@within]=POLYGON((0 0,0 2,2 2,2 0,0 0))']) {
    const { filter } = parseListQuery(query)
    const judged = values.map(stored => {
      const bindings = new Bindings(stored)
      const condition = filter === null ? '1' : filterCondition(filter, { columns, sqlOf: column => `_ROW_."${column.name}"` }, bindings)
      return scene.rows(`SELECT coalesce(${condition}, 0) FROM ${row.sql} AS _ROW_`, bindings.values)[0]?.[0]
    })
    expect(judged.flatMap((holds, i) => (holds === 1n ? [i + 1] : [])).join('')).toBe(found(query))
  }
})

test('the size of a pattern counts its repeats', () => {
  expect(['abc', 'a{3}', '(ab){3}', '((a{10}){10})', '[a{9}]{2}', '\\{9}', 'a{2,5}|b{3,}', '\\p{Greek}{2}', '[^\\]a]{3}'].map(patternSize)).toEqual([3, 3, 9, 111, 2, 3, 10, 2, 3])
})

test('files, documents and geometries answer in their form', () => {
  const [first, second] = scene.list('things', 'order=id').records
  expect(second?.['file']).toEqual({ filename: 'x_0123456789.png' })
  expect(first?.['place']).toEqual({ type: 'Point', coordinates: [1, 1] })
  expect(scene.text('things', 'fields=doc&limit=1&order=id&skip_cursor=1')).toBe('{"records":[{"doc":{"a": 1.50, "big": 12345678901234567890}}]}')
})

test('features have the key and the geometry beside their properties', () => {
  const { features } = scene.list('things', 'geojson=place&fields=whole&order=id&filter[whole]=1')
  expect(features).toEqual([{ type: 'Feature', id: 'AAAAAAAAQACAAAAAAAAAAQ==', geometry: { type: 'Point', coordinates: [1, 1] }, properties: { whole: 1 } }] as never)
  expect(scene.text('things', 'geojson=place&filter[whole]=5')).toBe('{"type":"FeatureCollection","features":[],"total_count":0}')
  expect(() => scene.text('things', 'geojson=text')).toThrow(Refusal)
})

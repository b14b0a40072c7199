/** What clients may send for a column of each type (trailbase-api.md §4). */
import { describe, expect, test } from 'bun:test'
import type { Column, ColumnFormat, ColumnType } from '../../../src/records/catalog/relation.ts'
import { blobOfText, columnValue } from '../../../src/records/body/column-value.ts'

function column(type: ColumnType, format: ColumnFormat = { kind: 'plain' }): Column {
  const plain = { isNullable: true, defaultSql: null, collation: 'BINARY', isGenerated: false, isHidden: false, reference: null }
  return { name: 'c', index: 0, type, format, ...plain }
}

describe('columnValue of JSON', () => {
  const taken: [ColumnType, unknown, unknown][] = [
    ['INTEGER', 5, 5n],
    ['INTEGER', true, 1n],
    ['INTEGER', false, 0n],
    ['INTEGER', 9223372036854775807n, 9223372036854775807n],
    ['REAL', 1, 1],
    ['REAL', 1.25, 1.25],
    ['REAL', 2n ** 60n, 2 ** 60],
    ['TEXT', 'x', 'x'],
    ['TEXT', '007', '007'],
    ['BLOB', 'AZH8mYedc1K7hrsTZgdHBA==', Uint8Array.fromHex('0191fc99879d7352bb86bb1366074704')],
    ['BLOB', '0191fc99-879d-7352-bb86-bb1366074704', Uint8Array.fromHex('0191fc99879d7352bb86bb1366074704')],
    ['BLOB', '_-8=', new Uint8Array([0xff, 0xef])],
    ['BLOB', [0, 255], new Uint8Array([0, 255])],
    ['BLOB', '', new Uint8Array(0)],
    ['ANY', 5, 5n],
    ['ANY', 1.5, 1.5],
    ['ANY', 'x', 'x'],
    ['ANY', true, 1n],
    ['ANY', [1, 2], new Uint8Array([1, 2])],
    ['INTEGER', null, null],
    ['TEXT', undefined, null],
  ]
  test.each(taken)('%s takes %p', (type, value, stored) => {
    expect(columnValue(column(type), value, 'json')).toEqual(stored as never)
  })

  const refused: [ColumnType, unknown][] = [
    ['INTEGER', '5'],
    ['INTEGER', 1.5],
    ['INTEGER', 2n ** 63n],
    ['INTEGER', {}],
    ['REAL', '1.5'],
    ['REAL', Number.POSITIVE_INFINITY],
    ['TEXT', 5],
    ['TEXT', {}],
    ['BLOB', 5],
    ['BLOB', '*'],
    ['BLOB', 'A'],
    ['BLOB', [256]],
    ['BLOB', [1.5]],
    ['ANY', {}],
    ['ANY', ['x']],
    ['ANY', 2n ** 64n],
  ]
  test.each(refused)('%s refuses %p', (type, value) => {
    expect(() => columnValue(column(type), value, 'json')).toThrow('Invalid Parameters')
  })

  test('a JSON column takes any value as its text', () => {
    const json = column('TEXT', { kind: 'json', schema: true })
    expect(columnValue(json, { a: [1, 2n ** 62n] }, 'json')).toBe('{"a":[1,4611686018427387904]}')
    expect(columnValue(json, 'x', 'json')).toBe('"x"')
    expect(columnValue(json, '{"a":1}', 'text')).toBe('{"a":1}')
    expect(columnValue(json, null, 'json')).toBeNull()
  })

  test('a form sends numbers as text', () => {
    expect(columnValue(column('INTEGER'), '-12', 'text')).toBe(-12n)
    expect(columnValue(column('REAL'), '1e3', 'text')).toBe(1000)
    expect(() => columnValue(column('INTEGER'), '1.5', 'text')).toThrow('Invalid Parameters')
    expect(() => columnValue(column('REAL'), ' ', 'text')).toThrow('Invalid Parameters')
  })
})

describe('blobOfText', () => {
  test('takes base64 in both alphabets, with and without padding', () => {
    for (const text of ['--__', '++//']) expect(blobOfText(text)).toEqual(new Uint8Array([0xfb, 0xef, 0xff]))
    expect(blobOfText('AQ')).toEqual(new Uint8Array([1]))
    expect(blobOfText('AQ==')).toEqual(new Uint8Array([1]))
    expect(blobOfText('AQ=')).toBeNull()
    expect(blobOfText('A B=')).toBeNull()
  })
})

/** Tags of rows: the same for the same values, and for no others. */
import { expect, test } from 'bun:test'
import { rowTag } from '../../src/storage/row-tag.ts'

test('equal rows have equal tags', () => {
  const row = () => [1n, 0.5, 'text', Uint8Array.of(1, 2), null]
  expect(rowTag(row())).toBe(rowTag(row()))
  expect(rowTag(row())).toMatch(/^[\w-]{22}$/)
  expect(rowTag([Uint8Array.of(9, 1, 2, 9).subarray(1, 3)])).toBe(rowTag([Uint8Array.of(1, 2)]))
})

test('rows that look alike do not', () => {
  const rows = [[], [null], [null, null], [1n], [1], ['1'], [Uint8Array.of(49)], ['1', ''], ['', '1'], ['a', 'b'], ['ab'], ['at1:b'], ['a', 't1:b'], [12n], [1n, 2n], ['n;'], [0.1], [0.1 + 2 ** -54], [''], [new Uint8Array(0)]]
  expect(new Set(rows.map(rowTag)).size).toBe(rows.length)
})

test('a large blob counts with every byte', () => {
  const large = (last: number) => [new Uint8Array(100_000).fill(1).fill(last, 99_999), 'x']
  expect(rowTag(large(1))).toBe(rowTag(large(1)))
  const sizes = [1023, 1024, 1025, 99_999, 100_000].map(size => [new Uint8Array(size).fill(1), 'x'])
  expect(new Set([...sizes, large(2), [new Uint8Array(100_000).fill(1).toHex(), 'x']].map(rowTag)).size).toBe(7)
})

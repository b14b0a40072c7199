/** Stream names: one stream has one name, and what is no name is refused. */
import { expect, test } from 'bun:test'
import { parseName } from '../../../src/streams/protocol/name.ts'
import { refusalOf } from '../../support/stream-store.ts'

const limits = { nameBytesMax: 24, nameSegmentsMax: 3 }

test.each([
  ['a', 'a'],
  ['a/b/c', 'a/b/c'],
  ['a%2Fb', 'a/b'],
  ['a%2fb', 'a/b'],
  ['%61', 'a'],
  ['a%20b', 'a b'],
  ['a b', 'a b'],
  ['a+b', 'a+b'],
  ['%2541', '%41'],
  ['%23', '#'],
  ['a%3Fb', 'a?b'],
  ['%C3%BC', 'ü'],
  ['u%CC%88', 'u\u0308'],
  ['...', '...'],
  ['.a/b.', '.a/b.'],
  ['a\\b', 'a\\b'],
  ['__proto__', '__proto__'],
  ['%C2%A0', '\u00a0'],
])('%j names %j', (encoded, name) => {
  expect(parseName(encoded, limits)).toBe(name)
})

test.each([
  '', '/', '/a', 'a/', 'a//b', 'a%2F', '%2Fa', 'a%2F/b', '.', '..', 'a/..', './a', 'a/../b', '%2e%2e', 'a/%2E/b', 'a%2F..%2Fb',
  'a#b', '#', '%', 'a%', 'a%2', '%zz', '%ff', '%C3', '%C0%AF', '%ED%A0%80', '%00', 'a%0Ab', 'a%7f', 'a%C2%85', 'a\u0001', 'a\tb',
])('%j is refused', async encoded => {
  expect(await refusalOf(() => parseName(encoded, limits))).toBe('invalid_stream_name')
})

test.each([
  ['a'.repeat(24), true],
  ['a'.repeat(25), false],
  ['%61'.repeat(24), true],
  ['ü'.repeat(12), true],
  ['ü'.repeat(12) + 'a', false],
  ['€'.repeat(8), true],
  ['€'.repeat(9), false],
  ['😀'.repeat(6), true],
  ['😀'.repeat(6) + 'a', false],
  [encodeURIComponent('😀'.repeat(7)), false],
  ['a/b/c', true],
  ['a/b/c/d', false],
  ['a%2Fb/c%2Fd', false],
] as const)('%j within 24 bytes and 3 segments: %p', async (encoded, fits) => {
  const outcome = await refusalOf(() => parseName(encoded, limits))
  expect(outcome).toEqual(fits ? { notRefused: decodeURIComponent(encoded) } : 'invalid_stream_name')
})

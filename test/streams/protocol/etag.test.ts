/** Entity tags: what makes them differ, and what an If-None-Match names. */
import { expect, test } from 'bun:test'
import { entityTag, tagMatches } from '../../../src/streams/protocol/etag.ts'

const page = { streamId: 40, start: 1, end: 23, upToDate: false, closed: false }

test('pages that differ in anything a cache must see have different tags, equal ones the same', () => {
  const pages = [
    page,
    { ...page, streamId: 41 },
    { ...page, start: 12, end: 3 },
    { ...page, start: 0 },
    { ...page, end: 24 },
    { ...page, upToDate: true },
    { ...page, upToDate: true, closed: true },
  ]
  expect(new Set(pages.map(entityTag)).size).toBe(pages.length)
  expect(entityTag({ ...page })).toBe(entityTag(page))
})

test('a tag is a strong one, quoted, with no character that a list of tags would need', () => {
  for (const each of [page, { ...page, upToDate: true }, { ...page, closed: true, streamId: Number.MAX_SAFE_INTEGER }]) {
    expect(entityTag(each)).toMatch(/^"[0-9a-z:]+"$/)
  }
})

test.each([
  ['"a:1:2"', true],
  ['W/"a:1:2"', true],
  ['*', true],
  [' * ', true],
  ['"x", "a:1:2"', true],
  ['"x",W/"a:1:2" ,"y"', true],
  [' "a:1:2" ', true],
  ['', false],
  ['"a:1:2:t"', false],
  ['"a:1:22"', false],
  ['a:1:2', false],
  ['w/"a:1:2"', false],
  ['W/ "a:1:2"', false],
  ['"*"', false],
  ['"x", "y"', false],
])('If-None-Match: %s names the tag: %p', (value, expected) => {
  expect(tagMatches(value, '"a:1:2"')).toBe(expected)
})

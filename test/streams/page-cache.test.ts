/** The page cache: what may be served from it, and its bound. */
import { expect, test } from 'bun:test'
import { PageCache } from '../../src/streams/page-cache.ts'

const page = (bytes: number, full: boolean) => ({ body: new Uint8Array(bytes), end: bytes, full })

test('a full page is served whatever the tail, another one only at the tail it was made for', () => {
  const cache = new PageCache(1 << 20, () => 0)
  cache.put(1, 0, page(20_000, true))
  cache.put(2, 0, page(20_000, false))
  expect(cache.get(1, 0, 99_999)?.end).toBe(20_000)
  expect(cache.get(2, 0, 20_000)?.end).toBe(20_000)
  expect(cache.get(2, 0, 20_001)).toBeNull()
  expect(cache.get(1, 1, 99_999)).toBeNull()
})

test('a page that is a view of a large group does not keep the group', () => {
  const cache = new PageCache(1 << 20, () => 0)
  const group = new Uint8Array(10 << 20).fill(7)
  cache.put(1, 0, { body: group.subarray(100, 20_100), end: 20_000, full: true })
  const kept = cache.get(1, 0, 20_000)?.body
  expect(kept?.buffer.byteLength).toBe(20_000)
  expect(kept).toEqual(new Uint8Array(20_000).fill(7))
})

test('small and very large pages are not kept', () => {
  const cache = new PageCache(1 << 20, () => 0)
  cache.put(1, 0, page(100, true))
  cache.put(1, 200, page(1 << 19, true))
  expect(cache.get(1, 0, 100)).toBeNull()
  expect(cache.get(1, 200, 1 << 19)).toBeNull()
})

test('the oldest pages go first when the bytes are used up', () => {
  const cache = new PageCache(100_000, () => 0)
  for (let from = 0; from < 10; from++) cache.put(1, from, page(20_000, true))
  expect(Array.from({ length: 10 }, (_, from) => cache.get(1, from, 0) !== null)).toEqual([...Array<boolean>(5).fill(false), ...Array<boolean>(5).fill(true)])
})

test('a stream that is gone leaves nothing', () => {
  const cache = new PageCache(100_000, () => 0)
  for (let from = 0; from < 3; from++) cache.put(1, from, page(20_000, true))
  cache.put(2, 0, page(20_000, true))
  cache.forget(1)
  for (let from = 0; from < 3; from++) expect(cache.get(1, from, 0)).toBeNull()
  for (let from = 1; from < 4; from++) cache.put(2, from, page(20_000, true))
  expect(cache.get(2, 0, 0)).not.toBeNull()
})

test('drops what nobody asked for lately and says how much that was', () => {
  let now = 1_000_000
  const cache = new PageCache(1 << 20, () => now)
  cache.put(1, 0, { body: new Uint8Array(20_000), end: 20_000, full: true })
  cache.put(2, 0, { body: new Uint8Array(30_000), end: 30_000, full: true })
  now += 3_000
  expect(cache.get(2, 0, 30_000)).not.toBeNull()
  expect(cache.dropUnused()).toBe(0)
  now += 3_000
  expect(cache.dropUnused()).toBe(20_000)
  expect(cache.get(1, 0, 20_000)).toBeNull()
  expect(cache.get(2, 0, 30_000)).not.toBeNull()
})

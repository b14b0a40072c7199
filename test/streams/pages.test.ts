/** Pages of committed bytes: whole records, the same ones wherever they come from, and through the sources of a fork. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Pages } from '../../src/streams/pages.ts'
import type { StreamState } from '../../src/streams/stream.ts'
import { kindName, offsetOf, refusalOf, StoreWorld, type StoreKind } from '../support/stream-store.ts'

const text = { 'content-type': 'text/plain' }
const json = { 'content-type': 'application/json' }

const kinds: readonly (StoreKind & { readonly drains: boolean })[] = [
  { mode: 'memory', shards: null, drains: false },
  { mode: 'file-fast', shards: null, drains: false },
  { mode: 'file-fast', shards: null, drains: true },
  { mode: 'acid', shards: 1, drains: true },
]

describe.each(kinds.map(kind => [`${kindName(kind)}${kind.drains ? ', from the tables' : ''}`, kind] as const))('%s', (_name, kind) => {
  let world: StoreWorld
  let streams = 0
  beforeAll(async () => void (world = await StoreWorld.open(kind)))
  afterAll(async () => {
    await world.end()
    expect(world.fenced).toEqual([])
  })

  function pages(pageBytes: number, cacheBytes = 0): Pages {
    return new Pages(world.streams.registry, pageBytes, cacheBytes, () => world.clock.now())
  }

  function found(path: string): StreamState {
    const stream = world.streams.registry.find(path)
    if (stream === null) throw new Error(`there is no ${path}`)
    return stream
  }

  /** A stream with these records. */
  async function made(records: readonly string[], fields: Readonly<Record<string, string>> = text): Promise<StreamState> {
    const path = `pages-${streams++}`
    await world.put(path, fields)
    for (const record of records) await world.post(path, fields, record)
    if (kind.drains) await world.drained()
    return found(path)
  }

  async function forked(source: StreamState, fields: Readonly<Record<string, string>>, records: readonly string[] = []): Promise<StreamState> {
    const path = `pages-${streams++}`
    const type = { 'content-type': source.contentType }
    await world.put(path, { ...type, 'stream-forked-from': source.path, ...fields })
    for (const record of records) await world.post(path, type, record)
    if (kind.drains) await world.drained()
    return found(path)
  }

  /** Bodies of the pages from the start to the tail; a `*` marks full ones. */
  function bodies(stream: StreamState, pageBytes: number): string[] {
    const reader = pages(pageBytes)
    const all: string[] = []
    for (let from = 0; ; ) {
      const page = reader.page(stream, from)
      all.push(`${Buffer.from(page.body).toString()}${page.full ? '*' : ''}`)
      if (page.upToDate) return all
      if (page.end <= from) throw new Error(`no way on at ${from}`)
      from = page.end
    }
  }

  test.each([
    [[], 4, ['']],
    [['aaaa'], 4, ['aaaa*']],
    [['aaa'], 4, ['aaa']],
    [['aaa', 'bb'], 4, ['aaa*', 'bb']],
    [['aa', 'bb', 'c'], 4, ['aabb*', 'c']],
    [['aa', 'bbbbbbbb', 'c'], 4, ['aa*', 'bbbbbbbb*', 'c']],
    [['aaaaaaaa', 'b', 'c', 'd', 'e', 'f'], 4, ['aaaaaaaa*', 'bcde*', 'f']],
    [['aaa', 'bbb', 'ccc'], 1, ['aaa*', 'bbb*', 'ccc*']],
    [['aaa', 'bbb', 'ccc'], 100, ['aaabbbccc']],
  ])('records %j in pages of about %d bytes: %j', async (records, pageBytes, expected) => {
    expect(bodies(await made(records), pageBytes)).toEqual(expected)
  })

  test('JSON pages are arrays of whole messages, an empty one an empty array', async () => {
    const stream = await made(['1', '[2,3]', '{"a":4}'], json)
    expect(bodies(stream, 100)).toEqual(['[1,2,3,{"a":4}]'])
    expect(bodies(stream, 3)).toEqual(['[1]*', '[2,3]*', '[{"a":4}]*'])
    expect(Buffer.from(pages(100).page(stream, stream.committedTail).body).toString()).toBe('[]')
  })

  test('the last page says so, and tells the closure; an earlier one does not', async () => {
    const stream = await made(['aa', 'bb'])
    await world.post(stream.path, { 'stream-closed': 'true' })
    const reader = pages(2)
    expect(reader.page(stream, 0)).toMatchObject({ start: 0, end: 2, upToDate: false, closed: false, full: true, json: false, contentType: 'text/plain', streamId: stream.id })
    expect(reader.page(stream, 2)).toMatchObject({ start: 2, end: 4, upToDate: true, closed: true, full: true })
    expect(reader.page(stream, 4)).toMatchObject({ start: 4, end: 4, upToDate: true, closed: true, full: false })
  })

  test('a page of another size is not mixed up with those that are kept', async () => {
    const records = Array.from({ length: 8 }, (_, i) => String(i).repeat(8192))
    const stream = await made(records)
    const reader = pages(32_768, 1 << 20)
    const first = reader.page(stream, 0)
    expect(reader.page(stream, 0).body).toBe(first.body)
    expect(reader.page(stream, 0, 8192)).toMatchObject({ end: 8192, full: true })
    expect(reader.page(stream, 0)).toEqual(first)
    reader.forget(stream.id)
    const again = reader.page(stream, 0)
    expect(again.body === first.body).toBe(false)
    expect(Buffer.compare(again.body, first.body)).toBe(0)
    world.clock.advance(60_000)
    expect(reader.dropUnused()).toBe(32_768)
  })

  test('a page at the tail grows although it was kept', async () => {
    const stream = await made(['a'.repeat(20_000)])
    const reader = pages(65_536, 1 << 20)
    expect(reader.page(stream, 0)).toMatchObject({ end: 20_000, upToDate: true, full: false })
    await world.post(stream.path, text, 'b'.repeat(20_000))
    expect(reader.page(stream, 0)).toMatchObject({ end: 40_000, upToDate: true, full: false })
    await world.post(stream.path, { 'stream-closed': 'true' })
    expect(reader.page(stream, 0)).toMatchObject({ end: 40_000, closed: true })
  })

  test('borders are where records start and end, and records come back by themselves', async () => {
    const stream = await made(['aaa', 'b', 'cc'])
    const reader = pages(100)
    expect([0, 1, 2, 3, 4, 5, 6].filter(at => reader.isBoundary(stream, at))).toEqual([0, 3, 4, 6])
    const seen = [0, 3, 4].map(at => reader.recordAt(stream, at)).map(({ bytes, end }) => [Buffer.from(bytes).toString(), end])
    expect(seen).toEqual([['aaa', 3], ['b', 4], ['cc', 6]])
  })

  test('what is not there is damage of the stream', async () => {
    const stream = await made(['aaa'])
    expect(await refusalOf(() => pages(100).recordAt(stream, 3))).toBe('stream_damaged')
  })

  describe('forks', () => {
    test.each([
      [{}, ['x', 'yy'], ['aaaabb*', 'bbxyy']],
      [{ 'stream-fork-offset': offsetOf(0) }, ['x', 'yy'], ['xyy']],
      [{ 'stream-fork-offset': offsetOf(4) }, [], ['aaaa']],
      [{ 'stream-fork-offset': offsetOf(4) }, ['x', 'yyyy'], ['aaaax*', 'yyyy']],
      [{ 'stream-fork-offset': offsetOf(4), 'stream-fork-sub-offset': '1' }, ['x', 'yyyy'], ['aaaabx*', 'yyyy']],
      [{ 'stream-fork-offset': offsetOf(0), 'stream-fork-sub-offset': '3' }, ['xxxxxxx'], ['aaa*', 'xxxxxxx*']],
    ])('%j with %j read on where they leave their source: %j', async (fields, records, expected) => {
      const source = await made(['aaaa', 'bb', 'bb'])
      const fork = await forked(source, fields, records)
      await world.post(source.path, text, 'later')
      expect(bodies(fork, 6)).toEqual(expected)
    })

    test('of forks read through all of their sources, and stop where each was left', async () => {
      const root = await made(['aaaa', 'bbbb'])
      const child = await forked(root, { 'stream-fork-offset': offsetOf(4), 'stream-fork-sub-offset': '2' }, ['cc'])
      const tip = await forked(child, {}, ['dd'])
      const early = await forked(child, { 'stream-fork-offset': offsetOf(4) }, ['e'])
      expect(bodies(tip, 100)).toEqual(['aaaabbccdd'])
      expect(bodies(tip, 4)).toEqual(['aaaa*', 'bbcc*', 'dd'])
      expect(bodies(early, 100)).toEqual(['aaaae'])
      const reader = pages(100)
      expect([...Array(11).keys()].filter(at => reader.isBoundary(tip, at))).toEqual([0, 4, 6, 8, 10])
      const { bytes, end } = reader.recordAt(tip, 4)
      expect([Buffer.from(bytes).toString(), end]).toEqual(['bb', 6])
    })

    test('of JSON streams are one array', async () => {
      const source = await made(['[1,2,3]'], json)
      const fork = await forked(source, { 'stream-fork-offset': offsetOf(0), 'stream-fork-sub-offset': '2' }, ['[8]', '9'])
      expect(bodies(fork, 100)).toEqual(['[1,2,8,9]'])
      expect(bodies(fork, 1)).toEqual(['[1,2]*', '[8]*', '[9]*'])
    })
  })

  test('pages are the same however the records were stored, one by one or many at once', async () => {
    const lengths = Array.from({ length: 200 }, (_, i) => 1 + ((i * 7919) % 700))
    const records = lengths.map((length, i) => String.fromCharCode(97 + (i % 26)).repeat(length))
    const slow = await made(records)
    const path = `pages-${streams++}`
    await world.put(path, text)
    await Promise.all(records.map(record => world.post(path, text, record)))
    for (const pageBytes of [1, 500, 5000, 65_536]) expect(bodies(slow, pageBytes)).toEqual(bodies(found(path), pageBytes))
    expect(bodies(slow, 65_536).join('').replaceAll('*', '')).toBe(records.join(''))
  })
})

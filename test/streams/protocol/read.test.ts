/** GET and HEAD on the wire: what a query asks for, and what caches and readers are told. */
import { describe, expect, test } from 'bun:test'
import type { Page } from '../../../src/streams/commands.ts'
import { headResponse, nothingNewResponse, pageResponse, parseRead, type PageAnswer } from '../../../src/streams/protocol/read.ts'
import { refusalOf } from '../../support/stream-store.ts'

const five = '0000000000000000_0000000000000005'

function parse(query: string, headers: Readonly<Record<string, string>> = {}) {
  return parseRead('a', new URLSearchParams(query), new Headers(headers))
}

describe('what a query asks for', () => {
  test.each([
    ['', { from: 'start', live: null, cursor: null }],
    ['offset=-1', { from: 'start', live: null, cursor: null }],
    ['offset=now', { from: 'now', live: null, cursor: null }],
    [`offset=${five}`, { from: { incarnation: 0, at: 5 }, live: null, cursor: null }],
    ['offset=-1&live=long-poll&cursor=12', { from: 'start', live: 'long-poll', cursor: 12 }],
    ['offset=now&live=sse', { from: 'now', live: 'sse', cursor: null }],
    ['offset=now&live=sse&cursor=x', { from: 'now', live: 'sse', cursor: null }],
    ['unknown=1&limit=-5', { from: 'start', live: null, cursor: null }],
  ] as const)('%s', (query, expected) => {
    expect(parse(query)).toEqual({ path: 'a', ifNoneMatch: null, ...expected })
  })

  test.each([
    ['live=long-poll', 'bad_request'],
    ['live=sse', 'bad_request'],
    ['offset=-1&live=', 'bad_request'],
    ['offset=-1&live=true', 'bad_request'],
    ['offset=-1&live=SSE', 'bad_request'],
    ['offset=', 'invalid_offset'],
    ['offset=5', 'invalid_offset'],
    ['offset=-1&offset=-1', 'invalid_offset'],
    [`offset=${five}&offset=now&live=sse`, 'invalid_offset'],
  ])('%s is refused: %s', async (query, code) => {
    expect(await refusalOf(() => parse(query))).toBe(code)
  })

  test('If-None-Match is taken along', () => {
    expect(parse('', { 'if-none-match': 'W/"x"' }).ifNoneMatch).toBe('W/"x"')
  })
})

describe('pages', () => {
  const page: Page = { streamId: 1, contentType: 'text/plain', json: false, start: 0, end: 5, body: Buffer.from('hello'), upToDate: false, closed: false, full: true }
  const answer: PageAnswer = { page, incarnation: 0, visibility: 'public', ifNoneMatch: null, cursor: null, cacheable: true }
  const immutable = 'max-age=86400, immutable'
  const brief = 'max-age=60, stale-while-revalidate=300'

  test.each([
    ['a whole page before the tail', {}, {}, `public, ${immutable}`],
    ['the same, for one reader', {}, { visibility: 'private' }, `private, ${immutable}`],
    ['a whole page at the tail', { upToDate: true }, {}, `public, ${brief}`],
    ['the growing last page', { upToDate: true, full: false }, {}, `public, ${brief}`],
    ['the last page of a closed stream', { upToDate: true, full: false, closed: true }, {}, `public, ${immutable}`],
    ['the empty end of a closed stream', { upToDate: true, full: false, closed: true, start: 5, body: Buffer.from('') }, {}, `public, ${brief}`],
    ['what names no range', { upToDate: true, full: false }, { cacheable: false }, 'no-store'],
  ] as const)('%s may be kept so long', (_what, changes, how, expected) => {
    expect(pageResponse({ ...answer, ...how, page: { ...page, ...changes } }, {}).headers.get('cache-control')).toBe(expected)
  })

  test('tell bytes, place and state', async () => {
    const response = pageResponse({ ...answer, incarnation: 3, cursor: 77, page: { ...page, upToDate: true, closed: true } }, { 'X-Common': 'y' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('hello')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/plain',
      'stream-next-offset': '0000000000000003_0000000000000005',
      'stream-up-to-date': 'true',
      'stream-closed': 'true',
      'stream-cursor': '77',
      'x-common': 'y',
    })
  })

  test('say nothing that does not hold', () => {
    const { headers } = pageResponse(answer, {})
    expect(['stream-up-to-date', 'stream-closed', 'stream-cursor'].map(name => headers.get(name))).toEqual([null, null, null])
  })

  test('that a cache has already are not sent again, and tell their place all the same', async () => {
    const tag = pageResponse(answer, {}).headers.get('etag') ?? ''
    const known = pageResponse({ ...answer, ifNoneMatch: `"x", W/${tag}` }, {})
    expect(known.status).toBe(304)
    expect(await known.text()).toBe('')
    expect(known.headers.get('etag')).toBe(tag)
    expect(known.headers.get('stream-next-offset')).toBe(five)
    expect(pageResponse({ ...answer, ifNoneMatch: tag, page: { ...page, end: 6 } }, {}).status).toBe(200)
    expect(pageResponse({ ...answer, ifNoneMatch: tag, page: { ...page, upToDate: true } }, {}).status).toBe(200)
  })

  test('that name no range have no tag, not even for *', () => {
    const response = pageResponse({ ...answer, cacheable: false, ifNoneMatch: '*' }, {})
    expect(response.status).toBe(200)
    expect(response.headers.get('etag')).toBeNull()
  })
})

test.each([
  [false, null],
  [true, 'true'],
])('a long-poll without news, closed %p', async (closed, header) => {
  const response = nothingNewResponse({ offset: 5, incarnation: 0, closed, cursor: 8 }, { 'X-Common': 'y' })
  expect(response.status).toBe(204)
  expect(response.headers.get('stream-closed')).toBe(header)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'stream-next-offset': five,
    'stream-up-to-date': 'true',
    'stream-cursor': '8',
    'cache-control': 'no-store',
    'x-common': 'y',
  })
  expect(await response.text()).toBe('')
})

test.each([
  [{ closed: false, ttlSecs: null, expiresAtMs: null }, [null, null, null]],
  [{ closed: true, ttlSecs: 0, expiresAtMs: null }, ['true', '0', null]],
  [{ closed: false, ttlSecs: null, expiresAtMs: 0 }, [null, null, '1970-01-01T00:00:00.000Z']],
] as const)('HEAD of %j', (state, expected) => {
  const { status, headers } = headResponse({ contentType: 'text/plain', tail: 5, ...state }, 0, {})
  expect(status).toBe(200)
  expect(['stream-closed', 'stream-ttl', 'stream-expires-at'].map(name => headers.get(name))).toEqual([...expected])
  expect([headers.get('content-type'), headers.get('stream-next-offset'), headers.get('cache-control')]).toEqual(['text/plain', five, 'no-store'])
})

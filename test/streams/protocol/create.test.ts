/** PUT on the wire: which headers make which command, what is refused, and what is answered. */
import { describe, expect, test } from 'bun:test'
import { createResponse, parseCreate } from '../../../src/streams/protocol/create.ts'
import { refusalOf } from '../../support/stream-store.ts'

const rules = { root: '/v1/stream/', names: { nameBytesMax: 100, nameSegmentsMax: 4 } }
const body = Buffer.from('body')
const zero = '0000000000000000_0000000000000000'
const five = '0000000000000000_0000000000000005'

function parse(headers: Readonly<Record<string, string>>) {
  return parseCreate('a/b', new Headers(headers), body, rules)
}

test('without headers nothing is asked for but the path and the body', () => {
  expect(parse({})).toEqual({ path: 'a/b', contentType: null, ttlSecs: null, expiresAtMs: null, closed: false, fork: null, body })
})

test.each([
  ['text/plain', 'text/plain'],
  ['Text/Plain; charset=utf-8', 'Text/Plain; charset=utf-8'],
  ['application/vnd.api+json', 'application/vnd.api+json'],
  ['', null],
  ['text', null],
  ['text/', null],
  ['/plain', null],
  ['text/plain/x', null],
  ['text plain', null],
])('Content-Type %j is taken as %j', (sent, taken) => {
  expect(parse({ 'content-type': sent }).contentType).toBe(taken)
})

test.each([
  ['0', 0],
  ['1', 1],
  ['3600', 3600],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['9007199254740992', Number.MAX_SAFE_INTEGER],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
])('Stream-TTL %s is %d s', (sent, seconds) => {
  expect(parse({ 'stream-ttl': sent }).ttlSecs).toBe(seconds)
})

test.each(['', '00', '01', '+1', '-1', '1.0', '1e3', 'abc', '0x1', '1 2'])('Stream-TTL %j is refused', async sent => {
  expect(await refusalOf(() => parse({ 'stream-ttl': sent }))).toBe('invalid_ttl')
})

test.each([
  ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
  ['2026-01-02t03:04:05z', Date.UTC(2026, 0, 2, 3, 4, 5)],
  ['2026-01-02T03:04:05.678Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
  ['2026-01-02T03:04:05.123456789Z', Date.UTC(2026, 0, 2, 3, 4, 5, 123)],
  ['2026-01-02T03:04:05+02:00', Date.UTC(2026, 0, 2, 1, 4, 5)],
  ['2026-01-01T23:30:00-05:30', Date.UTC(2026, 0, 2, 5, 0, 0)],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ['1969-12-31T23:59:59Z', -1000],
])('Stream-Expires-At %s is %d', (sent, atMs) => {
  expect(parse({ 'stream-expires-at': sent }).expiresAtMs).toBe(atMs)
})

test.each([
  '', 'tomorrow', '2026-01-02', '2026-01-02T03:04Z', '2026-01-02T03:04:05', '2026-01-02 03:04:05Z', '1767323045', '2026-1-2T03:04:05Z',
  '2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z', '2026-01-32T00:00:00Z', '2026-01-00T00:00:00Z', '2026-02-29T00:00:00Z', '2026-02-30T00:00:00Z',
  '2026-04-31T00:00:00+02:00', '2026-01-01T24:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:00:00+25:00', '2026-01-01T00:00:00+0200',
])('Stream-Expires-At %j is refused', async sent => {
  expect(await refusalOf(() => parse({ 'stream-expires-at': sent }))).toBe('invalid_ttl')
})

test('a window and a time exclude each other', async () => {
  expect(await refusalOf(() => parse({ 'stream-ttl': '1', 'stream-expires-at': '2026-01-02T03:04:05Z' }))).toBe('invalid_ttl')
})

test.each([
  ['true', true],
  ['TRUE', true],
  ['false', false],
  ['1', false],
  ['yes', false],
  ['', false],
])('Stream-Closed %j closes: %p', (sent, closed) => {
  expect(parse({ 'stream-closed': sent }).closed).toBe(closed)
})

describe('forks', () => {
  test.each([
    [{ 'stream-forked-from': '/v1/stream/x/y' }, { from: 'x/y', offset: null, subOffset: 0 }],
    [{ 'stream-forked-from': 'x/y' }, { from: 'x/y', offset: null, subOffset: 0 }],
    [{ 'stream-forked-from': '/v1/stream/x%2Fy' }, { from: 'x/y', offset: null, subOffset: 0 }],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': five }, { from: 'x', offset: { incarnation: 0, at: 5 }, subOffset: 0 }],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': zero, 'stream-fork-sub-offset': '3' }, { from: 'x', offset: { incarnation: 0, at: 0 }, subOffset: 3 }],
    [{ 'stream-forked-from': 'x', 'stream-fork-sub-offset': '0' }, { from: 'x', offset: null, subOffset: 0 }],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': zero, 'stream-fork-sub-offset': '9'.repeat(40) }, { from: 'x', offset: { incarnation: 0, at: 0 }, subOffset: Number.MAX_SAFE_INTEGER }],
  ] as const)('%j', (headers, fork) => {
    expect(parse(headers).fork).toEqual(fork)
  })

  test.each([
    [{ 'stream-fork-offset': five }, 'invalid_fork'],
    [{ 'stream-fork-sub-offset': '1' }, 'invalid_fork'],
    [{ 'stream-forked-from': 'x', 'stream-fork-sub-offset': '1' }, 'invalid_fork'],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': zero, 'stream-fork-sub-offset': '-1' }, 'invalid_fork'],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': zero, 'stream-fork-sub-offset': '01' }, 'invalid_fork'],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': zero, 'stream-fork-sub-offset': '' }, 'invalid_fork'],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': 'now' }, 'invalid_offset'],
    [{ 'stream-forked-from': 'x', 'stream-fork-offset': '-1' }, 'invalid_offset'],
    [{ 'stream-forked-from': '' }, 'invalid_stream_name'],
    [{ 'stream-forked-from': '/v1/stream/' }, 'invalid_stream_name'],
    [{ 'stream-forked-from': '/v1/stream/../x' }, 'invalid_stream_name'],
    [{ 'stream-forked-from': 'http://elsewhere/v1/stream/x' }, 'invalid_stream_name'],
    [{ 'stream-forked-from': 'a/b/c/d/e' }, 'invalid_stream_name'],
    [{ 'stream-forked-from': '/v1/other/x' }, 'fork_source_not_found'],
  ] as const)('%j is refused: %s', async (headers, code) => {
    expect(await refusalOf(() => parse(headers))).toBe(code)
  })
})

test.each([
  [{ created: true, closed: false }, 201, 'http://h/v1/stream/a', null],
  [{ created: true, closed: true }, 201, 'http://h/v1/stream/a', 'true'],
  [{ created: false, closed: false }, 200, null, null],
  [{ created: false, closed: true }, 200, null, 'true'],
] as const)('%j is answered with %d, Location %p, Stream-Closed %p', async (result, status, location, closed) => {
  const response = createResponse({ ...result, contentType: 'text/plain', tail: 5 }, 'http://h/v1/stream/a', 2, { 'X-Common': 'y' })
  expect(response.status).toBe(status)
  expect(response.headers.get('location')).toBe(location)
  expect(response.headers.get('stream-closed')).toBe(closed)
  expect(response.headers.get('stream-next-offset')).toBe('0000000000000002_0000000000000005')
  expect(response.headers.get('content-type')).toBe('text/plain')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-common')).toBe('y')
  expect(await response.text()).toBe('')
})

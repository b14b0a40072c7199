/** POST on the wire: which headers make which command, what is refused, and what is answered. */
import { describe, expect, test } from 'bun:test'
import type { AppendResult } from '../../../src/streams/commands.ts'
import { appendResponse, parseAppend } from '../../../src/streams/protocol/append.ts'
import { refusalOf } from '../../support/stream-store.ts'

const none = new Uint8Array(0)
const largest = Number.MAX_SAFE_INTEGER
const text = { 'content-type': 'text/plain' }

function parse(headers: Readonly<Record<string, string>>, body: string | Uint8Array = 'x') {
  return parseAppend('a', new Headers(headers), typeof body === 'string' ? Buffer.from(body) : body)
}

test('a body and its type are all that an append needs', () => {
  expect(parse(text)).toEqual({ path: 'a', mediaType: 'text/plain', body: { kind: 'record', bytes: Buffer.from('x') }, closes: false, seq: null, producer: null })
})

test.each([
  ['text/plain', 'text/plain'],
  ['Text/PLAIN; charset=utf-8', 'text/plain'],
  ['application/json;x=y', 'application/json'],
  ['nonsense', 'nonsense'],
])('Content-Type %j is the media type %j', (sent, mediaType) => {
  expect(parse({ 'content-type': sent }, '1').mediaType).toBe(mediaType)
})

test('JSON is framed, other types are not; what is no JSON is not refused yet', () => {
  expect(parse({ 'content-type': 'application/json' }, '[1, 2]').body).toEqual({ kind: 'record', bytes: new Uint8Array(Buffer.from('1, 2,')) })
  expect(parse({ 'content-type': 'application/jsonl' }, '[1, 2]').body).toEqual({ kind: 'record', bytes: Buffer.from('[1, 2]') })
  expect(parse({ 'content-type': 'application/json' }, '{').body).toMatchObject({ kind: 'refused', refusal: { code: 'invalid_json' } })
  expect(parse({ 'content-type': 'application/json' }, '[]').body).toMatchObject({ kind: 'refused', refusal: { code: 'empty_array' } })
})

test('a close needs no body and no type, and a type without a body counts for nothing', () => {
  const close = { path: 'a', mediaType: null, body: null, closes: true, seq: null, producer: null }
  expect(parse({ 'stream-closed': 'true' }, none)).toEqual(close)
  expect(parse({ 'stream-closed': 'True', 'content-type': 'text/plain' }, none)).toEqual(close)
  expect(parse({ 'stream-closed': 'true', ...text }).closes).toBe(true)
  expect(parse({ 'stream-closed': 'no', ...text }).closes).toBe(false)
})

test.each([
  [text, none, 'empty_body'],
  [{ ...text, 'stream-closed': 'false' }, none, 'empty_body'],
  [{}, 'x', 'missing_content_type'],
  [{ 'content-type': '' }, 'x', 'missing_content_type'],
  [{ 'stream-closed': 'true' }, 'x', 'missing_content_type'],
] as const)('%j with %j is refused: %s', async (headers, body, code) => {
  expect(await refusalOf(() => parse(headers, body))).toBe(code)
})

test.each([null, '', '7', 'b'])('Stream-Seq %p is kept as it is', seq => {
  expect(parse(seq === null ? text : { ...text, 'stream-seq': seq }).seq).toBe(seq)
})

describe('producers', () => {
  const claim = (id: string, epoch: string, seq: string) => ({ ...text, 'producer-id': id, 'producer-epoch': epoch, 'producer-seq': seq })

  test.each([
    [claim('p', '0', '0'), { id: 'p', epoch: 0, seq: 0 }],
    [claim('p', '007', '12'), { id: 'p', epoch: 7, seq: 12 }],
    [claim('p', String(largest), String(largest)), { id: 'p', epoch: largest, seq: largest }],
    [claim('i'.repeat(1024), '1', '1'), { id: 'i'.repeat(1024), epoch: 1, seq: 1 }],
  ] as const)('%j', (headers, producer) => {
    expect(parse(headers).producer).toEqual(producer)
  })

  test.each([
    [{ ...text, 'producer-id': 'p' }],
    [{ ...text, 'producer-epoch': '0' }],
    [{ ...text, 'producer-seq': '0' }],
    [{ ...text, 'producer-id': 'p', 'producer-epoch': '0' }],
    [{ ...text, 'producer-id': 'p', 'producer-seq': '0' }],
    [{ ...text, 'producer-epoch': '0', 'producer-seq': '0' }],
    [claim('', '0', '0')],
    [claim('i'.repeat(1025), '0', '0')],
    [claim('p', '', '0')],
    [claim('p', '-1', '0')],
    [claim('p', '0', '1.5')],
    [claim('p', '0', '1e3')],
    [claim('p', '0', '+1')],
    [claim('p', 'x', '0')],
    [claim('p', '9007199254740992', '0')],
    [claim('p', '0', '9007199254740992')],
    [claim('p', '0', '00000000000000001')],
  ])('%j is refused', async headers => {
    expect(await refusalOf(() => parse(headers))).toBe('invalid_producer')
  })

  test('a bad claim is told before a missing body', async () => {
    expect(await refusalOf(() => parse({ 'producer-id': 'p' }, none))).toBe('invalid_producer')
  })
})

describe('answers', () => {
  const producer = { epoch: 3, seq: 9 }

  test.each([
    [{ kind: 'appended', closed: false, producer: null }, 204, null],
    [{ kind: 'appended', closed: true, producer: null }, 204, 'true'],
    [{ kind: 'closed', closed: true, producer: null }, 204, 'true'],
    [{ kind: 'appended', closed: false, producer }, 200, null],
    [{ kind: 'appended', closed: true, producer }, 200, 'true'],
    [{ kind: 'duplicate', closed: false, producer }, 204, null],
    [{ kind: 'duplicate', closed: true, producer }, 204, 'true'],
    [{ kind: 'closed', closed: true, producer }, 204, 'true'],
  ] as const)('%j is %d, Stream-Closed %p', (result, status, closed) => {
    const response = appendResponse({ ...result, tail: 12 } satisfies AppendResult, 1, { 'X-Common': 'y' })
    expect(response.status).toBe(status)
    expect(response.headers.get('stream-closed')).toBe(closed)
    expect(response.headers.get('stream-next-offset')).toBe('0000000000000001_0000000000000012')
    expect(response.headers.get('producer-epoch')).toBe(result.producer && '3')
    expect(response.headers.get('producer-seq')).toBe(result.producer && '9')
    expect(response.headers.get('x-common')).toBe('y')
  })

  test('each keeps its own headers, also when they are made from the same set', () => {
    const common = { 'X-Common': 'y' }
    const other = { 'X-Common': 'z' }
    const result = { kind: 'appended', closed: false, producer: null } as const
    const [first, foreign, second] = [
      appendResponse({ ...result, tail: 1 }, 0, common),
      appendResponse({ ...result, tail: 2 }, 0, other),
      appendResponse({ ...result, tail: 3 }, 0, common),
    ]
    first.headers.set('X-Request-Id', 'one')
    expect([first, foreign, second].map(each => each.headers.get('stream-next-offset')?.at(-1))).toEqual(['1', '2', '3'])
    expect([first, foreign, second].map(each => each.headers.get('x-common'))).toEqual(['y', 'z', 'y'])
    expect(second.headers.get('x-request-id')).toBeNull()
    expect(appendResponse({ ...result, tail: 4 }, 0, common).headers.get('x-request-id')).toBeNull()
  })
})

/** The checker must catch what it is there for: each test breaks a promise in what was found and expects to be told. */
import { describe, expect, test } from 'bun:test'
import { newStream, noteAcked, noteSent, producerOf, settle, type Observed, type StreamLedger } from './ledger.ts'
import { bodyOf, closer, creator, keyOf, parseRecords, type Key } from './records.ts'
import { verifyReader, verifyStream } from './verify.ts'

const id = 3
const key = (producer: number, number: number) => keyOf(id, producer, number)

/** Two initial records; producer 0: 0, then 1-2 in one request, acknowledged; producer 1: 0-1 without an answer. */
function written(): StreamLedger {
  const stream = newStream(id, 'json', 2)
  stream.created = 'acked'
  const zero = producerOf(stream, 0)
  noteSent(zero, 1)
  noteAcked(stream, zero, '0000000000000000_0000000000000100')
  noteSent(zero, 2)
  noteAcked(stream, zero, '0000000000000000_0000000000000300')
  noteSent(producerOf(stream, 1), 2)
  return stream
}

const initial = [key(creator, 0), key(creator, 1)]
const acked = [key(0, 0), key(0, 1), key(0, 2)]
const unanswered = [key(1, 0), key(1, 1)]

function found(records: readonly Key[], rest: Partial<Observed> = {}): Observed {
  return { gone: false, closed: false, records, tail: '0000000000000000_0000000000000300', ...rest }
}

function complaints(stream: StreamLedger, observed: Observed): string[] {
  return verifyStream(stream, observed).map(violation => violation.what)
}

describe('what is allowed', () => {
  test('the unanswered request may be there whole, or not at all', () => {
    expect(complaints(written(), found([...initial, ...acked]))).toEqual([])
    expect(complaints(written(), found([...initial, ...unanswered, ...acked]))).toEqual([])
  })

  test('what was found of an unanswered request is a promise from then on', () => {
    const stream = written()
    expect(settle(stream, found([...initial, ...acked, ...unanswered])).get(1)).toBe('present')
    expect(complaints(stream, found([...initial, ...acked]))).toEqual(['producer 1: 2 records acknowledged, 0 there'])
  })
})

test('a closure that the crash prevented is tried again with the first sequence number', () => {
  const stream = written()
  stream.closed = 'unknown'
  stream.closingRecords = 1
  noteSent(producerOf(stream, closer), 1)
  settle(stream, found([...initial, ...acked]))
  expect(stream).toMatchObject({ closed: 'none', closingRecords: 0 })
  expect(noteSent(producerOf(stream, closer), 1)).toBe(0)
})

describe('what is caught', () => {
  const cases: readonly (readonly [string, readonly Key[], string])[] = [
    ['a lost record at the end', [...initial, key(0, 0), key(0, 1)], 'producer 0: 3 records acknowledged, 2 there'],
    ['a lost record in the middle', [...initial, key(0, 0), key(0, 2)], 'is missing before'],
    ['a doubled record', [...initial, ...acked, key(0, 2)], 'is there twice'],
    ['another order', [...initial, key(0, 1), key(0, 0), key(0, 2)], 'is missing before'],
    ['half of an unanswered request', [...initial, ...acked, key(1, 0)], '1 of the 2 records of one request are there'],
    ['a record in the midst of a request', [...initial, key(0, 0), key(0, 1), ...unanswered, key(0, 2)], 'is torn from its request'],
    ['a record that was never sent', [...initial, ...acked, key(2, 0)], 'was never sent'],
    ['a record of another stream', [...initial, ...acked, keyOf(4, 0, 0)], 'belongs to another stream'],
    ['lost initial records', [...acked], 'instead of record 0 of producer 127'],
  ]
  for (const [name, records, complaint] of cases) {
    test(name, () => expect(complaints(written(), found(records)).join('; ')).toContain(complaint))
  }

  test('a stream that is gone, and one that came back', () => {
    expect(complaints(written(), found([], { gone: true }))).toEqual(['an acknowledged stream is gone'])
    const stream = written()
    stream.deleted = 'acked'
    expect(complaints(stream, found([...initial, ...acked]))).toEqual(['an acknowledged deletion came back'])
  })

  test('a tail before the acknowledged one', () => {
    const short = found([...initial, ...acked], { tail: '0000000000000000_0000000000000299' })
    expect(complaints(written(), short).join()).toContain('lies before the acknowledged')
  })

  test('a closure that opened again, and one that lost its records', () => {
    const stream = written()
    stream.closed = 'acked'
    stream.closingRecords = 1
    noteSent(producerOf(stream, closer), 1)
    expect(complaints(stream, found([...initial, ...acked, key(closer, 0)], { closed: true }))).toEqual([])
    expect(complaints(stream, found([...initial, ...acked]))).toContain('an acknowledged closure is open again')
    expect(complaints(stream, found([...initial, ...acked], { closed: true })).join()).toContain('not one step')
    const behind = found([...initial, key(0, 0), key(closer, 0), key(0, 1), key(0, 2)], { closed: true })
    expect(complaints(stream, behind)).toContain('records behind the closing one')
  })

  test('a reader that saw what is gone or different now', () => {
    expect(verifyReader('s', [...initial, key(0, 0)], [...initial, key(0, 0), key(0, 1)])).toEqual([])
    expect(verifyReader('s', [...initial, key(0, 0)], initial)).toHaveLength(1)
    expect(verifyReader('s', [...initial, key(1, 0)], [...initial, key(0, 0)])).toHaveLength(1)
  })

  test('a byte that nobody wrote', () => {
    for (const kind of ['binary', 'json'] as const) {
      const text = bodyOf(kind, id, 5, 0, 3)
      expect(parseRecords(kind, text)).toEqual([keyOf(id, 5, 0), keyOf(id, 5, 1), keyOf(id, 5, 2)])
      expect(() => parseRecords(kind, text.replace(/[a-z]{4}/, 'aBcd'))).toThrow()
      expect(() => parseRecords(kind, text.slice(0, -1))).toThrow()
    }
  })
})

/** What an append does to a stream, and which check comes first when several would refuse it. */
import { describe, expect, test } from 'bun:test'
import { Refusal } from '../../src/lib/errors.ts'
import { decideAppend, noBytes } from '../../src/streams/appending.ts'
import type { AppendCommand } from '../../src/streams/commands.ts'
import type { ProducerProgress } from '../../src/streams/producer.ts'

const open = { tail: 40, closed: false, closedBy: null, mediaType: 'text/plain', seq: null as string | null }
const bytes = Buffer.from('data')
const append: AppendCommand = { path: 'a', mediaType: 'text/plain', body: { kind: 'record', bytes }, closes: false, seq: null, producer: null }
const close: AppendCommand = { ...append, mediaType: null, body: null, closes: true }
const unreadable = { kind: 'refused', refusal: new Refusal('invalid_json', {}) } as const
const p = (epoch: number, seq: number) => ({ id: 'p', epoch, seq })

function outcome(stream: Parameters<typeof decideAppend>[0], command: AppendCommand, progress: ProducerProgress | null = null): string {
  try {
    const decision = decideAppend(stream, command, progress, 2)
    if (decision.kind === 'write') return `write ${decision.bytes.byteLength}`
    const { kind, tail, closed, producer } = decision.result
    return `${kind} ${tail} ${closed ? 'closed' : 'open'}${producer ? ` ${producer.epoch}/${producer.seq}` : ''}`
  } catch (refusal) {
    if (refusal instanceof Refusal) return refusal.code
    throw refusal
  }
}

test('the bytes that are written are those of the command, none for a close', () => {
  expect(decideAppend(open, append, null, 0)).toEqual({ kind: 'write', bytes })
  expect(decideAppend(open, close, null, 0)).toEqual({ kind: 'write', bytes: noBytes })
})

describe('an open stream', () => {
  test.each([
    ['takes data', {}, append, null, 'write 4'],
    ['takes data that closes', {}, { ...append, closes: true }, null, 'write 4'],
    ['takes a close, whatever its type', { mediaType: 'image/png' }, close, null, 'write 0'],
    ['refuses another type', { mediaType: 'image/png' }, append, null, 'content_type_mismatch'],
    ['refuses a bad body', {}, { ...append, body: unreadable }, null, 'invalid_json'],
    ['takes the next of a producer', {}, { ...append, producer: p(1, 5) }, p(1, 4), 'write 4'],
    ['takes the first of a producer', {}, { ...append, producer: p(1, 0) }, null, 'write 4'],
    ['answers a repeat', {}, { ...append, producer: p(1, 3) }, p(1, 4), 'duplicate 40 open 1/4'],
    ['refuses a gap', {}, { ...append, producer: p(1, 6) }, p(1, 4), 'producer_gap'],
    ['refuses an old epoch', {}, { ...append, producer: p(0, 5) }, p(1, 4), 'producer_fenced'],
    ['refuses an epoch that does not start at 0', {}, { ...append, producer: p(2, 5) }, p(1, 4), 'producer_epoch_start'],
    ['takes a close of a producer', {}, { ...close, producer: p(1, 5) }, p(1, 4), 'write 0'],
    ['answers a repeat of a close that was not the last word', {}, { ...close, producer: p(1, 4) }, p(1, 4), 'duplicate 40 open 1/4'],
  ] as const)('%s', (_what, stream, command, progress, expected) => {
    expect(outcome({ ...open, ...stream }, command, progress)).toBe(expected)
  })
})

describe('checks come in the order of the protocol', () => {
  test.each([
    ['type before producer', { mediaType: 'image/png' }, { ...append, producer: p(0, 0) }, p(1, 4), 'content_type_mismatch'],
    ['type before sequence', { mediaType: 'image/png', seq: 'b' }, { ...append, seq: 'a' }, null, 'content_type_mismatch'],
    ['type before body', { mediaType: 'image/png' }, { ...append, body: unreadable }, null, 'content_type_mismatch'],
    ['repeat before sequence', { seq: 'b' }, { ...append, seq: 'b', producer: p(1, 4) }, p(1, 4), 'duplicate 40 open 1/4'],
    ['repeat before body', {}, { ...append, body: unreadable, producer: p(1, 4) }, p(1, 4), 'duplicate 40 open 1/4'],
    ['producer before sequence', { seq: 'b' }, { ...append, seq: 'a', producer: p(1, 9) }, p(1, 4), 'producer_gap'],
    ['producer before body', {}, { ...append, body: unreadable, producer: p(1, 9) }, p(1, 4), 'producer_gap'],
    ['sequence before body', { seq: 'b' }, { ...append, seq: 'a', body: unreadable }, null, 'sequence_conflict'],
    ['closure before everything', { closed: true, mediaType: 'image/png', seq: 'b' }, { ...append, seq: 'a', body: unreadable, producer: p(0, 0) }, p(1, 4), 'stream_closed'],
  ] as const)('%s', (_what, stream, command, progress, expected) => {
    expect(outcome({ ...open, ...stream }, command, progress)).toBe(expected)
  })
})

describe('Stream-Seq', () => {
  test.each([
    [null, 'a', true],
    [null, '', true],
    ['a', null, true],
    ['a', 'b', true],
    ['a', 'aa', true],
    ['', 'a', true],
    ['9', '10', false],
    ['09', '10', true],
    ['a', 'a', false],
    ['', '', false],
    ['b', 'a', false],
    ['aa', 'a', false],
    ['a', 'B', false],
    // As UTF-8 the emoji is greater; as UTF-16 it would be less.
    ['\uff5e', '😀', true],
    ['😀', '\uff5e', false],
  ])('after %p, %p is taken: %p', (last, next, taken) => {
    expect(outcome({ ...open, seq: last }, { ...append, seq: next })).toBe(taken ? 'write 4' : 'sequence_conflict')
    expect(outcome({ ...open, seq: last }, { ...close, seq: next })).toBe(taken ? 'write 0' : 'sequence_conflict')
  })
})

describe('a closed stream', () => {
  const closed = { ...open, closed: true }
  const closedBy = { ...closed, closedBy: p(1, 7) }

  test.each([
    ['answers another close', closed, close, 'closed 40 closed'],
    ['answers a close although a producer closed it', closedBy, close, 'closed 40 closed'],
    ['refuses data', closed, append, 'stream_closed'],
    ['refuses data that closes', closed, { ...append, closes: true }, 'stream_closed'],
    ['refuses a close of a producer that did not close it', closed, { ...close, producer: p(1, 7) }, 'stream_closed'],
    ['answers the repeat of what closed it', closedBy, { ...append, closes: true, producer: p(1, 7) }, 'duplicate 40 closed 1/7'],
    ['answers the repeat of the close alone', closedBy, { ...close, producer: p(1, 7) }, 'duplicate 40 closed 1/7'],
    ['refuses the next of that producer', closedBy, { ...append, producer: p(1, 8) }, 'stream_closed'],
    ['refuses an earlier one of that producer', closedBy, { ...append, producer: p(1, 6) }, 'stream_closed'],
    ['refuses another epoch', closedBy, { ...append, producer: p(2, 7) }, 'stream_closed'],
    ['refuses another producer', closedBy, { ...append, producer: { ...p(1, 7), id: 'q' } }, 'stream_closed'],
  ] as const)('%s', (_what, stream, command, expected) => {
    expect(outcome(stream, command, p(1, 7))).toBe(expected)
  })

  test('tells where it ends', () => {
    const refused = () => decideAppend(closed, append, null, 2)
    expect(refused).toThrow(new Refusal('stream_closed', { tail: '0000000000000002_0000000000000040' }))
    try {
      refused()
    } catch (error) {
      expect(error).toMatchObject({ details: { tail: '0000000000000002_0000000000000040' } })
    }
  })
})

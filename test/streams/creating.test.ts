/** What a new stream is, and when a stream that is there already is the one that is asked for. */
import { describe, expect, test } from 'bun:test'
import type { CreateCommand } from '../../src/streams/commands.ts'
import { assertSameStream, contentTypeOf, createdStream, lifetimeOf } from '../../src/streams/creating.ts'
import type { StreamRow } from '../../src/streams/store/store.ts'
import { StreamState } from '../../src/streams/stream.ts'
import { refusalOf } from '../support/stream-store.ts'

const command: CreateCommand = { path: 'a', contentType: null, ttlSecs: null, expiresAtMs: null, closed: false, fork: null, body: new Uint8Array(0) }
const five = { incarnation: 0, at: 5 }
const fiveToken = '0000000000000000_0000000000000005'
const fork = { from: 's', offset: five, subOffset: 2 }
const origin = { parentId: 9, from: 's', offset: fiveToken, subOffset: 2 }

function stream(changes: Partial<StreamRow> = {}): StreamState {
  const row: StreamRow = {
    id: 1, path: 'a', contentType: 'application/octet-stream', createdAtMs: 0, ttlSecs: null, expiresAtMs: null, closed: false, start: 0, fork: null,
    tail: 0, hidden: false, touchedAtMs: 0, seq: null, closedBy: null,
  }
  return new StreamState({ ...row, ...changes }, true)
}

describe('a stream that is there is the one that is asked for', () => {
  test.each([
    ['with the default type', {}, {}, true],
    ['with the default type, named', {}, { contentType: 'Application/Octet-Stream' }, true],
    ['with the same media type', { contentType: 'text/plain' }, { contentType: 'TEXT/plain; charset=utf-8' }, true],
    ['but for its type', { contentType: 'text/plain' }, { contentType: 'text/html' }, false],
    ['but for its type, which was not named', { contentType: 'text/plain' }, {}, false],
    ['with the same window', { ttlSecs: 5 }, { ttlSecs: 5 }, true],
    ['with a window of 0', { ttlSecs: 0 }, { ttlSecs: 0 }, true],
    ['but for a window of 0', {}, { ttlSecs: 0 }, false],
    ['but for its window', { ttlSecs: 5 }, { ttlSecs: 6 }, false],
    ['but for a window that was not named', { ttlSecs: 5 }, {}, false],
    ['with the same end', { expiresAtMs: 5 }, { expiresAtMs: 5 }, true],
    ['but for its end', { expiresAtMs: 5 }, { expiresAtMs: 6 }, false],
    ['when both are closed', { closed: true }, { closed: true }, true],
    ['but for being closed', { closed: true }, {}, false],
    ['but for not being closed', {}, { closed: true }, false],
    ['whatever it holds by now', { tail: 99, seq: 'x' }, { body: Buffer.from('first') }, true],
    ['as a fork', { fork: origin }, { fork }, true],
    ['as a fork of another type, which was not named', { fork: origin, contentType: 'text/plain' }, { fork }, true],
    ['as a fork at the tail', { fork: { ...origin, offset: null } }, { fork: { ...fork, offset: null } }, true],
    ['but for being a fork', { fork: origin }, {}, false],
    ['but for being no fork', {}, { fork }, false],
    ['but for the source', { fork: origin }, { fork: { ...fork, from: 't' } }, false],
    ['but for the fork offset', { fork: origin }, { fork: { ...fork, offset: { ...five, at: 6 } } }, false],
    ['but for the fork offset, which was not named', { fork: origin }, { fork: { ...fork, offset: null } }, false],
    ['but for the sub-offset', { fork: origin }, { fork: { ...fork, subOffset: 0 } }, false],
  ] as const)('%s', async (_what, existing, changes, same) => {
    const outcome = await refusalOf(() => assertSameStream(stream(existing), { ...command, ...changes }, null))
    expect(outcome).toEqual(same ? { notRefused: undefined } : 'stream_exists')
  })

  test.each([
    ['as it was inherited', { ttlSecs: 7 }, {}, true],
    ['named as it was inherited', { ttlSecs: 7 }, { ttlSecs: 7 }, true],
    ['not inherited', { ttlSecs: 8 }, {}, false],
    ['of its own', { ttlSecs: 8 }, { ttlSecs: 8 }, true],
  ] as const)('with the lifetime of a fork %s', async (_what, existing, changes, same) => {
    const outcome = await refusalOf(() => assertSameStream(stream({ fork: origin, ...existing }), { ...command, fork, ...changes }, stream({ id: 9, ttlSecs: 7 })))
    expect(outcome).toEqual(same ? { notRefused: undefined } : 'stream_exists')
  })

  test('but never when it is deleted and kept for its forks, even if it differs', async () => {
    expect(await refusalOf(() => assertSameStream(stream({ hidden: true }), command, null))).toBe('path_blocked')
    expect(await refusalOf(() => assertSameStream(stream({ hidden: true }), { ...command, closed: true }, null))).toBe('path_blocked')
  })

  test('or the refusal says what differs', () => {
    const cases = [
      [{ contentType: 'text/html' }, 'content type'],
      [{ fork }, 'fork origin'],
      [{ ttlSecs: 1 }, 'lifetime'],
      [{ closed: true }, 'closure'],
    ] as const
    for (const [changes, word] of cases) expect(() => assertSameStream(stream(), { ...command, ...changes }, null)).toThrow(word)
  })
})

test.each([
  [{}, null, [null, null]],
  [{ ttlSecs: 5 }, null, [5, null]],
  [{ expiresAtMs: 5 }, null, [null, 5]],
  [{}, { ttlSecs: 7, expiresAtMs: null }, [7, null]],
  [{}, { ttlSecs: null, expiresAtMs: 7 }, [null, 7]],
  [{ ttlSecs: 0 }, { ttlSecs: 7, expiresAtMs: null }, [0, null]],
  [{ ttlSecs: 5 }, { ttlSecs: null, expiresAtMs: 7 }, [5, null]],
  [{ expiresAtMs: 0 }, { ttlSecs: 7, expiresAtMs: null }, [null, 0]],
] as const)('asked for %j, of a source with %j, a stream lives %j', (asked, source, [ttlSecs, expiresAtMs]) => {
  expect(lifetimeOf({ ...command, ...asked }, source)).toEqual({ ttlSecs, expiresAtMs })
})

test.each([
  [null, null, 'application/octet-stream'],
  ['Text/Plain; charset=utf-8', null, 'Text/Plain; charset=utf-8'],
  [null, 'text/plain; x=y', 'text/plain; x=y'],
  ['TEXT/plain; charset=utf-8', 'text/plain; x=y', 'TEXT/plain; charset=utf-8'],
  ['text/html', 'text/plain', 'content_type_mismatch'],
  ['application/octet-stream', 'text/plain', 'content_type_mismatch'],
])('asked for %p, of a source of %p, the type is %s', async (asked, sourceType, expected) => {
  const source = sourceType === null ? null : stream({ contentType: sourceType })
  const outcome = await refusalOf(() => contentTypeOf({ ...command, contentType: asked }, source))
  expect(outcome).toEqual(expected === 'content_type_mismatch' ? expected : { notRefused: expected })
})

describe('a new stream', () => {
  test('is what was asked for, from now on', () => {
    const made = { id: 4, contentType: 'text/plain', start: 0, source: null, nowMs: 1000 }
    expect(createdStream({ ...command, ttlSecs: 3, closed: true }, made)).toEqual({
      id: 4, path: 'a', contentType: 'text/plain', createdAtMs: 1000, ttlSecs: 3, expiresAtMs: null, closed: true, start: 0, fork: null,
    })
  })

  test.each([
    [fork, { parentId: 9, from: 's', offset: fiveToken, subOffset: 2 }],
    [{ ...fork, offset: null, subOffset: 0 }, { parentId: 9, from: 's', offset: null, subOffset: 0 }],
    [{ ...fork, offset: { incarnation: 3, at: 5 } }, { parentId: 9, from: 's', offset: '0000000000000003_0000000000000005', subOffset: 2 }],
  ])('forked by %j remembers %j', (asked, expected) => {
    const source = stream({ id: 9, path: 'elsewhere', expiresAtMs: 77 })
    const created = createdStream({ ...command, fork: asked }, { id: 4, contentType: 'text/plain', start: 7, source, nowMs: 1000 })
    expect(created.fork).toEqual(expected)
    expect([created.start, created.expiresAtMs, created.ttlSecs]).toEqual([7, 77, null])
  })

  test('asked for again in the same words is the same', () => {
    const source = stream({ id: 9, ttlSecs: 60 })
    const asked = { ...command, contentType: 'text/plain', fork }
    const created = createdStream(asked, { id: 4, contentType: 'text/plain', start: 7, source, nowMs: 1000 })
    expect(() => assertSameStream(stream(created), asked, source)).not.toThrow()
  })
})

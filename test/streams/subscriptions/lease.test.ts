/** Which reports of a worker count: the pure part of fencing and acknowledging. */
import { expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { checkAcks, requireCurrentWake, startOffset } from '../../../src/streams/subscriptions/lease.ts'
import { claim, idleState, issue, type WakeState } from '../../../src/streams/subscriptions/wake.ts'

const state = claim(issue(idleState, 'w_1'), 'worker', 0, 1_000)
const current = { wakeId: 'w_1', generation: 1 }

const fencing: readonly [string, WakeState, number, typeof current, number, boolean][] = [
  ['the current wake', state, 1, current, 999, true],
  ['a token of another generation', state, 2, current, 0, false],
  ['a body of another generation', state, 1, { ...current, generation: 2 }, 0, false],
  ['another wake id', state, 1, { ...current, wakeId: 'w_2' }, 0, false],
  ['no wake at all', { ...idleState, generation: 1 }, 1, { ...current, wakeId: '' }, 0, false],
  ['a lease at its end', state, 1, current, 1_000, false],
]
test.each(fencing)('fencing: %s', (_name, at, token, body, nowMs, passes) => {
  expect(codeOf(() => requireCurrentWake(at, token, body, nowMs))).toBe(passes ? null : 'fenced')
})

const offset = (byte: number) => `0000000000000000_${String(byte).padStart(16, '0')}`
const link = { acked: offset(10), tail: offset(100) }
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const check = (...acks: { path: string; offset: string }[]) => checkAcks(acks, path => (path === 'a' ? link : undefined), compare)

const acks: readonly [string, string, string, string | null][] = [
  ['forward', 'a', offset(50), null],
  ['to the tail', 'a', offset(100), null],
  ['where it is', 'a', offset(10), null],
  ['backwards', 'a', offset(9), 'invalid_ack'],
  ['to the start', 'a', startOffset, 'invalid_ack'],
  ['beyond the tail', 'a', offset(101), 'invalid_ack'],
  ['-1', 'a', '-1', 'invalid_ack'],
  ['now', 'a', 'now', 'invalid_ack'],
  ['text that sorts between', 'a', '0000000000000000_00000000000000500', 'invalid_ack'],
  ['a stream that is not linked', 'b', offset(50), 'invalid_ack'],
]
test.each(acks)('ack: %s', (_name, path, to, code) => expect(codeOf(() => check({ path, offset: to }))).toBe(code))

test('of several acks of one stream the furthest counts', () => {
  expect([...check({ path: 'a', offset: offset(80) }, { path: 'a', offset: offset(20) })]).toEqual([[link, offset(80)]])
})

function codeOf(act: () => unknown): string | null {
  try {
    act()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

/** The states of a wake and the steps between them, as a table. */
import { describe, expect, test } from 'bun:test'
import {
  announceAgain,
  announced,
  claim,
  delivered,
  dueAtMs,
  expire,
  extend,
  finish,
  idleState,
  issue,
  nextStep,
  sendFailed,
  sending,
  type Facts,
  type Step,
  type WakeState,
} from '../../../src/streams/subscriptions/wake.ts'

const issued = issue(idleState, 'w_1')
const sent = sending(issued, 1_000, 30_000)
const waiting = sendFailed(sent, 1_500, 0.5)
const working = delivered(sent)
const claimed = claim(issued, 'worker-1', 1_000, 30_000)

describe('nextStep', () => {
  const facts: Facts = { type: 'webhook', nowMs: 2_000, pending: true, inFlight: false }
  const table: readonly [string, WakeState, Partial<Facts>, Step][] = [
    ['idle without work', idleState, { pending: false }, 'wait'],
    ['idle with work', idleState, {}, 'issue'],
    ['idle, held back', finish(issued, 3_000), {}, 'wait'],
    ['idle, held back until now', finish(issued, 2_000), {}, 'issue'],
    ['issued, never sent', issued, {}, 'send'],
    ['issued, its work is gone', issued, { pending: false }, 'withdraw'],
    ['in flight', sent, { inFlight: true }, 'wait'],
    ['in flight, its work is gone', sent, { inFlight: true, pending: false }, 'wait'],
    ['in flight when the server ended', sent, {}, 'send'],
    ['failed, retry not due', waiting, {}, 'wait'],
    ['failed, retry due', waiting, { nowMs: 2_500 }, 'send'],
    ['failed, its lease over first', waiting, { nowMs: 31_000 }, 'expire'],
    ['leased', working, { pending: false }, 'wait'],
    ['leased, one ms before the end', working, { nowMs: 30_999 }, 'wait'],
    ['leased, at the end', working, { nowMs: 31_000 }, 'expire'],
    ['in flight at the end of the lease', sent, { nowMs: 31_000, inFlight: true }, 'expire'],
    ['claimed', claimed, { type: 'pull-wake' }, 'wait'],
    ['claimed, at the end', claimed, { type: 'pull-wake', nowMs: 31_000 }, 'expire'],
    ['an event that nobody claims never expires', issued, { type: 'pull-wake', nowMs: 1e12 }, 'send'],
  ]
  test.each(table)('%s', (_name, state, changed, step) => {
    expect(nextStep(state, { ...facts, ...changed })).toBe(step)
  })
})

describe('dueAtMs', () => {
  const table: readonly [string, WakeState, boolean, number | null][] = [
    ['idle', idleState, true, null],
    ['idle, held back', finish(issued, 3_000), true, 3_000],
    ['idle, held back without work', finish(issued, 3_000), false, null],
    ['in flight', sent, true, 31_000],
    ['waiting for a retry', waiting, true, 2_500],
    ['waiting for a retry beyond the lease', { ...waiting, nextAttemptAtMs: 40_000 }, true, 31_000],
    ['leased', working, false, 31_000],
  ]
  test.each(table)('%s', (_name, state, pending, due) => expect(dueAtMs(state, pending)).toBe(due))
})

describe('transitions', () => {
  test('each wake has the next generation', () => {
    expect(issued).toMatchObject({ generation: 1, phase: 'issued', wakeId: 'w_1', leaseUntilMs: null })
    expect(issue(finish(issued, null), 'w_2')).toMatchObject({ generation: 2, wakeId: 'w_2' })
  })

  test('retries double from 1 s to 60 s and keep the wake', () => {
    let state = sent
    const delays: number[] = []
    for (let i = 0; i < 8; i++) {
      state = sendFailed(state, 0, 0.5)
      delays.push(state.nextAttemptAtMs ?? -1)
    }
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 50_000, 50_000])
    expect(sendFailed(state, 0, 1).nextAttemptAtMs).toBe(60_000) // the cap holds with its jitter
    expect(state).toMatchObject({ generation: 1, wakeId: 'w_1', status: 'failed', attempts: 8 })
  })

  test('jitter stays within 20 %', () => {
    expect(sendFailed(sent, 0, 0).nextAttemptAtMs).toBe(800)
    expect(sendFailed(sent, 0, 1).nextAttemptAtMs).toBe(1_200)
  })

  test('a retry has the whole lease again, and 2xx ends the failure', () => {
    expect(sending(waiting, 2_500, 30_000)).toMatchObject({ leaseUntilMs: 32_500, nextAttemptAtMs: null, status: 'failed' })
    expect(delivered(waiting)).toMatchObject({ phase: 'leased', status: 'active', attempts: 0, nextAttemptAtMs: null })
  })

  test('an expired lease clears holder and wake', () => {
    expect(expire(claimed, false, 31_000, 0.5)).toMatchObject({ phase: 'idle', wakeId: null, holder: null, leaseUntilMs: null, generation: 1, status: 'active' })
  })

  test('a delivery without an answer in its lease is a failure, and the next wake waits', () => {
    const expired = expire(sent, true, 31_000, 0.5)
    expect(expired).toMatchObject({ phase: 'idle', status: 'failed', attempts: 1, nextAttemptAtMs: 32_000 })
    const again = expire(sending(issue(expired, 'w_2'), 32_000, 30_000), true, 62_000, 0.5)
    expect(again).toMatchObject({ attempts: 2, nextAttemptAtMs: 64_000 })
  })

  test('a wake that is leased already does not fail when its answer is late', () => {
    expect(expire(extend(sent, 2_000, 30_000), true, 32_000, 0.5)).toMatchObject({ status: 'active', nextAttemptAtMs: null })
  })

  test('a claim holds, a heartbeat extends', () => {
    expect(claimed).toMatchObject({ phase: 'leased', holder: 'worker-1', leaseUntilMs: 31_000 })
    expect(extend(claimed, 20_000, 30_000)).toMatchObject({ holder: 'worker-1', leaseUntilMs: 50_000 })
  })

  test('wake events are repeated ever more rarely, and at once when their stream is back', () => {
    const first = announced(issued, 0, 30_000, 0.5)
    expect(first).toMatchObject({ nextAttemptAtMs: 30_000, status: 'active' })
    expect(announced(first, 0, 30_000, 0.5).nextAttemptAtMs).toBe(60_000)
    let state = first
    for (let i = 0; i < 10; i++) state = announced(state, 0, 30_000, 0.5)
    expect(state.nextAttemptAtMs).toBe(500_000)
    expect(announced(state, 0, 30_000, 1).nextAttemptAtMs).toBe(600_000)
    expect(announceAgain(sendFailed(first, 0, 0.5)).nextAttemptAtMs).toBeNull()
    expect(announced(sendFailed(first, 0, 0.5), 0, 30_000, 0.5)).toMatchObject({ attempts: 1, status: 'active' })
  })
})

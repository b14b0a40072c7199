/** The life of a wake as a pure state machine: idle → issued → leased → idle. It decides; driver.ts acts, store.ts keeps. */
import { backoffMs } from '../../lib/backoff.ts'
import { reminderMsMax, retryBackoff } from './limits.ts'

export type DeliveryType = 'webhook' | 'pull-wake'

export interface WakeState {
  /** Counts the wakes of this subscription; the fencing number. */
  readonly generation: number
  /**
   * idle: no wake. issued: a webhook is being delivered or waits for its retry; a wake event is written or waits for its wake stream.
   * leased: a worker has it (claimed, or the webhook answered 2xx without `done`).
   */
  readonly phase: 'idle' | 'issued' | 'leased'
  readonly wakeId: string | null
  /** The pull worker that claimed; null for webhooks. */
  readonly holder: string | null
  readonly leaseUntilMs: number | null
  /** Failed deliveries, or reminders, in a row. */
  readonly attempts: number
  /** When the next delivery or wake event is due; null = now. Kept over an expired lease, so a dead receiver is not hammered. */
  readonly nextAttemptAtMs: number | null
  /** `failed` while a retry is scheduled after a failed attempt (PROTOCOL.md §6.3). */
  readonly status: 'active' | 'failed'
}

export interface Facts {
  readonly type: DeliveryType
  readonly nowMs: number
  /** A linked stream has more than was acknowledged. */
  readonly pending: boolean
  /** A delivery or wake event is on its way. */
  readonly inFlight: boolean
}

/** What to do now. `send` = deliver the webhook or write the wake event of the issued wake. */
export type Step = 'wait' | 'expire' | 'issue' | 'send' | 'withdraw'

export const idleState: WakeState = {
  generation: 0,
  phase: 'idle',
  wakeId: null,
  holder: null,
  leaseUntilMs: null,
  attempts: 0,
  nextAttemptAtMs: null,
  status: 'active',
}

export function nextStep(state: WakeState, facts: Facts): Step {
  if (state.leaseUntilMs !== null && facts.nowMs >= state.leaseUntilMs) return 'expire'
  if (state.phase === 'leased' || facts.inFlight) return 'wait'
  const due = state.nextAttemptAtMs === null || facts.nowMs >= state.nextAttemptAtMs
  if (state.phase === 'idle') return facts.pending && due ? 'issue' : 'wait'
  if (!facts.pending) return 'withdraw'
  return due ? 'send' : 'wait'
}

/** When `nextStep` should be asked again without an event, or null. */
export function dueAtMs(state: WakeState, pending: boolean): number | null {
  const attempt = state.phase === 'leased' || (state.phase === 'idle' && !pending) ? null : state.nextAttemptAtMs
  if (attempt === null || state.leaseUntilMs === null) return attempt ?? state.leaseUntilMs
  return Math.min(attempt, state.leaseUntilMs)
}

/** A new generation. The lease of a webhook begins with its delivery (`sending`), that of a pull wake with the claim. */
export function issue(state: WakeState, wakeId: string): WakeState {
  return { ...state, generation: state.generation + 1, phase: 'issued', wakeId, holder: null, leaseUntilMs: null, nextAttemptAtMs: null }
}

/** A webhook goes out, for the first time or again: the receiver has the whole lease from now. */
export function sending(state: WakeState, nowMs: number, leaseTtlMs: number): WakeState {
  return { ...state, leaseUntilMs: nowMs + leaseTtlMs, nextAttemptAtMs: null }
}

/** The webhook answered 2xx without `done`, or its worker called back: it has the lease. */
export function delivered(state: WakeState): WakeState {
  return { ...state, phase: 'leased', attempts: 0, nextAttemptAtMs: null, status: 'active' }
}

export function sendFailed(state: WakeState, nowMs: number, jitter: number): WakeState {
  const failures = state.status === 'failed' ? state.attempts : 0
  const nextAttemptAtMs = nowMs + backoffMs(failures, retryBackoff, jitter)
  return { ...state, attempts: failures + 1, nextAttemptAtMs, status: 'failed' }
}

/** The wake event is in the wake stream. It is written again, ever more rarely, should the worker that read it die before its claim. */
export function announced(state: WakeState, nowMs: number, leaseTtlMs: number, jitter: number): WakeState {
  const reminders = state.status === 'failed' ? 0 : state.attempts
  const pause = backoffMs(reminders, { firstMs: leaseTtlMs, maxMs: reminderMsMax, jitterShare: 0.2 }, jitter)
  return { ...state, attempts: reminders + 1, nextAttemptAtMs: nowMs + pause, status: 'active' }
}

/** The wake event is lost (its stream was deleted), or its stream exists at last: write it now. */
export function announceAgain(state: WakeState): WakeState {
  return { ...state, nextAttemptAtMs: null }
}

export function claim(state: WakeState, holder: string, nowMs: number, leaseTtlMs: number): WakeState {
  return { ...delivered(state), holder, leaseUntilMs: nowMs + leaseTtlMs }
}

/** A heartbeat, or a callback that is not the last. */
export function extend(state: WakeState, nowMs: number, leaseTtlMs: number): WakeState {
  return { ...delivered(state), leaseUntilMs: nowMs + leaseTtlMs }
}

/** The worker is done, has released, or there is nothing left to wake for. `notBeforeMs` holds the next wake back; null = at once. */
export function finish(state: WakeState, notBeforeMs: number | null): WakeState {
  return { ...idleState, generation: state.generation, nextAttemptAtMs: notBeforeMs }
}

/** The lease ran out. Without any answer in it (`inFlight`) that was a failed delivery, and the next wake waits its turn. */
export function expire(state: WakeState, inFlight: boolean, nowMs: number, jitter: number): WakeState {
  const judged = inFlight && state.phase === 'issued' ? sendFailed(state, nowMs, jitter) : state
  return { ...judged, phase: 'idle', wakeId: null, holder: null, leaseUntilMs: null }
}

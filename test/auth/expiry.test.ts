/** Work that ends with its credential. */
import { expect, test } from 'bun:test'
import { signalAt } from '../../src/auth/expiry.ts'
import { systemClock, timerDelayMsMax } from '../../src/lib/clock.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('the signal aborts at the expiry and not before', () => {
  const clock = new ManualClock()
  const { signal } = signalAt(clock, clock.now() + 1_000)
  clock.advance(999)
  expect(signal?.aborted).toBe(false)
  clock.advance(1)
  expect(signal?.aborted).toBe(true)
})

test('what has expired aborts at once, what does not expire has no signal, and neither leaves a timer', () => {
  const clock = new ManualClock()
  expect(signalAt(clock, clock.now()).signal?.aborted).toBe(true)
  expect(signalAt(clock, null).signal).toBeNull()
  expect(clock.pending).toBe(0)
})

test('an expiry beyond the longest timer waits on', () => {
  class ClampedClock extends ManualClock {
    override after(delayMs: number, run: () => void) {
      return super.after(Math.min(delayMs, timerDelayMsMax), run)
    }
  }
  const clock = new ClampedClock()
  const { signal } = signalAt(clock, clock.now() + 2.5 * timerDelayMsMax)
  clock.advance(2 * timerDelayMsMax)
  expect(signal?.aborted).toBe(false)
  clock.advance(timerDelayMsMax)
  expect(signal?.aborted).toBe(true)
})

test('cancelling gives the timer back, also the second one', () => {
  const clock = new ManualClock()
  const { signal, cancel } = signalAt(clock, clock.now() + 1_000)
  cancel()
  expect(clock.pending).toBe(0)
  clock.advance(2_000)
  expect(signal?.aborted).toBe(false)
})

test('it works on the system clock', async () => {
  const { signal } = signalAt(systemClock, Date.now() + 30)
  await new Promise(resolve => signal?.addEventListener('abort', resolve))
  expect(signal?.aborted).toBe(true)
})

/** The time, as a parameter. The only file that reads the system clock or starts timers. */

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Monotonic milliseconds, for measuring durations. */
  monotonic(): number
  /** Calls `run` once after `delayMs` (0 or more, clamped to 24 days); returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
  /** Calls `run` every `periodMs`; returns a function that stops it. */
  every(periodMs: number, run: () => void): () => void
  /** Resolves after `delayMs`, or at once when `signal` aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The longest delay that a timer takes (2^31-1 ms); a longer one would fire at once. */
export const timerDelayMsMax = 2_147_483_647

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, clampDelay(delayMs))
    return () => clearTimeout(timer)
  },
  every(periodMs, run) {
    const timer = setInterval(run, clampDelay(periodMs))
    return () => clearInterval(timer)
  },
  sleep(delayMs, signal) {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, clampDelay(delayMs))
      signal?.addEventListener('abort', done, { once: true })
    })
  },
}

function clampDelay(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), timerDelayMsMax)
}

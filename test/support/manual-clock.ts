/** A clock that a test moves. Timers run in order of time while it moves, as they would by themselves. */
import type { Clock } from '../../src/lib/clock.ts'

interface Timer {
  atMs: number
  readonly periodMs: number | null
  readonly run: () => void
}

export class ManualClock implements Clock {
  #nowMs: number
  #monotonicMs = 1_000
  readonly #timers = new Set<Timer>()

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#add({ atMs: this.#monotonicMs + Math.max(delayMs, 0), periodMs: null, run })
  }

  every(periodMs: number, run: () => void): () => void {
    return this.#add({ atMs: this.#monotonicMs + periodMs, periodMs, run })
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const cancel = this.after(delayMs, resolve)
      signal?.addEventListener('abort', () => (cancel(), resolve()), { once: true })
    })
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass and runs what is due. What those timers wait for has not happened yet when it returns. */
  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms
    for (;;) {
      const due = [...this.#timers].filter(timer => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      this.#move((due?.atMs ?? endMs) - this.#monotonicMs)
      if (due === undefined) return
      if (due.periodMs === null) this.#timers.delete(due)
      else due.atMs += due.periodMs
      due.run()
    }
  }

  #move(ms: number): void {
    this.#nowMs += ms
    this.#monotonicMs += ms
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }
}

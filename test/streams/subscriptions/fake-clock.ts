/** A clock that moves when the test says so. Timers fire in order of their time. */
import type { Clock } from '../../../src/lib/clock.ts'

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

export class FakeClock implements Clock {
  #nowMs = Date.parse('2026-11-22T12:00:00Z')
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  every(periodMs: number, run: () => void): () => void {
    let cancel = () => {}
    const again = () => {
      cancel = this.after(periodMs, again)
      run()
    }
    cancel = this.after(periodMs, again)
    return () => cancel()
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => void this.after(delayMs, resolve))
  }

  /** Moves on by `ms` without a timer firing, as for a process that was too busy to run them. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Moves on by `ms`, and lets what the timers start run after each of them. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await settle()
      const next = [...this.#timers].filter(timer => timer.atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
    }
    this.#nowMs = endMs
    await settle()
  }
}

/** Lets pending callbacks and local sockets have their turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

/** Waits in real time until `check` gives something; for what goes over a socket. */
export async function until<T>(check: () => T | undefined | null | false, what: string): Promise<T> {
  for (let i = 0; i < 4_000; i++) {
    const value = check()
    if (value !== undefined && value !== null && value !== false) return value
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`did not happen within 20 s: ${what}`)
}

/** All live readers of this server: one timer for all, a bound on their number, and the end of all of them at shutdown. */
import { fail } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { SseReader } from './sse-reader.ts'

export interface LiveLimits {
  readonly readersMax: number
  readonly longPollMsMax: number
  /** Life of one SSE connection, ms; 0 = no end. */
  readonly sseCycleMs: number
  /** A comment goes out on a connection that was quiet for this long. */
  readonly keepAliveMs: number
  /** A reader that takes nothing for this long is cut off; it may come back with the offset it was told last. */
  readonly stalledMsMax: number
}

/** Credentials are cut within a second of their end. */
const tickMs = 500

export class LiveReaders {
  readonly #clock: Clock
  readonly #limits: LiveLimits
  readonly #jitter: () => number
  readonly #sse = new Set<SseReader>()
  readonly #stopping = new AbortController()
  #polls = 0
  #stopTicks: (() => void) | null = null

  constructor(clock: Clock, limits: LiveLimits, jitter: () => number) {
    this.#clock = clock
    this.#limits = limits
    this.#jitter = jitter
  }

  get sseCount(): number {
    return this.#sse.size
  }

  get longPollCount(): number {
    return this.#polls
  }

  /** Aborts when the server stops. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Refuses when there are too many, or the server is stopping: overloaded, shutting_down. */
  admit(): void {
    if (this.stopping.aborted) fail('shutting_down', {})
    if (this.#sse.size + this.#polls >= this.#limits.readersMax) fail('overloaded', { detail: 'too many live readers' })
  }

  /** When a connection that begins now ends by itself: jittered, so that not all come back at once. */
  sseEndMs(nowMs: number): number {
    if (this.#limits.sseCycleMs === 0) return Infinity
    return nowMs + this.#limits.sseCycleMs * (0.9 + 0.2 * this.#jitter())
  }

  follow(reader: SseReader): void {
    this.#sse.add(reader)
    this.#stopTicks ??= this.#clock.every(tickMs, () => this.#tick())
  }

  unfollow(reader: SseReader): void {
    this.#sse.delete(reader)
    if (this.#sse.size > 0) return
    this.#stopTicks?.()
    this.#stopTicks = null
  }

  /** Counts a long-poll while it waits; resolves at the latest after `longPollMsMax`, or at `endAtMs`. */
  async poll<T>(wait: (deadline: Promise<void>) => Promise<T>, endAtMs: number): Promise<T> {
    this.#polls++
    const done = new AbortController()
    const waitMs = Math.min(this.#limits.longPollMsMax, endAtMs - this.#clock.now())
    try {
      return await wait(this.#clock.sleep(waitMs, AbortSignal.any([done.signal, this.stopping])))
    } finally {
      this.#polls--
      done.abort()
    }
  }

  /** Ends every live reader between two events; their clients come back with the offset they have. */
  stop(): void {
    this.#stopping.abort()
    for (const reader of [...this.#sse]) reader.close()
  }

  #tick(): void {
    const now = this.#clock.now()
    for (const reader of this.#sse) reader.tick(now, this.#limits)
  }
}

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

/** Tells whether a credential was withdrawn; null when it cannot be. */
export type IsRevoked = (() => boolean) | null

/** A long-poll whose credential may be withdrawn while it waits. */
interface RevocablePoll {
  readonly isRevoked: () => boolean
  readonly end: () => void
}

export class LiveReaders {
  readonly #clock: Clock
  readonly #limits: LiveLimits
  readonly #jitter: () => number
  readonly #sse = new Map<SseReader, IsRevoked>()
  readonly #revocable = new Set<RevocablePoll>()
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

  follow(reader: SseReader, isRevoked: IsRevoked): void {
    this.#sse.set(reader, isRevoked)
    this.#startTicks()
  }

  unfollow(reader: SseReader): void {
    this.#sse.delete(reader)
    this.#stopUnusedTicks()
  }

  /** Counts a long-poll while it waits; resolves at the latest after `longPollMsMax`, at `endAtMs`, or when its credential is withdrawn. */
  async poll<T>(wait: (deadline: Promise<void>) => Promise<T>, endAtMs: number, isRevoked: IsRevoked): Promise<T> {
    this.#polls++
    const done = new AbortController()
    const revocable = isRevoked === null ? null : { isRevoked, end: () => done.abort() }
    if (revocable !== null) {
      this.#revocable.add(revocable)
      this.#startTicks()
    }
    const waitMs = Math.min(this.#limits.longPollMsMax, endAtMs - this.#clock.now())
    try {
      return await wait(this.#clock.sleep(waitMs, AbortSignal.any([done.signal, this.stopping])))
    } finally {
      this.#polls--
      if (revocable !== null) this.#revocable.delete(revocable)
      this.#stopUnusedTicks()
      done.abort()
    }
  }

  /** Ends every live reader between two events; their clients come back with the offset they have. */
  stop(): void {
    this.#stopping.abort()
    for (const reader of [...this.#sse.keys()]) reader.close()
  }

  #tick(): void {
    const now = this.#clock.now()
    for (const poll of this.#revocable) if (poll.isRevoked()) poll.end()
    for (const [reader, isRevoked] of this.#sse) {
      if (isRevoked?.()) reader.close()
      reader.tick(now, this.#limits)
    }
  }

  #startTicks(): void {
    this.#stopTicks ??= this.#clock.every(tickMs, () => this.#tick())
  }

  #stopUnusedTicks(): void {
    if (this.#sse.size + this.#revocable.size > 0) return
    this.#stopTicks?.()
    this.#stopTicks = null
  }
}

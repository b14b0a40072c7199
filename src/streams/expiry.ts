/** Ends streams whose time is over, and sources that were only kept for forks that are gone. One loop for all streams. */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { isDamaged } from './damaged-streams.ts'
import type { Engine } from './engine.ts'
import type { Registry } from './registry.ts'
import type { StreamState } from './stream.ts'

const periodMs = 1000
/** Streams that one round takes from the tables of a shard. */
const perRoundMax = 1000

export class ExpirySweeper {
  readonly #registry: Registry
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #log: Log
  #stop: (() => void) | null = null
  #round: Promise<void> | null = null
  /** Sources that lost their last fork to a crash are looked for once; the registry names later ones. */
  #mended = false

  constructor(registry: Registry, engine: Engine, clock: Clock, log: Log) {
    this.#registry = registry
    this.#engine = engine
    this.#clock = clock
    this.#log = log
  }

  get running(): boolean {
    return this.#stop !== null
  }

  start(): void {
    this.#stop = this.#clock.every(periodMs, () => {
      this.#round ??= this.sweep()
        .catch((error: unknown) => this.#log.error('expiring streams failed; the next round tries again', { error }))
        .finally(() => (this.#round = null))
    })
  }

  stop(): void {
    this.#stop?.()
    this.#stop = null
  }

  /** One round: streams in memory, then those whose stored deadline has passed. */
  async sweep(): Promise<void> {
    const unneeded = this.#removeUnneeded()
    const now = this.#clock.now()
    const due = [...this.#registry.resident].filter(stream => (stream.deadlineMs ?? Infinity) <= now && stream.removal === 'none')
    const ending = [unneeded, ...due.slice(0, perRoundMax).map(stream => this.#engine.expireIfDue(stream))]
    try {
      for (const shard of this.#registry.shards) {
        for (const id of shard.store.expired(now, perRoundMax)) {
          if (ending.length >= perRoundMax) return
          const stream = this.#found(id)
          // Ended as soon as it is found: one that the registry forgets meanwhile would be ended beside itself.
          if (stream !== null && stream.removal === 'none') ending.push(this.#engine.expireIfDue(stream))
        }
      }
    } finally {
      await Promise.all(ending)
    }
  }

  /** Most sources go with their last fork. This is for those that could not: a crash came between, a disk was full, or the fork itself found no room. */
  async #removeUnneeded(): Promise<void> {
    const { shards, unforked } = this.#registry
    if (!this.#mended) for (const shard of shards) for (const id of shard.store.hidden()) unforked.add(id)
    this.#mended = true
    const removing = [...unforked].map(async id => {
      const stream = this.#found(id)
      if (stream !== null) await this.#engine.removeUnneeded(stream)
      unforked.delete(id) // not when that failed: the next round tries again
    })
    await Promise.all(removing)
  }

  /** null also for a stream whose row is damaged: it keeps no other from ending. */
  #found(id: number): StreamState | null {
    try {
      return this.#registry.byId(id)
    } catch (error) {
      if (!isDamaged(error)) throw error
      this.#registry.damaged.found(id, null)
      return null
    }
  }
}

/** Ends streams whose time is over, and sources that were only kept for forks that are gone. One loop for all streams. */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Engine } from './engine.ts'
import type { Registry } from './registry.ts'

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
  /** Sources that lost their last fork to a crash are looked for once: later ones go with their fork. */
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
    if (!this.#mended) await this.#removeUnneeded()
    const now = this.#clock.now()
    const due = [...this.#registry.resident].filter(stream => (stream.deadlineMs ?? Infinity) <= now && stream.removal === 'none')
    for (const shard of this.#registry.shards) {
      for (const id of shard.store.expired(now, perRoundMax)) {
        const stream = this.#registry.byId(id)
        if (stream !== null && stream.removal === 'none' && !due.includes(stream)) due.push(stream)
      }
    }
    await Promise.all(due.slice(0, perRoundMax).map(stream => this.#engine.expireIfDue(stream)))
  }
  async #removeUnneeded(): Promise<void> {
    this.#mended = true
    for (const shard of this.#registry.shards) {
      for (const id of shard.store.hidden()) {
        const stream = this.#registry.byId(id)
        if (stream !== null) await this.#engine.removeUnneeded(stream)
      }
    }
  }
}

/** A loop that does a piece of work in every database, one round at a time. What the work is, and that it is done in bounded steps, is its owner's business. */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'

export interface RoundsParts {
  readonly clock: Clock
  readonly log: Log
  readonly periodMs: number
  /** The databases there are now. */
  readonly databases: () => readonly string[]
  /** Called until it says that nothing is left: true when another step may be needed. */
  readonly step: (database: string) => Promise<boolean>
  /** What the log says when a step fails; the next round tries again. */
  readonly failed: string
}

export class Rounds {
  readonly #parts: RoundsParts
  #cancel: (() => void) | null = null
  #isStopped = false
  #round: Promise<void> | null = null

  constructor(parts: RoundsParts) {
    this.#parts = parts
  }

  start(): void {
    if (!this.#isStopped) this.#cancel ??= this.#parts.clock.every(this.#parts.periodMs, () => void this.run())
  }

  /** Ends the loop, and the round that is under way after its step. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel?.()
    await this.#round
  }

  /** One round over all databases; the one under way when there is one. */
  run(): Promise<void> {
    this.#round ??= this.#run().finally(() => (this.#round = null))
    return this.#round
  }

  async #run(): Promise<void> {
    const { databases, step, log, failed } = this.#parts
    for (const database of databases()) {
      try {
        while (!this.#isStopped && (await step(database))) continue
      } catch (error) {
        log.warn(failed, { database, error: String(error) })
      }
    }
  }
}

/** A turn of work on the thread that serves everybody: whoever judges and sends for long asks after each step whether others should go on. */
import type { Clock } from '../../lib/clock.ts'
import { sliceMsMax } from './limits.ts'

export class Turn {
  readonly #clock: Clock
  #endsMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#endsMs = clock.monotonic() + sliceMsMax
  }

  /** Nothing while the turn lasts; then a promise of the next one. */
  next(): Promise<void> | undefined {
    return this.#clock.monotonic() < this.#endsMs ? undefined : this.#others()
  }

  async #others(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.#endsMs = this.#clock.monotonic() + sliceMsMax
  }
}

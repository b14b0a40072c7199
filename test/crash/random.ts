/** Random numbers that a seed repeats, so that a failed run can be run again. */

export class Random {
  #state: number

  constructor(readonly seed: number) {
    this.#state = seed >>> 0
  }

  /** A float in [0, 1). */
  float(): number {
    // mulberry32: 32 bits of state are plenty for choosing moments and operations.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1))
  }

  chance(share: number): boolean {
    return this.float() < share
  }

  /** One of `values`, or undefined when there is none. */
  pick<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.float() * values.length)]
  }
}

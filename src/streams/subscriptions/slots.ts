/** Places for deliveries in flight. Who finds none waits, first come first served. */

export class Slots<T> {
  readonly #waiting = new Set<T>()
  readonly #freed: (next: T) => void
  #free: number

  /** `freed` is told who may try again. */
  constructor(count: number, freed: (next: T) => void) {
    this.#free = count
    this.#freed = freed
  }

  /** True when `who` has a place now; else it waits. */
  take(who: T): boolean {
    this.#waiting.delete(who)
    if (this.#free === 0) {
      this.#waiting.add(who)
      return false
    }
    this.#free--
    return true
  }

  release(): void {
    this.#free++
    this.pass()
  }

  /** `who` waits no longer. */
  leave(who: T): void {
    this.#waiting.delete(who)
  }

  waits(who: T): boolean {
    return this.#waiting.has(who)
  }

  /** Tells the next one when there is a place. Also to be called when one that was told turned out not to need it. */
  pass(): void {
    if (this.#free === 0) return
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      this.#freed(next)
      return
    }
  }
}

/** A bounded map that forgets what was not used recently. It is a cache: an entry may be gone at any time. */

interface Kept<Value> {
  readonly value: Value
  readonly weight: number
}

/**
 * Holds at most `entriesMax` entries whose weights sum to at most `weightMax` (any unit; 1 an entry unless given).
 * Two generations instead of a list in order of use: a hit costs one lookup, and forgetting costs nothing per entry.
 */
export class RecentMap<Key, Value> {
  readonly #entriesMax: number
  readonly #weightMax: number
  #young = new Map<Key, Kept<Value>>()
  #old = new Map<Key, Kept<Value>>()
  #youngWeight = 0

  constructor(entriesMax: number, weightMax = Infinity) {
    this.#entriesMax = entriesMax
    this.#weightMax = weightMax
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young.value
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#keep(key, old)
    return old.value
  }

  /** Keeps `value`; one that outweighs half of the map is not kept at all. */
  set(key: Key, value: Value, weight = 1): void {
    this.delete(key)
    if (weight <= this.#weightMax / 2) this.#keep(key, { value, weight })
  }

  delete(key: Key): void {
    const young = this.#young.get(key)
    if (young !== undefined) this.#youngWeight -= young.weight
    this.#young.delete(key)
    this.#old.delete(key)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  #keep(key: Key, kept: Kept<Value>): void {
    this.#old.delete(key)
    const full = this.#young.size + 1 > this.#entriesMax / 2 || this.#youngWeight + kept.weight > this.#weightMax / 2
    if (full) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngWeight = 0
    }
    this.#young.set(key, kept)
    this.#youngWeight += kept.weight
  }
}

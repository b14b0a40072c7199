/** How far the producers of one stream are, as far as that is kept in memory: what no table holds yet, and some of what one does. Decides nothing. */
import type { ProducerProgress } from './producer.ts'

/** Producers of one stream that stay in memory although they are stored. */
export const producersKeptMax = 256

/** Two generations: while one waits for its last group to be in the tables, another gathers. A stream without producers costs no map. */
export class ResidentProducers {
  #recent: Map<string, ProducerProgress> | null = null
  #older: Map<string, ProducerProgress> | null = null
  /** When this group is in the tables, everything of `#older` is. */
  #olderGroup = 0

  /** At least those that are in memory; one that writes on counts twice. */
  get size(): number {
    return (this.#recent?.size ?? 0) + (this.#older?.size ?? 0)
  }

  /** What is kept, or undefined: then the table knows, if anybody does. */
  get(id: string): ProducerProgress | undefined {
    return this.#recent?.get(id) ?? this.#older?.get(id)
  }

  set(id: string, progress: ProducerProgress): void {
    this.#recent ??= new Map()
    this.#recent.set(id, progress)
  }

  /** The table is right again about `id`: what was decided of it is taken back. */
  delete(id: string): void {
    this.#recent?.delete(id)
    this.#older?.delete(id)
  }

  clear(): void {
    this.#recent = this.#older = null
  }

  /** The latest of every producer comes last. */
  *[Symbol.iterator](): Iterator<readonly [string, ProducerProgress]> {
    if (this.#older !== null) yield* this.#older
    if (this.#recent !== null) yield* this.#recent
  }

  /** Lets go of what the tables hold: all groups up to `applied`. What was decided so far is in groups up to `decided`. */
  dropStored(applied: number, decided: number): void {
    if (this.#older !== null && this.#olderGroup <= applied) this.#older = null
    if (this.#older !== null || this.#recent === null || this.#recent.size <= producersKeptMax) return
    this.#older = this.#recent
    this.#olderGroup = decided
    this.#recent = null
  }
}

/** The streams whose rows were found damaged: named in the log once each, and counted. Who meets one goes on without it. */
import { Refusal } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'

/** Streams that the log names; what is damaged beyond that is found by `headwater check`. */
export const damagedNamedMax = 1000

export class DamagedStreams {
  readonly #log: Log
  readonly #ids = new Set<number>()

  constructor(log: Log) {
    this.#log = log
  }

  /** How many were named. */
  get count(): number {
    return this.#ids.size
  }

  /** `path` as far as it can be read: it may be what is damaged. */
  found(id: number, path: string | null): void {
    if (this.#ids.has(id) || this.#ids.size >= damagedNamedMax) return
    this.#ids.add(id)
    this.#log.error('a stream is damaged: it is left out of listings and does not end; `headwater check` tells what else is', { id, path })
  }
}

/** True for the refusal that damage is told by. */
export function isDamaged(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'stream_damaged'
}

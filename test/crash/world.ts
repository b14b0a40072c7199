/** What one crash run shares: the server's address, the ledgers, the seed, and what went wrong. No HTTP here. */
import { newStream, type StreamLedger } from './ledger.ts'
import { Random } from './random.ts'
import type { Key, Kind } from './records.ts'
import type { Violation } from './verify.ts'

export interface Totals {
  kills: number
  appendsAcked: number
  recordsAcked: number
  duplicatesAcked: number
  answersLost: number
  refusedBusy: number
  created: number
  closed: number
  deleted: number
  forked: number
  recordsRead: number
  streamsVerified: number
}

export class World {
  readonly random: Random
  readonly violations: Violation[] = []
  readonly totals: Totals = emptyTotals()
  /** Streams that take appends. */
  readonly active: StreamLedger[] = []
  /** Closed and deleted ones, which must stay so. */
  readonly retired: StreamLedger[] = []
  /** True while requests are sent; false from the kill on. */
  running = false
  #nextId = 0
  readonly #discarded = new Set<StreamLedger>()

  constructor(
    readonly base: string,
    seed: number,
  ) {
    this.random = new Random(seed)
  }

  addStream(initial: number, inherited: readonly Key[] = [], kind?: Kind): StreamLedger {
    const chosen = kind ?? (this.random.chance(0.5) ? 'json' : 'binary')
    return newStream(this.#nextId++, chosen, initial, inherited)
  }

  urlOf(stream: StreamLedger): string {
    return `${this.base}/${stream.name}`
  }

  retire(stream: StreamLedger): void {
    const at = this.active.indexOf(stream)
    if (at >= 0) this.active.splice(at, 1)
    if (!this.retired.includes(stream) && !this.isDiscarded(stream)) this.retired.push(stream)
  }

  /** Forgets a stream whose promises are broken: one fault is reported once, not after every kill. */
  discard(stream: StreamLedger): void {
    for (const list of [this.active, this.retired]) {
      const at = list.indexOf(stream)
      if (at >= 0) list.splice(at, 1)
    }
    this.#discarded.add(stream)
  }

  isDiscarded(stream: StreamLedger): boolean {
    return this.#discarded.has(stream)
  }

  report(stream: string, what: string): void {
    this.violations.push({ stream, what })
  }
}

function emptyTotals(): Totals {
  return {
    kills: 0,
    appendsAcked: 0,
    recordsAcked: 0,
    duplicatesAcked: 0,
    answersLost: 0,
    refusedBusy: 0,
    created: 0,
    closed: 0,
    deleted: 0,
    forked: 0,
    recordsRead: 0,
    streamsVerified: 0,
  }
}

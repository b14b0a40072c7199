/** What every connection of the record databases can call in SQL: the product's functions, and `_deadline()`. */
import type { Database } from 'bun:sqlite'
import { systemClock, type Clock } from '../../lib/clock.ts'
import { systemIds } from '../../lib/ids.ts'
import { registerFunctions, type FunctionSettings } from '../functions/register.ts'

/** Thrown inside a statement that runs longer than it may. */
export class DeadlinePassed extends Error {
  override name = 'DeadlinePassed'
}

/** Calls of `_deadline()` between two looks at the clock. */
const callsPerLook = 64

/** The time at which statements of a connection stop. */
export class Deadline {
  readonly #clock: Clock
  #endsAtMs = Infinity
  #calls = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  start(limitMs: number): void {
    this.#endsAtMs = this.#clock.monotonic() + limitMs
    this.#calls = 0
  }

  get passed(): boolean {
    return this.#clock.monotonic() >= this.#endsAtMs
  }

  /** `_deadline()` in SQL: 1, until it throws. */
  readonly check = (): number => {
    if (++this.#calls % callsPerLook === 0 && this.passed) throw new DeadlinePassed('the statement takes longer than allowed')
    return 1
  }
}

/** Registers the functions on a connection. */
export function prepareConnection(db: Database, functions: FunctionSettings, deadline: Deadline): void {
  registerFunctions(db, { ...functions, ids: systemIds, clock: systemClock })
  db.function('_deadline', deadline.check)
}

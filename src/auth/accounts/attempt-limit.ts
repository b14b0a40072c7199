/** How often somebody may guess: failures of one account within a time. In memory; a restart forgets them. Limits by address are not here. */
import type { Clock } from '../../lib/clock.ts'
import { fail } from '../../lib/errors.ts'
import { RecentMap } from '../../lib/recent-map.ts'

/** Accounts whose failures are remembered. Each costs whoever wants them forgotten a password check, which takes longer than the window for so many. */
export const accountsRememberedMax = 65_536

export interface AttemptLimitSettings {
  /** Failures after which no more attempts are taken. */
  readonly failuresMax: number
  /** How long after the first of them they count. */
  readonly windowMs: number
}

interface Failures {
  count: number
  readonly endsAtMs: number
}

export class AttemptLimit {
  readonly #settings: AttemptLimitSettings
  readonly #clock: Clock
  readonly #failures = new RecentMap<string, Failures>(accountsRememberedMax)

  constructor(settings: AttemptLimitSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /** Counts an attempt as a failure until it is taken back, so that attempts at the same time count, too. Refuses `too_many_requests`. */
  begin(account: string): void {
    const nowMs = this.#clock.monotonic()
    const known = this.#failures.get(account)
    const failures = known === undefined || nowMs >= known.endsAtMs ? { count: 0, endsAtMs: nowMs + this.#settings.windowMs } : known
    if (failures.count >= this.#settings.failuresMax) fail('too_many_requests', { retryAfterSecs: Math.max(1, Math.ceil((failures.endsAtMs - nowMs) / 1000)) })
    failures.count++
    this.#failures.set(account, failures)
  }

  /** The attempt that began was a good one. Earlier failures stay: somebody who knows one password may not try others without end. */
  takeBack(account: string): void {
    const known = this.#failures.get(account)
    if (known !== undefined && known.count > 0) known.count--
  }
}

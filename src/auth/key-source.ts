/** The keys of one issuer over time: when they are read again, how long they count, and what became of those that are gone. */
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { AlgorithmName } from './algorithms.ts'
import { parseJwks, type VerificationKey } from './jwks.ts'
import type { LoadJwks } from './jwks-loaders.ts'

export interface KeySourcePolicy {
  /** Least time between two readings that unknown keys ask for. */
  readonly cooldownMs: number
  /** Readings without being asked: how long a good one lasts. Revoked keys are honoured for this long at most. */
  readonly refreshMs: number
  /** How long keys count after the last good reading. */
  readonly staleMsMax: number
  /** Whether symmetric keys are taken. */
  readonly symmetric: boolean
}

/** Most keys of one set that are tried on a token that names none. */
const keysTriedMax = 4
/** Before the first good reading, attempts come sooner than the cooldown, but not with every request. */
const firstAttempts = { firstMs: 1_000, jitterShare: 0 }

interface Dependencies {
  readonly clock: Clock
  readonly log: Log
  readonly onLoad: (succeeded: boolean) => void
}

export class KeySource {
  readonly #name: string
  readonly #load: LoadJwks
  readonly #policy: KeySourcePolicy
  readonly #deps: Dependencies
  #keys: readonly VerificationKey[] = []
  #text: string | null = null
  #attempt: Promise<void> | null = null
  #attemptedAtMs = -Infinity
  #succeededAtMs = -Infinity
  #failures = 0
  #revision = 0

  constructor(name: string, load: LoadJwks, policy: KeySourcePolicy, deps: Dependencies) {
    this.#name = name
    this.#load = load
    this.#policy = policy
    this.#deps = deps
  }

  /** False before the first good reading, and when the last one is too long ago: then no key counts. */
  get usable(): boolean {
    return this.#text !== null && this.#deps.clock.monotonic() - this.#succeededAtMs <= this.#policy.staleMsMax
  }

  /** True when the last reading failed, so that an unknown key may be one that we could not see. */
  get failing(): boolean {
    return this.#failures > 0
  }

  /** Changes with every reading that brought other keys. */
  get revision(): number {
    return this.#revision
  }

  /** The keys that may have made a signature, at most 4. */
  candidates(algorithm: AlgorithmName, kid: string | undefined): readonly VerificationKey[] {
    if (!this.usable) return []
    return this.#keys.filter(key => key.fits(algorithm, kid)).slice(0, keysTriedMax)
  }

  /** Reads the keys again unless that was done just now. True when a reading ended while waiting, well or badly. Never rejects. */
  async refresh(): Promise<boolean> {
    if (this.#attempt === null) {
      if (this.#deps.clock.monotonic() - this.#attemptedAtMs < this.#pauseMs()) return false
      this.#attemptedAtMs = this.#deps.clock.monotonic()
      this.#attempt = this.#read().finally(() => (this.#attempt = null))
    }
    await this.#attempt
    return true
  }

  /** To be called more often than `refreshMs`: reads again when the last good reading is due or the last one failed. */
  async tick(): Promise<void> {
    const sinceMs = this.#deps.clock.monotonic() - this.#succeededAtMs
    if (this.failing || sinceMs >= this.#policy.refreshMs) await this.refresh()
  }

  #pauseMs(): number {
    const { cooldownMs } = this.#policy
    if (this.#text !== null || this.#failures === 0) return cooldownMs
    return backoffMs(this.#failures - 1, { ...firstAttempts, maxMs: cooldownMs }, 0)
  }

  async #read(): Promise<void> {
    try {
      this.#adopt(await this.#load())
      this.#succeededAtMs = this.#deps.clock.monotonic()
      if (this.#failures > 0) this.#deps.log.info('the keys of an issuer are readable again', { issuer: this.#name })
      this.#failures = 0
      this.#deps.onLoad(true)
    } catch (error) {
      this.#failures++
      this.#deps.onLoad(false)
      this.#deps.log.warn('the keys of an issuer could not be read; known ones go on counting', { issuer: this.#name, error })
    }
  }

  #adopt(text: string): void {
    if (text === this.#text) return
    const parsed = parseJwks(text, this.#policy.symmetric)
    if (parsed === null) throw new Error('it is no JSON Web Key Set')
    const known = new Map(this.#keys.map(key => [key.fingerprint, key]))
    // A key that stays keeps its object, and with it what is cached as verified by it.
    this.#keys = parsed.keys.map(key => known.get(key.fingerprint) ?? key)
    const kept = new Set(this.#keys)
    for (const key of known.values()) key.revoked = !kept.has(key)
    this.#text = text
    this.#revision++
    const fields = { issuer: this.#name, keys: this.#keys.length, skipped: parsed.skipped }
    if (this.#keys.length === 0) this.#deps.log.warn('an issuer publishes no usable key', fields)
    else this.#deps.log.info('read the keys of an issuer', fields)
  }
}

/** Hashing and checking of passwords, a few at a time. Who may try how often is attempt-limit.ts; which passwords are allowed is password-policy.ts. */
import { fail } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'

/** What OWASP recommends and TrailBase uses: 19 MiB and two passes, about 70 ms of one processor. */
const cost = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const
/** A hash of that cost that opens nothing: it is compared with where there is no hash. */
const decoy = '$argon2id$v=19$m=19456,t=2,p=1$HHWGeL52JqEFF34OeY+ajei1bzRckTPlFnqt5VHIm/s$7db8xU3qm4ZT/1ehNV+qXfagO89+p52uyGMHenylRnQ'
/** Longest password in bytes; a longer one is nobody's. */
export const passwordBytesMax = 128
/** Checks that run at a time, in threads of Bun's pool: the requests that wait for nothing need processors, too. */
export const hashesAtATimeMax = Math.max(1, navigator.hardwareConcurrency >> 1)
/** Checks that may wait for their turn. */
export const waitingHashesMax = 256

export class Passwords {
  readonly #log: Log
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(log: Log) {
    this.#log = log
  }

  /** PHC text with a salt of its own. Refuses `overloaded`. */
  async hash(password: string): Promise<string> {
    return await this.#inTurn(() => Bun.password.hash(password, cost))
  }

  /**
   * Whether `password` is that of `hash` (argon2id, or bcrypt of users who came from elsewhere). Without a hash the work is the same and the answer is
   * no, so that time does not tell who exists. Refuses `overloaded`.
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    return await this.#inTurn(async () => {
      const isLong = Buffer.byteLength(password) > passwordBytesMax
      const isRight = await this.#compare(isLong || password === '' ? 'x' : password, hash ?? decoy)
      return isRight && hash !== null && !isLong && password !== ''
    })
  }

  async #compare(password: string, hash: string): Promise<boolean> {
    try {
      return await Bun.password.verify(password, hash)
    } catch (error) {
      this.#log.warn('a password hash cannot be read; its user cannot log in', { error: error instanceof Error ? error.name : 'unknown' })
      return false
    }
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= hashesAtATimeMax) {
      if (this.#waiting.length >= waitingHashesMax) fail('overloaded', { detail: 'Too many passwords are being checked' })
      await new Promise<void>(resolve => void this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // The turn is handed on rather than given back: nobody who comes now gets in between.
      if (next === undefined) this.#running--
      else next()
    }
  }
}

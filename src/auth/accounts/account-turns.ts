/** One attempt of an account at a time, so that the next one knows how the last ended. How many may fail is attempt-limit.ts. */
import { fail } from '../../lib/errors.ts'

/** Attempts of one account that may wait for their turn. */
export const attemptsWaitingMax = 64

interface Line {
  last: Promise<unknown>
  length: number
}

export class AccountTurns {
  readonly #lines = new Map<string, Line>()

  /** Runs `attempt` after those of `account` that came before it, however they ended. Refuses `overloaded`. */
  async run<Result>(account: string, attempt: () => Promise<Result>): Promise<Result> {
    const line = this.#lines.get(account) ?? { last: Promise.resolve(), length: 0 }
    if (line.length > attemptsWaitingMax) fail('overloaded', { detail: 'Too many logins of this account are waiting' })
    this.#lines.set(account, line)
    line.length++
    const turn = line.last.then(attempt, attempt)
    line.last = turn
    try {
      return await turn
    } finally {
      if (--line.length === 0) this.#lines.delete(account)
    }
  }
}

/** Turns: the tasks of one key run one after another, those of different keys side by side. Knows nothing of subscriptions. */
import { fail } from '../../lib/errors.ts'
import { turnsWaitingMax } from './limits.ts'

interface Queue {
  waiting: number
  last: Promise<void>
}

export class Turns {
  readonly #queues = new Map<string, Queue>()

  /** Runs `task` when its turn comes. Refuses `overloaded` while `turnsWaitingMax` tasks of `key` wait. */
  async request<T>(key: string, task: () => Promise<T>): Promise<T> {
    if ((this.#queues.get(key)?.waiting ?? 0) >= turnsWaitingMax) fail('overloaded', { detail: 'Too many requests wait for this subscription' })
    return this.run(key, task)
  }

  /** The same for the server's own steps, which are bounded by their number per subscription (one step, one delivery). */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? { waiting: 0, last: Promise.resolve() }
    this.#queues.set(key, queue)
    queue.waiting++
    const result = queue.last.then(task)
    queue.last = result.then(ignore, ignore).then(() => {
      if (--queue.waiting === 0) this.#queues.delete(key)
    })
    return result
  }

  /** Resolves when every task that was given so far has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(queue => queue.last))
  }
}

function ignore(): void {}

/** One thread that copies the WALs of all databases of a store, asked by their writers. */

export class Checkpointer {
  readonly #start: () => Worker
  readonly #failed: (message: string) => void
  readonly #done = new Map<string, () => void>()
  #worker: Worker | null = null
  #closing = false
  #closed: (() => void) | null = null

  /** `start` makes the thread (storage/checkpoint-worker.ts) when the first WAL has grown; `failed` is called when it dies. */
  constructor(start: () => Worker, failed: (message: string) => void) {
    this.#start = start
    this.#failed = failed
  }

  /** Copies the WAL of `file`, then calls `done`. Not while the store closes: the writers empty their WALs themselves then. */
  request(file: string, done: () => void): void {
    if (this.#closing) return
    this.#done.set(file, done)
    this.#worker ??= this.#open()
    this.#worker.postMessage(file)
  }

  async close(): Promise<void> {
    this.#closing = true
    const worker = this.#worker
    if (worker === null) return
    const closed = new Promise<void>(resolve => (this.#closed = resolve))
    worker.postMessage('close')
    await closed
    worker.terminate()
  }

  #open(): Worker {
    const worker = this.#start()
    worker.onerror = event => this.#failed(`the checkpoint thread failed: ${event.message}`)
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data === 'closed') this.#closed?.()
      else if (typeof data === 'string') this.#done.get(data)?.()
    }
    return worker
  }
}

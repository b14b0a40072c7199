/** One thread that copies the WALs of all shards, asked by their writers. */

export class Checkpointer {
  readonly #worker: Worker
  readonly #done = new Map<string, () => void>()
  #closed: (() => void) | null = null

  /** `worker` runs storage/checkpoint-worker.ts; `failed` is called when it dies. */
  constructor(worker: Worker, failed: (message: string) => void) {
    this.#worker = worker
    worker.onerror = event => failed(`the checkpoint thread failed: ${event.message}`)
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data === 'closed') this.#closed?.()
      else if (typeof data === 'string') this.#done.get(data)?.()
    }
  }

  /** Copies the WAL of `file`, then calls `done`. */
  request(file: string, done: () => void): void {
    this.#done.set(file, done)
    this.#worker.postMessage(file)
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => (this.#closed = resolve))
    this.#worker.postMessage('close')
    await closed
    this.#worker.terminate()
  }
}

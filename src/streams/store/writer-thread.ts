/** The server's end of a writer thread: promises over messages. A thread that dies or fails takes the process down. */
import { OperatorError } from '../../lib/errors.ts'
import type { FromWriter, ToWriter, WriterSettings } from './messages.ts'

export interface WriterReady {
  readonly lastId: number
  readonly lastGroup: number
  readonly segment: number
  readonly segmentKey: number
}

/** Ends the process: a shard whose storage failed must never acknowledge again (field.md B4). */
export type Fence = (message: string) => void

export class WriterThread {
  readonly #worker: Worker
  readonly #fence: Fence
  #closing = false
  #awaited = new Map<FromWriter['kind'], ((message: FromWriter) => void)[]>()
  #refuse: ((error: unknown) => void) | null = null
  onMessage: (message: FromWriter) => void = () => {}

  private constructor(worker: Worker, fence: Fence) {
    this.#worker = worker
    this.#fence = fence
    worker.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#take(data)
    worker.onerror = event => this.#fail(`a writer thread failed: ${event.message}`)
    worker.addEventListener('close', () => {
      if (!this.#closing) this.#fail('a writer thread ended')
    })
  }

  /** Starts the thread and waits until its shard is recovered. Throws OperatorError for what an operator must mend. */
  static async open(worker: Worker, settings: WriterSettings, fence: Fence): Promise<[WriterThread, WriterReady]> {
    const thread = new WriterThread(worker, fence)
    const refused = new Promise<never>((_, reject) => (thread.#refuse = reject))
    const ready = thread.next('ready')
    thread.post({ kind: 'open', settings })
    const message = await Promise.race([ready, refused])
    thread.#refuse = null
    if (message.kind !== 'ready') throw new Error('the first answer of a writer is ready')
    return [thread, message]
  }

  post(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  /** The next message of `kind`. */
  next(kind: FromWriter['kind']): Promise<FromWriter> {
    return new Promise(resolve => {
      const waiting = this.#awaited.get(kind)
      if (waiting) waiting.push(resolve)
      else this.#awaited.set(kind, [resolve])
    })
  }

  async drain(): Promise<void> {
    const drained = this.next('drained')
    this.post({ kind: 'drain' })
    await drained
  }

  async close(): Promise<void> {
    this.#closing = true
    const closed = this.next('closed')
    this.post({ kind: 'close' })
    await closed
    this.#worker.terminate()
  }

  #take(message: FromWriter): void {
    if (message.kind === 'fatal') return this.#fail(message.message)
    if (message.kind === 'refused') return this.#refused(message)
    this.#awaited.get(message.kind)?.shift()?.(message)
    this.onMessage(message)
  }

  #refused(message: FromWriter & { kind: 'refused' }): void {
    const error = new OperatorError(message.message, message.remedy, message.exitCode)
    if (this.#refuse) this.#refuse(error)
    else this.#fail(`${message.message}; ${message.remedy}`)
    this.#worker.terminate()
  }

  #fail(message: string): void {
    if (this.#refuse) this.#refuse(new Error(message))
    else this.#fence(message)
  }
}

/** A shard in acid mode: one SQLite file, written by its thread, read here. */
import type { Block } from './block.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { FromWriter, WriterSettings } from './messages.ts'
import { ShardReader } from './shard-reader.ts'
import { StoreFull, type ProducerState, type ShardStore, type StreamRow } from './store.ts'
import { WriterThread, type Fence, type WriterReady } from './writer-thread.ts'

export class AcidShard implements ShardStore {
  readonly #thread: WriterThread
  readonly #reader: ShardReader
  readonly lastId: number
  readonly lastGroup: number
  onApplied: (group: number) => void = () => {}
  #committing: { resolve: () => void; reject: (error: Error) => void } | null = null

  private constructor(file: string, thread: WriterThread, ready: WriterReady, checkpointer: Checkpointer) {
    this.#thread = thread
    this.#reader = new ShardReader(file, (_id, row) => row.data ?? new Uint8Array(0))
    this.lastId = ready.lastId
    this.lastGroup = ready.lastGroup
    thread.onMessage = message => this.#take(message, file, checkpointer)
  }

  static async open(settings: WriterSettings, worker: Worker, checkpointer: Checkpointer, fence: Fence): Promise<AcidShard> {
    const [thread, ready] = await WriterThread.open(worker, settings, fence)
    return new AcidShard(settings.file, thread, ready, checkpointer)
  }

  commit(number: number, group: Uint8Array<ArrayBuffer>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#committing = { resolve, reject }
      this.#thread.post({ kind: 'group', number, group }) // a copy: readers are served from this one until it is applied
    })
  }

  drain(): Promise<void> {
    return this.#thread.drain()
  }

  async close(): Promise<void> {
    this.#reader.close() // the last connection to close tidies the WAL away: that is the writer's
    await this.#thread.close()
  }

  forget(): void {}

  streamByPath(path: string): StreamRow | null {
    return this.#reader.streamByPath(path)
  }

  streamById(id: number): StreamRow | null {
    return this.#reader.streamById(id)
  }

  producer(streamId: number, producerId: string): ProducerState | null {
    return this.#reader.producer(streamId, producerId)
  }

  producers(streamId: number): readonly ProducerState[] {
    return this.#reader.producers(streamId)
  }

  blockAt(streamId: number, position: number): Block | null {
    return this.#reader.blockAt(streamId, position)
  }

  list(prefix: string, after: string, limit: number): readonly StreamRow[] {
    return this.#reader.list(prefix, after, limit)
  }

  expired(nowMs: number, limit: number): readonly number[] {
    return this.#reader.expired(nowMs, limit)
  }

  hidden(): readonly number[] {
    return this.#reader.hidden()
  }

  forkCounts(): readonly (readonly [number, number])[] {
    return this.#reader.forkCounts()
  }

  meta(prefix: string): readonly { readonly key: string; readonly value: string }[] {
    return this.#reader.meta(prefix)
  }

  #take(message: FromWriter, file: string, checkpointer: Checkpointer): void {
    switch (message.kind) {
      case 'committed':
        return this.#settle()?.resolve()
      case 'full':
        return this.#settle()?.reject(new StoreFull(message.message))
      case 'applied':
        return this.onApplied(message.number)
      case 'walGrown':
        return checkpointer.request(file, () => this.#thread.post({ kind: 'checkpoint' }))
      default:
        return
    }
  }

  #settle(): { resolve: () => void; reject: (error: Error) => void } | null {
    const settled = this.#committing
    this.#committing = null
    return settled
  }
}

/** A shard in acid mode: one SQLite file, written by its thread, read here. */
import type { Checkpointer } from '../../storage/checkpointer.ts'
import type { FromWriter, WriterSettings } from './messages.ts'
import { ShardReader } from './shard-reader.ts'
import { StoreFull, type ShardStore } from './store.ts'
import { StoredShard } from './stored-shard.ts'
import { WriterThread, type Fence, type WriterReady } from './writer-thread.ts'

export class AcidShard extends StoredShard implements ShardStore {
  readonly #thread: WriterThread
  readonly lastId: number
  readonly lastGroup: number
  onApplied: (group: number) => void = () => {}
  #committing: { resolve: () => void; reject: (error: Error) => void } | null = null

  private constructor(file: string, thread: WriterThread, ready: WriterReady, checkpointer: Checkpointer) {
    super(new ShardReader(file, (_id, row) => row.data ?? new Uint8Array(0)))
    this.#thread = thread
    this.lastId = ready.lastId
    this.lastGroup = ready.lastGroup
    thread.onMessage = message => this.#take(message, file, checkpointer)
  }

  static async open(settings: WriterSettings, worker: Worker, checkpointer: Checkpointer, fence: Fence): Promise<AcidShard> {
    const [thread, ready] = await WriterThread.open(worker, settings, fence)
    return new AcidShard(settings.file, thread, ready, checkpointer)
  }

  commit(number: number, group: Uint8Array<SharedArrayBuffer>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#committing = { resolve, reject }
      this.#thread.post({ kind: 'group', number, group }) // shared: nobody changes it, and readers are served from it until it is applied
    })
  }

  drain(): Promise<void> {
    return this.#thread.drain()
  }

  async close(): Promise<void> {
    this.reader.close() // the last connection to close tidies the WAL away: that is the writer's
    await this.#thread.close()
  }

  forget(): void {}

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

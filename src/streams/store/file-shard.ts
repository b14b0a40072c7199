/** The store of the file modes: a commit log written here, stream files and an index kept by a thread, read here. */
import { join } from 'node:path'
import { DiskRoom } from '../../storage/disk-room.ts'
import { assert } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Checkpointer } from '../../storage/checkpointer.ts'
import { CommitLog } from './commit-log.ts'
import { GroupRelay } from './group-relay.ts'
import { firstSegmentBytes } from './log-segments.ts'
import type { FromWriter, WriterSettings } from './messages.ts'
import { ShardReader } from './shard-reader.ts'
import { StoreFull, type ShardStore } from './store.ts'
import { StoredShard } from './stored-shard.ts'
import { StreamFiles } from './stream-files.ts'
import { WriterThread, type Fence, type WriterReady } from './writer-thread.ts'

export interface FileShardParts {
  readonly checkpointer: Checkpointer
  readonly fence: Fence
  readonly clock: Clock
}

export class FileShard extends StoredShard implements ShardStore {
  readonly #thread: WriterThread
  readonly #files: StreamFiles
  readonly #log: CommitLog
  readonly #room: DiskRoom
  readonly #relay: GroupRelay
  readonly #fence: Fence
  readonly lastId: number
  readonly lastGroup: number
  onApplied: (group: number) => void = () => {}
  /** The thread found no room to apply: nothing more is taken until it does. */
  #full = false
  #preparing: { segment: number; resolve: (key: number) => void; reject: (error: Error) => void } | null = null

  private constructor(settings: WriterSettings, directory: string, thread: WriterThread, ready: WriterReady, parts: FileShardParts) {
    const files = new StreamFiles(directory, 'read')
    super(new ShardReader(settings.file, (streamId, row) => files.read(streamId, row.start, row.end - row.start)))
    this.#files = files
    this.#thread = thread
    this.#fence = parts.fence
    this.#relay = new GroupRelay(parts.clock, relayed => thread.post({ kind: 'apply', ...relayed }, [relayed.groups.buffer]))
    this.#room = new DiskRoom(directory)
    this.lastId = ready.lastId
    this.lastGroup = ready.lastGroup
    this.#log = new CommitLog({
      directory: join(directory, 'log'),
      segment: ready.segment,
      segmentKey: ready.segmentKey,
      segmentBytes: firstSegmentBytes(settings.segmentBytes),
      nextSegmentBytes: settings.segmentBytes,
      synced: settings.synced,
      prepare: segment => this.#prepare(segment),
    })
    thread.onMessage = message => this.#take(message, settings.file, parts.checkpointer)
  }

  static async open(settings: WriterSettings, worker: Worker, parts: FileShardParts): Promise<FileShard> {
    assert(settings.directory !== null, 'a file store has a directory')
    const [thread, ready] = await WriterThread.open(worker, settings, parts.fence)
    return new FileShard(settings, settings.directory, thread, ready, parts)
  }

  async commit(number: number, group: Uint8Array): Promise<void> {
    if (this.#full) throw new StoreFull('no room to apply the log')
    if (!this.#room.has(group.byteLength, 0)) throw new StoreFull('the disk is almost full')
    try {
      await this.#log.append(group)
    } catch (error) {
      if (error instanceof StoreFull) throw error
      this.#fence(`writing the commit log failed: ${String(error)}`)
      throw error
    }
    this.#relay.push(number, group, this.#log.segment)
  }

  drain(): Promise<void> {
    this.#relay.flush()
    return this.#thread.drain()
  }

  async close(): Promise<void> {
    this.reader.close()
    this.#files.close()
    this.#log.close()
    this.#relay.flush()
    await this.#thread.close()
  }

  /** A file that is open keeps its room on the disk although it has no name any more. */
  forget(streamId: number): void {
    this.#files.forget(streamId)
  }

  #prepare(segment: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#preparing = { segment, resolve, reject }
      this.#thread.post({ kind: 'segment', segment })
    })
  }

  #take(message: FromWriter, file: string, checkpointer: Checkpointer): void {
    switch (message.kind) {
      case 'applied':
        this.#full = false
        return this.onApplied(message.number)
      case 'full':
        this.#full = true
        return
      case 'prepared':
        return this.#preparing?.resolve(message.key)
      case 'prepareFailed':
        return this.#preparing?.reject(new StoreFull(message.message))
      case 'walGrown':
        return checkpointer.request(file, () => this.#thread.post({ kind: 'checkpoint' }))
      default:
        return
    }
  }
}

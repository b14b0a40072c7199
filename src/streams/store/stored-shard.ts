/** The reads that every shard with tables answers alike. How its writes become durable is acid-shard.ts and file-shard.ts. */
import type { Block } from './block.ts'
import type { ShardReader } from './shard-reader.ts'
import type { DamagedRow, ProducerState, StreamRow } from './store.ts'

export abstract class StoredShard {
  protected readonly reader: ShardReader

  constructor(reader: ShardReader) {
    this.reader = reader
  }

  streamByPath(path: string): StreamRow | null {
    return this.reader.streamByPath(path)
  }

  streamById(id: number): StreamRow | null {
    return this.reader.streamById(id)
  }

  producer(streamId: number, producerId: string): ProducerState | null {
    return this.reader.producer(streamId, producerId)
  }

  producers(streamId: number): readonly ProducerState[] {
    return this.reader.producers(streamId)
  }

  blockAt(streamId: number, position: number): Block | null {
    return this.reader.blockAt(streamId, position)
  }

  list(prefix: string, after: string, limit: number, damaged: (row: DamagedRow) => void): readonly StreamRow[] {
    return this.reader.list(prefix, after, limit, damaged)
  }

  expired(nowMs: number, limit: number): readonly number[] {
    return this.reader.expired(nowMs, limit)
  }

  hidden(): readonly number[] {
    return this.reader.hidden()
  }

  forkCounts(): readonly (readonly [number, number])[] {
    return this.reader.forkCounts()
  }

  meta(prefix: string): readonly { readonly key: string; readonly value: string }[] {
    return this.reader.meta(prefix)
  }
}

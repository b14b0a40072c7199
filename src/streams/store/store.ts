/** What the engine needs of a storage mode. One contract test body runs on every implementation. */
import type { Block } from './block.ts'
import type { CreatedStream } from './group.ts'

export type StorageMode = 'memory' | 'file-fast' | 'file-durable' | 'acid'

/** A stream as stored: everything but its bytes and its producers. */
export interface StreamRow extends CreatedStream {
  /** Position after the last stored byte. */
  readonly tail: number
  /** Deleted by its owner, kept for its forks. */
  readonly hidden: boolean
  /** Last read or write that was stored. */
  readonly touchedAtMs: number
  readonly seq: string | null
  readonly closedBy: ProducerState | null
}

/** What a row whose checksum does not fit says; some of it is wrong. */
export interface DamagedRow {
  readonly id: number
  readonly path: string
}

export interface ProducerState {
  readonly id: string
  readonly epoch: number
  readonly seq: number
}

/**
 * One shard: one log with one writer. Reads are synchronous and see what was applied; what is committed but not yet
 * applied is the engine's to remember until `onApplied` names its group.
 */
export interface ShardStore {
  /** Highest stream id ever given by this shard, and the last group committed, as found on opening. */
  readonly lastId: number
  readonly lastGroup: number
  /** Called with a group number when it and all before it can be read back. Set once by the engine. */
  onApplied: (group: number) => void
  /**
   * Makes `group` durable as the mode promises, then resolves. One call at a time. Rejects with StoreFull when there is
   * no room (the group is then not stored); any other failure is fatal and fences the shard.
   */
  commit(number: number, group: Uint8Array<SharedArrayBuffer>): Promise<void>
  /** Applies everything that was committed. */
  drain(): Promise<void>
  close(): Promise<void>
  /** Lets go of what is held for a stream that was purged. */
  forget(streamId: number): void

  streamByPath(path: string): StreamRow | null
  streamById(id: number): StreamRow | null
  producer(streamId: number, producerId: string): ProducerState | null
  producers(streamId: number): readonly ProducerState[]
  /** The block that holds `position`, or null when none was applied there. Throws fail('stream_damaged'). */
  blockAt(streamId: number, position: number): Block | null
  /** Streams whose name starts with `prefix`, after `after`, in byte order of the name. Damaged rows are told to `damaged` and left out. */
  list(prefix: string, after: string, limit: number, damaged: (row: DamagedRow) => void): readonly StreamRow[]
  /** Ids of streams whose stored deadline is at or before `nowMs`. */
  expired(nowMs: number, limit: number): readonly number[]
  /** Ids of streams that are deleted and kept for their forks. */
  hidden(): readonly number[]
  /** Number of forks per source id. */
  forkCounts(): readonly (readonly [number, number])[]
  meta(prefix: string): readonly { readonly key: string; readonly value: string }[]
}

/** There is no room to store a group. Nothing of it was stored; a later attempt may succeed. */
export class StoreFull extends Error {
  override name = 'StoreFull'
}

/** The position after which a stream ends by itself, or null: absolute, or the sliding window from the last touch. */
export function deadlineOf(row: { expiresAtMs: number | null; ttlSecs: number | null }, touchedAtMs: number): number | null {
  if (row.expiresAtMs !== null) return row.expiresAtMs
  return row.ttlSecs === null ? null : touchedAtMs + row.ttlSecs * 1000
}

/** One stream as the engine knows it: what is decided, what is committed, who waits. Holds state; decides nothing. */
import { ResidentProducers } from './resident-producers.ts'
import { ResidentBlocks } from './resident.ts'
import type { CreatedStream, ForkOrigin } from './store/group.ts'
import { deadlineOf, type ProducerState, type StreamRow } from './store/store.ts'

/** Told about everything that readers may see, right after its commit. */
export interface TailListener {
  /** New bytes, closure or removal. Called synchronously; must not throw. */
  onTail(event: TailEvent): void
}

/** What one commit did to one stream. `frames` keeps encoded forms of it, so that every reader shares one. */
export interface TailEvent {
  readonly start: number
  readonly end: number
  readonly closed: boolean
  readonly removed: boolean
  readonly frames: Map<string, Uint8Array>
}

export type Removal = 'none' | 'hidden' | 'purged'

export class StreamState implements Omit<CreatedStream, 'closed' | 'path'> {
  readonly id: number
  path: string
  readonly contentType: string
  readonly mediaType: string
  readonly createdAtMs: number
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  readonly start: number
  readonly fork: ForkOrigin | null

  // Decided: what the next write builds on. Some of it may not be committed yet.
  tail: number
  closed: boolean
  closedBy: ProducerState | null
  seq: string | null
  removal: Removal = 'none'
  readonly producers = new ResidentProducers()
  /** Operations that wait for their commit. */
  pending = 0
  /** It is being built out of sight by somebody who goes on with this very object. */
  staged = false

  // Committed: what readers see.
  exists: boolean
  /** Has the name for readers until this stream's is durable. */
  before: StreamState | null = null
  committedTail: number
  committedClosed: boolean
  committedRemoval: Removal = 'none'
  /** What readers were last told. */
  publishedTail: number
  publishedClosed: boolean
  /** Followers know that the stream exists. */
  announced: boolean

  readonly resident = new ResidentBlocks()
  /** Last group that concerns this stream; what it did is in the tables when that group is applied. */
  lastGroup = 0
  touchedAtMs: number
  /** The touch that is stored, or on its way. */
  storedTouchMs: number
  readonly listeners = new Set<TailListener>()

  constructor(row: StreamRow, exists: boolean) {
    this.id = row.id
    this.path = row.path
    this.contentType = row.contentType
    this.mediaType = mediaTypeOf(row.contentType)
    this.createdAtMs = row.createdAtMs
    this.ttlSecs = row.ttlSecs
    this.expiresAtMs = row.expiresAtMs
    this.start = row.start
    this.fork = row.fork
    this.tail = this.committedTail = row.tail
    this.closed = this.committedClosed = row.closed
    this.closedBy = row.closedBy
    this.seq = row.seq
    if (row.hidden) this.removal = this.committedRemoval = 'hidden'
    this.exists = exists
    this.publishedTail = row.tail
    this.publishedClosed = row.closed
    this.announced = exists
    this.touchedAtMs = this.storedTouchMs = row.touchedAtMs
  }

  get json(): boolean {
    return this.mediaType === 'application/json'
  }

  /** Own bytes, without those inherited from a fork source. */
  get ownBytes(): number {
    return this.tail - this.start
  }

  /** When the stream ends by itself, in ms since the epoch; null = never. */
  get deadlineMs(): number | null {
    return deadlineOf(this, this.touchedAtMs)
  }

  /** A sliding window does not run out while someone reads live. (PROTOCOL.md §5.1, Stream-TTL) */
  expired(nowMs: number): boolean {
    const deadline = this.deadlineMs
    if (deadline === null || nowMs < deadline) return false
    return this.expiresAtMs !== null || this.listeners.size === 0
  }

  /** True when nothing but this object knows something about the stream. */
  get evictable(): boolean {
    return this.pending === 0 && !this.staged && this.resident.empty && this.listeners.size === 0
  }
}

/** The media type in lower case, without parameters. */
export function mediaTypeOf(contentType: string): string {
  const semicolon = contentType.indexOf(';')
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

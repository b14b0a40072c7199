/** Finds streams: in memory while something about them is not in the tables yet, else in the tables. */
import { must } from '../lib/assert.ts'
import type { DamagedStreams } from './damaged-streams.ts'
import { producersKeptMax } from './resident-producers.ts'
import type { Shard } from './shard.ts'
import { StreamState } from './stream.ts'
import type { StreamRow } from './store/store.ts'

/** Streams kept in memory although nothing waits for them: most requests then need no look into a table. */
export const cachedStreamsMax = 20_000
/** Streams looked at by one round of eviction, and streams that must come before the next one: most may not be stored yet. */
const evictionRound = 512
const streamsPerRound = 256

export class Registry {
  readonly #shards: readonly Shard[]
  readonly #byPath = new Map<string, StreamState>()
  readonly #byId = new Map<number, StreamState>()
  readonly #forks = new Map<number, number>()
  /** Ids of sources that lost their last fork, until the sweeper has seen to them: hidden ones must go. */
  readonly unforked = new Set<number>()
  readonly #nextId: number[]
  #evictAbove = cachedStreamsMax
  /** Streams that came into the tables since the last walk of eviction. */
  #idleSince = 0
  /** Stores when a stream was touched last, so that it may leave memory; set by the engine. */
  storeTouch: (stream: StreamState) => void = () => {}

  constructor(
    shards: readonly Shard[],
    readonly damaged: DamagedStreams,
  ) {
    this.#shards = shards
    this.#nextId = shards.map((shard, i) => nextIdAfter(shard.store.lastId, i, shards.length))
    for (const shard of shards) {
      for (const [parent, count] of shard.store.forkCounts()) this.#forks.set(parent, (this.#forks.get(parent) ?? 0) + count)
      shard.onIdleStream = stream => this.#idle(stream)
    }
  }

  /** Every stream in memory. */
  get resident(): Iterable<StreamState> {
    return this.#byId.values()
  }

  get residentCount(): number {
    return this.#byId.size
  }

  get shards(): readonly Shard[] {
    return this.#shards
  }

  /** The latest stream of this name, gone ones included, or null when there was none. */
  find(path: string): StreamState | null {
    const known = this.#byPath.get(path)
    if (known !== undefined) return known
    const row = this.shardOfPath(path).store.streamByPath(path)
    return row === null ? null : this.#load(row)
  }

  /** The stream when it is in memory. */
  known(id: number): StreamState | null {
    return this.#byId.get(id) ?? null
  }

  byId(id: number): StreamState | null {
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const row = this.shardOfId(id).store.streamById(id)
    return row === null ? null : this.#load(row)
  }

  shardOfPath(path: string): Shard {
    const index = this.#shards.length === 1 ? 0 : Bun.hash.crc32(path) % this.#shards.length
    return must(this.#shards[index], 'every path has a shard')
  }

  shardOfId(id: number): Shard {
    return must(this.#shards[id % this.#shards.length], 'every id has a shard')
  }

  newId(path: string): number {
    const index = this.#shards.indexOf(this.shardOfPath(path))
    const id = must(this.#nextId[index], 'every shard counts its ids')
    this.#nextId[index] = id + this.#shards.length
    return id
  }

  /** Makes a decided stream the latest of its name. */
  add(stream: StreamState): void {
    this.#byId.set(stream.id, stream)
    this.#byPath.set(stream.path, stream)
    if (this.#byId.size > this.#evictAbove) this.#evictSome()
  }

  /** The creation of `stream` could not be stored; `before` is the latest of its name again. */
  remove(stream: StreamState, before: StreamState | null): void {
    this.#byId.delete(stream.id)
    if (this.#byPath.get(stream.path) !== stream) return
    if (before === null) this.#byPath.delete(stream.path)
    else this.#byPath.set(stream.path, before)
  }

  rename(stream: StreamState, path: string): void {
    if (this.#byPath.get(stream.path) === stream) this.#byPath.delete(stream.path)
    stream.path = path
    this.#byPath.set(path, stream)
  }

  forksOf(id: number): number {
    return this.#forks.get(id) ?? 0
  }

  countFork(parentId: number, change: 1 | -1): void {
    const count = this.forksOf(parentId) + change
    if (count > 0) {
      this.#forks.set(parentId, count)
      return
    }
    this.#forks.delete(parentId)
    this.unforked.add(parentId)
  }

  /** Forgets a purged stream that no table knows any more. */
  forget(stream: StreamState): void {
    this.#byId.delete(stream.id)
    if (this.#byPath.get(stream.path) === stream) this.#byPath.delete(stream.path)
  }

  #load(row: StreamRow): StreamState {
    const stream = new StreamState(row, true)
    this.add(stream)
    return stream
  }

  #idle(stream: StreamState): void {
    if (stream.committedRemoval === 'purged' && stream.evictable) this.forget(stream)
    else if (stream.producers.size > producersKeptMax && stream.pending === 0) stream.producers.clear()
    // What many creations at once left behind would stay until others come.
    if (this.#byId.size > cachedStreamsMax && ++this.#idleSince >= streamsPerRound) this.#evictSome()
  }

  /** Walks from the oldest entry; one that was used since the last walk gets a second chance at the back. */
  #evictSome(): void {
    this.#idleSince = 0
    let looked = 0
    for (const stream of this.#byId.values()) {
      if (looked++ === evictionRound) break
      this.#byId.delete(stream.id)
      const shard = this.shardOfId(stream.id)
      const stored = shard.applies && stream.evictable && shard.appliedGroup >= stream.lastGroup && !this.#holdsTouch(stream)
      if (stored && this.#byPath.get(stream.path) === stream) this.#byPath.delete(stream.path)
      else if (!stored) this.#byId.set(stream.id, stream)
    }
    this.#evictAbove = Math.max(cachedStreamsMax, this.#byId.size + streamsPerRound)
  }

  /** A window that only reads renewed would be shortened by what is not stored of it: the stream leaves on a later walk. */
  #holdsTouch(stream: StreamState): boolean {
    if (stream.touchedAtMs <= stream.storedTouchMs || stream.removal !== 'none') return false
    this.storeTouch(stream)
    return true
  }
}

function nextIdAfter(lastId: number, shard: number, shards: number): number {
  const least = Math.max(lastId + 1, shard)
  return least + ((shard - (least % shards) + shards) % shards)
}

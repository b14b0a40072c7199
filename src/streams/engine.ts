/** The writes of streams: find, decide, remember, hand to the shard. One thread, and no waiting between look and decision. */
import { fail } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import { decideAppend } from './appending.ts'
import type { AppendCommand, AppendResult, CreateCommand, CreateResult } from './commands.ts'
import { assertSameStream, contentTypeOf, createdStream } from './creating.ts'
import { forkStart } from './forking.ts'
import { AppendOperation, createOperation, hideOperation, metaOperation, purgeOperation, touchOperation } from './operations.ts'
import type { Pages } from './pages.ts'
import type { ProducerClaim, ProducerProgress } from './producer.ts'
import { frameJson } from './protocol/json.ts'
import type { Registry } from './registry.ts'
import { mediaTypeOf, StreamState } from './stream.ts'

export interface EngineLimits {
  /** Bytes of one stream; 0 = no limit. */
  readonly streamBytesMax: number
  /** Bytes of all streams, where they are kept in memory; 0 = no limit. */
  readonly memoryBytesMax: number
}

export interface EngineParts {
  readonly registry: Registry
  readonly pages: Pages
  readonly clock: Clock
  readonly limits: EngineLimits
  /** Counts restores of the store from a backup; part of every offset. */
  readonly incarnation: number
}

export class Engine {
  readonly #registry: Registry
  readonly #pages: Pages
  readonly #clock: Clock
  readonly #limits: EngineLimits
  readonly incarnation: number
  /** Bytes of all streams of a store that keeps them in memory; 0 elsewhere. */
  memoryBytes = 0

  constructor(parts: EngineParts) {
    this.#registry = parts.registry
    this.#pages = parts.pages
    this.#clock = parts.clock
    this.#limits = parts.limits
    this.incarnation = parts.incarnation
    this.#registry.storeTouch = stream => this.#storeTouch(stream)
  }

  /** The stream as a reader sees it: committed. Refuses: stream_not_found (404), gone (410). */
  readable(path: string): StreamState {
    let stream = this.#registry.find(path)
    while (stream !== null && !stream.exists) stream = stream.before
    if (stream === null || stream.committedRemoval === 'purged') return fail('stream_not_found', {})
    if (stream.committedRemoval === 'hidden') fail('gone', {})
    if (stream.expired(this.#clock.now())) fail('stream_not_found', {})
    return stream
  }

  /** Appends, closes, or both. Refuses what decideAppend refuses, and stream_too_large, insufficient_storage, overloaded. */
  async append(command: AppendCommand): Promise<AppendResult> {
    const stream = this.#alive(command.path)
    if (stream === null || stream.removal === 'hidden') return this.#refuseAbsent(command.path)
    const shard = this.#registry.shardOfId(stream.id)
    const { producer, body } = command
    shard.admit(body?.kind === 'record' ? body.bytes.byteLength : 0)
    let decision
    try {
      decision = decideAppend(stream, command, producer && this.#progress(stream, producer), this.incarnation)
      if (decision.kind === 'write') this.#assertRoom(stream.ownBytes, decision.bytes.byteLength)
    } catch (refusal) {
      await this.#settled(stream)
      throw refusal
    }
    if (decision.kind === 'answer') {
      await this.#settled(stream)
      return decision.result
    }
    const { bytes } = decision
    const operation = new AppendOperation(stream, command, bytes, this.#clock.now())
    this.#count(bytes.byteLength)
    const { tail, closed } = stream
    const kind = body === null ? 'closed' : 'appended'
    await shard.enqueue(operation)
    return { kind, tail, closed, producer }
  }

  /** Creates a stream or a fork, or finds that it is there already. Refuses as PROTOCOL.md §5.1 and §4.2 say. */
  async create(command: CreateCommand): Promise<CreateResult> {
    const before = this.#registry.find(command.path)
    const existing = this.#alive(command.path)
    if (existing !== null) return this.#sameStream(existing, command)
    const source = command.fork === null ? null : this.#registry.find(command.fork.from)
    const fault = command.fork === null ? null : this.#sourceFault(source)
    if (fault !== null) return this.#refuse(fault, source)
    const contentType = contentTypeOf(command, source)
    const start = command.fork && source ? forkStart(source, command.fork, this.#pages, this.incarnation) : 0
    const bytes = this.#initialBytes(command, contentType)
    const shard = this.#registry.shardOfPath(command.path)
    shard.admit(bytes.byteLength)
    this.#assertRoom(0, bytes.byteLength)
    if (before !== null && before.removal === 'none') this.#expire(before)
    const made = { id: this.#registry.newId(command.path), contentType, start, source, nowMs: this.#clock.now() }
    const created = createdStream(command, made)
    const row = { ...created, tail: start, hidden: false, touchedAtMs: made.nowMs, seq: null, closedBy: null }
    const stream = new StreamState(row, false)
    const operation = createOperation(this.#registry, stream, created, bytes, before)
    this.#count(bytes.byteLength)
    const result = { created: true, contentType, tail: stream.tail, closed: command.closed }
    await shard.enqueue(operation)
    return result
  }

  /** Deletes a stream; while forks need its bytes it is only hidden. Refuses: stream_not_found, gone. */
  async remove(path: string): Promise<void> {
    const stream = this.#alive(path)
    if (stream === null || stream.removal === 'hidden') return this.#refuseAbsent(path)
    await this.#removeStream(stream)
  }

  /** Removes a stream that nobody was shown. */
  async discard(id: number): Promise<void> {
    const stream = this.#registry.byId(id)
    if (stream !== null && stream.removal === 'none') await this.#removeStream(stream)
  }

  /** Ends a stream whose time is over. Does nothing when it is not. */
  async expireIfDue(stream: StreamState): Promise<void> {
    if (stream.removal !== 'none') return
    const now = this.#clock.now()
    if (stream.expired(now)) await this.#removeStream(stream)
    else if ((stream.deadlineMs ?? Infinity) <= now) this.touch(stream, now) // it is read live
    else if (stream.touchedAtMs > stream.storedTouchMs) this.#storeTouch(stream) // or the tables would name it in every round
  }

  /** Removes a source that was only kept for forks, when the last of them is gone. */
  async removeUnneeded(stream: StreamState): Promise<void> {
    if (stream.removal === 'hidden' && this.#registry.forksOf(stream.id) === 0) await this.#removeStream(stream)
  }

  /** Counts bytes that a stream grows by without `append`. Refuses stream_too_large, insufficient_storage. */
  take(stream: StreamState, bytes: number): void {
    this.#assertRoom(stream.ownBytes, bytes)
    this.#count(bytes)
  }

  /** Renews a sliding window; what is stored of it lags by a tenth of the window at the most. (PROTOCOL.md §5.1) */
  touch(stream: StreamState, nowMs: number): void {
    if (stream.ttlSecs === null || stream.removal !== 'none' || nowMs <= stream.touchedAtMs) return
    stream.touchedAtMs = nowMs
    if (nowMs - stream.storedTouchMs > stream.ttlSecs * 100) this.#storeTouch(stream)
  }

  /** Stores keys and values of other features beside the streams, all or none. null removes. */
  async saveMeta(changes: readonly { readonly key: string; readonly value: string | null }[]): Promise<void> {
    const [shard] = this.#registry.shards
    await shard?.enqueue(metaOperation(changes))
  }

  #storeTouch(stream: StreamState): void {
    this.#registry.shardOfId(stream.id).enqueue(touchOperation(stream, stream.touchedAtMs)).catch(() => {})
  }

  #alive(path: string): StreamState | null {
    const stream = this.#registry.find(path)
    if (stream === null || stream.removal === 'purged') return null
    return stream.removal === 'none' && stream.expired(this.#clock.now()) ? null : stream
  }

  /** Refuses: stream_not_found (404; also when it expired), gone (410). */
  #refuseAbsent(path: string): Promise<never> {
    const stream = this.#registry.find(path)
    return this.#refuse(stream?.removal === 'hidden' ? 'gone' : 'stream_not_found', stream)
  }

  /** That a stream is gone is told once its removal is durable: writers decide by what is only decided. */
  async #refuse(code: 'stream_not_found' | 'gone' | 'fork_source_not_found' | 'fork_source_deleted', stream: StreamState | null): Promise<never> {
    if (stream !== null && stream.removal !== 'none') await this.#settled(stream)
    return fail(code, {})
  }

  /** An answer that rests on something not yet durable waits until it is. */
  async #settled(stream: StreamState): Promise<void> {
    if (stream.pending > 0) await this.#registry.shardOfId(stream.id).settled()
  }

  async #sameStream(existing: StreamState, command: CreateCommand): Promise<CreateResult> {
    const source = existing.fork === null ? null : this.#registry.byId(existing.fork.parentId)
    const { contentType, tail, closed } = existing
    try {
      assertSameStream(existing, command, source)
    } catch (refusal) {
      await this.#settled(existing)
      throw refusal
    }
    await this.#settled(existing)
    return { created: false, contentType, tail, closed }
  }

  #sourceFault(source: StreamState | null): 'fork_source_not_found' | 'fork_source_deleted' | null {
    if (source === null || !source.exists || source.removal === 'purged') return 'fork_source_not_found'
    if (source.removal === 'hidden') return 'fork_source_deleted'
    return source.expired(this.#clock.now()) ? 'fork_source_not_found' : null
  }

  #initialBytes(command: CreateCommand, contentType: string): Uint8Array {
    if (command.body.byteLength === 0 || mediaTypeOf(contentType) !== 'application/json') return command.body
    const framed = frameJson(command.body, 'allowed')
    if (framed.kind === 'refused') throw framed.refusal
    return framed.bytes
  }

  #progress(stream: StreamState, producer: ProducerClaim): ProducerProgress | null {
    // What is stored is not kept: an answer needs it once, and an append that follows keeps its own.
    return stream.producers.get(producer.id) ?? this.#registry.shardOfId(stream.id).store.producer(stream.id, producer.id)
  }

  #assertRoom(ownBytes: number, bytes: number): void {
    const { streamBytesMax, memoryBytesMax } = this.#limits
    if (streamBytesMax > 0 && bytes > 0 && ownBytes + bytes > streamBytesMax) {
      fail('stream_too_large', { detail: `a stream holds ${streamBytesMax} bytes at the most` })
    }
    if (memoryBytesMax > 0 && bytes > 0 && this.memoryBytes + bytes > memoryBytesMax) {
      fail('insufficient_storage', { detail: `all streams hold ${memoryBytesMax} bytes at the most` })
    }
  }

  #count(bytes: number): void {
    if (this.#limits.memoryBytesMax > 0) this.memoryBytes += bytes
  }

  /** Makes room for a new stream of the same name. Refuses while forks need the old one: path_blocked. */
  #expire(stream: StreamState): void {
    if (this.#registry.forksOf(stream.id) > 0) {
      this.#removeStream(stream).catch(() => {})
      fail('path_blocked', {})
    }
    this.#removeStream(stream).catch(() => {}) // the creation that follows is in the same group and says why
  }

  async #removeStream(stream: StreamState): Promise<void> {
    const shard = this.#registry.shardOfId(stream.id)
    if (this.#registry.forksOf(stream.id) > 0) return shard.enqueue(hideOperation(stream))
    await shard.enqueue(purgeOperation(stream, () => this.purged(stream)))
  }

  /** After the commit of a purge: frees memory, and the source that was only kept for this fork. */
  purged(stream: StreamState): void {
    this.#pages.forget(stream.id)
    this.#registry.shardOfId(stream.id).store.forget(stream.id)
    this.#count(-stream.ownBytes)
    if (!this.#registry.shardOfId(stream.id).applies) this.#registry.forget(stream)
    if (stream.fork === null) return
    this.#registry.countFork(stream.fork.parentId, -1)
    const parent = this.#registry.byId(stream.fork.parentId)
    // Only now that the fork is durably gone; a crash in between is mended by the sweeper at the next start.
    if (parent !== null) this.removeUnneeded(parent).catch(() => {})
  }
}

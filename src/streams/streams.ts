/** The stream service: who may, within which limits, in which order. The public face of this folder. */
import { fail } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { expiryOf, revocationOf, type Principal } from '../lib/principal.ts'
import type { StreamAccess } from './access.ts'
import type { AppendCommand, AppendResult, CreateCommand, CreateResult, HeadResult, Page, ReadCommand } from './commands.ts'
import { DamagedStreams } from './damaged-streams.ts'
import { Engine } from './engine.ts'
import { ExpirySweeper } from './expiry.ts'
import { LiveReaders, type LiveLimits } from './live-readers.ts'
import { streamMetrics, type StreamMetrics } from './metrics.ts'
import { hiddenPrefix } from './listing.ts'
import { Pages } from './pages.ts'
import { cursorAfter } from './protocol/cursor.ts'
import { formatOffset } from './protocol/offset.ts'
import { Registry } from './registry.ts'
import { Shard, type ShardLimits } from './shard.ts'
import { SseReader, type SseEnd } from './sse-reader.ts'
import type { OpenStore } from './store/open.ts'
import type { StreamState, TailEvent, TailListener } from './stream.ts'

export interface StreamsSettings {
  readonly streamBytesMax: number
  readonly memoryBytesMax: number
  readonly pageBytes: number
  readonly pageCacheBytesMax: number
  readonly shard: ShardLimits
  readonly live: LiveLimits
}

export interface StreamsParts {
  readonly store: OpenStore
  readonly access: StreamAccess
  readonly settings: StreamsSettings
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly metrics: Metrics
}

/** Told after a commit, in order of the commits. */
export type StreamEvent = { readonly kind: 'created' | 'appended' | 'deleted'; readonly path: string; readonly id: number; readonly tail: string }

/** What came of a long-poll. */
export type Polled = { readonly kind: 'page'; readonly page: Page } | { readonly kind: 'nothing'; readonly offset: number; readonly closed: boolean }

export class Streams {
  readonly engine: Engine
  readonly registry: Registry
  readonly pages: Pages
  readonly live: LiveReaders
  readonly #access: StreamAccess
  readonly #store: OpenStore
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #metrics: StreamMetrics
  readonly #sweeper: ExpirySweeper
  /** Set while someone follows all changes (subscriptions). */
  onEvents: ((events: readonly StreamEvent[]) => void) | null = null

  constructor(parts: StreamsParts) {
    const { store, settings, clock } = parts
    this.#access = parts.access
    this.#store = store
    this.#clock = clock
    this.#ids = parts.ids
    this.live = new LiveReaders(clock, settings.live, () => parts.ids.jitter())
    this.#metrics = streamMetrics(parts.metrics, () => this)
    const publish = (streams: Iterable<StreamState>) => this.#publish(streams)
    const shards = store.shards.map(shard => new Shard(shard, settings.shard, clock, this.#metrics, publish, store.mode !== 'memory'))
    this.registry = new Registry(shards, new DamagedStreams(parts.log.child('streams')))
    this.pages = new Pages(this.registry, settings.pageBytes, settings.pageCacheBytesMax, () => clock.now())
    const memoryBytesMax = store.mode === 'memory' ? settings.memoryBytesMax : 0
    const limits = { streamBytesMax: settings.streamBytesMax, memoryBytesMax }
    this.engine = new Engine({ registry: this.registry, pages: this.pages, clock, limits, incarnation: store.incarnation })
    this.#sweeper = new ExpirySweeper(this.registry, this.engine, clock, parts.log.child('streams'))
  }

  get incarnation(): number {
    return this.#store.incarnation
  }

  start(): void {
    this.#sweeper.start()
  }

  /** True while every loop of this service runs. */
  get healthy(): boolean {
    return this.#sweeper.running
  }

  /** Ends live readers, then waits for what is under way and closes the store. */
  async stop(): Promise<void> {
    this.live.stop()
    this.#sweeper.stop()
    const { shards } = this.registry
    // More than once: the end of a fork lets its source go, which may be in a shard that was quiet before.
    do for (const shard of shards) await shard.settled().catch(() => {})
    while (shards.some(shard => shard.queued > 0))
    await this.#store.close()
  }

  async create(principal: Principal, command: CreateCommand): Promise<CreateResult> {
    this.#access.check(principal, 'create', command.path)
    if (command.fork !== null) this.#access.checkFork(principal, command.path, command.fork.from)
    return this.engine.create(command)
  }

  append(principal: Principal, command: AppendCommand): Promise<AppendResult> {
    if (command.body !== null || !command.closes) this.#access.check(principal, 'append', command.path)
    if (command.closes) this.#access.check(principal, 'close', command.path)
    return this.engine.append(command)
  }

  /** Counts an append that was answered. */
  countAppend(result: AppendResult, bytes: number): void {
    this.#metrics.appended(result.kind, bytes)
  }

  async remove(principal: Principal, path: string): Promise<void> {
    this.#access.check(principal, 'delete', path)
    await this.engine.remove(path)
  }

  /** Never renews a sliding window. (PROTOCOL.md §5.4) */
  head(principal: Principal, path: string): HeadResult {
    this.#access.check(principal, 'read', path)
    const stream = this.engine.readable(path)
    const { contentType, ttlSecs, expiresAtMs } = stream
    return { contentType, ttlSecs, expiresAtMs, tail: stream.committedTail, closed: stream.committedClosed }
  }

  /** One page from an offset. Refuses: stream_not_found, gone, invalid_offset, offset_gone. */
  read(principal: Principal, command: ReadCommand): Page {
    const { stream, from } = this.#enter(principal, command)
    return this.pages.page(stream, from)
  }

  /** Waits at the tail for new data, up to the limit. Refuses as `read`, and when there are too many readers. */
  async longPoll(principal: Principal, command: ReadCommand, gone: AbortSignal): Promise<Polled> {
    const { stream, from } = this.#enter(principal, command)
    if (from < stream.committedTail) return { kind: 'page', page: this.pages.page(stream, from) }
    if (!stream.committedClosed) {
      this.live.admit()
      const endAtMs = expiryOf(principal) ?? Infinity
      const isRevoked = revocationOf(principal)
      await this.live.poll(deadline => nextEvent(stream, deadline, gone), endAtMs, isRevoked)
      if (isRevoked?.()) fail('token_invalid', { detail: 'The issuer withdrew the key of the token' })
    }
    if (stream.committedRemoval === 'purged') fail('stream_not_found', {})
    if (stream.committedRemoval === 'hidden') fail('gone', {})
    this.engine.touch(stream, this.#clock.now())
    if (from < stream.committedTail) return { kind: 'page', page: this.pages.page(stream, from) }
    return { kind: 'nothing', offset: from, closed: stream.committedClosed }
  }

  /** A live reader over SSE. Refuses as `read`, and when there are too many readers. `onEnd` is called once, before its last byte. */
  sse(principal: Principal, command: ReadCommand, onEnd: (how: SseEnd) => void): SseReader {
    const { stream, from } = this.#enter(principal, command)
    this.live.admit()
    const nowMs = this.#clock.now()
    const reader = new SseReader({
      stream,
      pages: this.pages,
      incarnation: this.incarnation,
      from,
      cursor: this.cursor(command.cursor),
      endAtMs: Math.min(this.live.sseEndMs(nowMs), expiryOf(principal) ?? Infinity),
      nowMs,
      ended: (ended, how) => {
        this.live.unfollow(ended)
        this.engine.touch(stream, this.#clock.now())
        onEnd(how)
      },
    })
    this.live.follow(reader, revocationOf(principal))
    return reader
  }

  cursor(sent: number | null): number {
    return cursorAfter(sent, this.#clock.now(), this.#ids.jitter())
  }

  /** True when everybody may read the stream, so that shared caches may keep what they get. */
  public(path: string): boolean {
    return this.#access.isOpen || this.#access.allows({ kind: 'anonymous' }, 'read', path)
  }

  /** Checks a read and finds its place: position and stream belong to the same moment. */
  #enter(principal: Principal, command: ReadCommand): { stream: StreamState; from: number } {
    this.#access.check(principal, 'read', command.path)
    const stream = this.engine.readable(command.path)
    const from = this.#position(stream, command)
    this.engine.touch(stream, this.#clock.now())
    return { stream, from }
  }

  #position(stream: StreamState, command: ReadCommand): number {
    const { from } = command
    if (from === 'start') return 0
    if (from === 'now') return stream.committedTail
    if (from.incarnation > this.incarnation) fail('invalid_offset', { detail: 'the offset was not given out by this server' })
    if (from.at > stream.committedTail) {
      // Of before a restore: what was there is gone, and other data may come in its place. (design §6)
      if (from.incarnation < this.incarnation) fail('offset_gone', {})
      return stream.committedTail
    }
    if (this.pages.isBoundary(stream, from.at)) return from.at
    // y-durable-streams asks for "the snapshot's offset plus one" and means what follows the border before it.
    if (this.pages.isBoundary(stream, from.at - 1)) return from.at - 1
    return fail('invalid_offset', { detail: 'the offset lies inside a record' })
  }

  /** Lets readers and followers know what a commit changed. */
  #publish(streams: Iterable<StreamState>): void {
    const events: StreamEvent[] | null = this.onEvents === null ? null : []
    for (const stream of streams) {
      const { publishedTail: start, committedTail: end } = stream
      const removed = stream.committedRemoval !== 'none'
      if (stream.listeners.size > 0) tellReaders(stream, removed)
      stream.publishedTail = end
      stream.publishedClosed = stream.committedClosed
      if (events !== null) collectEvents(stream, { fresh: !stream.announced, grown: end > start, removed }, this.incarnation, events)
      stream.announced = true
    }
    if (events !== null && events.length > 0) this.onEvents?.(events)
  }
}

function tellReaders(stream: StreamState, removed: boolean): void {
  const { publishedTail: start, committedTail: end, committedClosed: closed } = stream
  if (end === start && !removed && closed === stream.publishedClosed) return
  const event: TailEvent = { start, end, closed, removed, frames: new Map() }
  for (const listener of [...stream.listeners]) listener.onTail(event)
}

function collectEvents(
  stream: StreamState,
  what: { fresh: boolean; grown: boolean; removed: boolean },
  incarnation: number,
  events: StreamEvent[],
): void {
  if (stream.path.startsWith(hiddenPrefix)) return // an import under way; installing it announces it anew
  const { path, id } = stream
  const tail = formatOffset({ incarnation, at: stream.committedTail })
  if (what.fresh) events.push({ kind: 'created', path, id, tail: formatOffset({ incarnation, at: stream.start }) })
  if (what.grown) events.push({ kind: 'appended', path, id, tail })
  if (what.removed) events.push({ kind: 'deleted', path, id, tail })
}

/** Resolves when something happens at the tail, the deadline passes, or the client goes. */
function nextEvent(stream: StreamState, deadline: Promise<void>, gone: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      stream.listeners.delete(listener)
      gone.removeEventListener('abort', done)
      resolve()
    }
    const listener: TailListener = { onTail: done }
    stream.listeners.add(listener)
    gone.addEventListener('abort', done, { once: true })
    void deadline.then(done)
  })
}

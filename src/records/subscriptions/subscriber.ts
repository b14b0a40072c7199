/** One subscription and its connection: gets events while it is quick enough, else reads them from the change log. What it may see is api-change.ts. */
import { EventSink } from '../../http/event-sink.ts'
import type { Principal } from '../../lib/principal.ts'
import type { Change, ChangePage } from '../changes/change-log.ts'
import type { EventTarget, Verdict } from './api-change.ts'
import { forbiddenFrame, horizonFrame, keepAliveFrame, lossFrame, pingFrame, snapshotEndFrame, snapshotFrame, type ChangeEvent } from './frames.ts'
import type { SubscriptionLimits } from './limits.ts'
import type { Turn } from './turn.ts'

/** What a subscriber needs of the feed of its API. */
export interface Source {
  /** Every subscriber that keeps up has been told of all changes up to here. */
  readonly position: number
  page(after: number): ChangePage
  /** What `subscriber` is to be told of `change`; a promise where the rule is slow. */
  judge(change: Change, subscriber: Subscriber): Verdict | Promise<Verdict>
  /** For work that takes long. */
  turn(): Turn
  /** Something was written to it that `flush` sends. */
  touched(subscriber: Subscriber): void
  /** Its connection is over. */
  ended(subscriber: Subscriber, how: 'finished' | 'abandoned'): void
  /** For the figures. */
  told(what: 'event' | 'loss'): void
  failed(error: unknown): void
}

/** Where it begins. */
export type SubscriberStart =
  | { readonly kind: 'now'; readonly position: number }
  | { readonly kind: 'since'; readonly position: number }
  /** The position that it named is not in the log; it goes on from this one. */
  | { readonly kind: 'lost'; readonly position: number }
  | { readonly kind: 'snapshot'; readonly position: number; readonly count: number; readonly records: Iterator<string> }

export interface SubscriberOptions {
  readonly principal: Principal
  readonly target: EventTarget
  /** Frames carry lines `id:`. */
  readonly withIds: boolean
  readonly start: SubscriberStart
  readonly limits: SubscriptionLimits
  readonly nowMs: number
}

export class Subscriber {
  readonly principal: Principal
  target: EventTarget
  readonly #source: Source
  /** Without where it began: the records of a snapshot are not kept longer than they are needed. */
  readonly #options: Pick<SubscriberOptions, 'withIds' | 'limits'>
  readonly #sink: EventSink
  /** Frames that wait for room, with the next one to go. */
  #queue: Uint8Array[] = [pingFrame]
  #queued = 0
  #queuedBytes = 0
  /** The last number given to an event. */
  #seq = 0
  /** Gets events as they come; those up to `#at` are not for it. Otherwise it has read the log up to `#at`. */
  #isLive: boolean
  #at: number
  #isReading = false
  /** Nothing follows what waits. */
  #isEnding = false
  #snapshot: (SubscriberStart & { readonly kind: 'snapshot' }) | null
  /** It named the position itself, and nothing was said to that yet. */
  #isResuming: boolean

  constructor(source: Source, options: SubscriberOptions) {
    this.#source = source
    const { start, nowMs, withIds, limits } = options
    this.#options = { withIds, limits }
    this.principal = options.principal
    this.target = options.target
    this.#isLive = start.kind === 'now' || start.kind === 'lost'
    if (start.kind === 'lost') this.#enqueue(horizonFrame(++this.#seq, start.position, withIds))
    this.#isResuming = start.kind === 'since'
    this.#snapshot = start.kind === 'snapshot' ? start : null
    this.#at = start.position
    this.#sink = new EventSink({
      nowMs,
      drained: () => this.#drained(),
      ended: how => this.#source.ended(this, how),
      keepAlive: () => keepAliveFrame(this.#position, withIds && this.#snapshot === null),
    })
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#sink.body
  }

  get isLive(): boolean {
    return this.#isLive
  }

  /** An event of `change` for it. */
  offer(change: Change, event: ChangeEvent): void {
    if (!this.#takes(change)) return
    if (this.#push(change, event.frame(this.#seq + 1, this.#options.withIds))) this.#source.told('event')
  }

  /** Changes before `change` may be missing. */
  lose(change: Change): void {
    if (this.#takes(change) && this.#push(change, this.#loss(change.seq))) this.#source.told('loss')
  }

  /** It may not see its record any more. */
  deny(change: Change): void {
    if (!this.#takes(change)) return
    if (this.#push(change, forbiddenFrame(this.#seq + 1))) this.#end()
  }

  /** It goes on from before `change` by reading the log. */
  fallBehind(before: number): void {
    if (!this.#isLive || this.#isEnding || this.#at > before) return
    this.#isLive = false
    this.#at = before
    setImmediate(() => this.#drained())
  }

  /** It may see nothing any more: the API or its right to it is gone. */
  expel(): void {
    if (this.#isEnding) return
    this.#isLive = false
    this.#enqueue(forbiddenFrame(++this.#seq))
    this.#end()
  }

  /** Sends the events of the last changes, in one piece. */
  flush(): void {
    this.#sink.flush()
  }

  /** Ends it behind what was sent; it can resume. */
  close(): void {
    this.#sink.close()
  }

  tick(nowMs: number): void {
    this.#sink.tick(nowMs, this.#options.limits)
  }

  get #position(): number {
    return this.#isLive ? Math.max(this.#at, this.#source.position) : this.#at
  }

  #takes({ seq }: Change): boolean {
    return this.#isLive && !this.#isEnding && seq > this.#at
  }

  /** Sends or keeps a frame of `change`; when too much waits it is dropped, and the log is read from there later. */
  #push({ seq }: Change, frame: Uint8Array): boolean {
    const { queuedEventsMax, queuedBytesMax } = this.#options.limits
    const waiting = this.#queue.length - this.#queued
    if (waiting > 0 && (waiting >= queuedEventsMax || this.#queuedBytes + frame.byteLength > queuedBytesMax)) {
      this.#isLive = false
      this.#at = seq - 1
      return false
    }
    this.#seq++
    if (waiting > 0 || !this.#sink.roomy) this.#enqueue(frame)
    else {
      this.#sink.write(frame)
      this.#source.touched(this)
    }
    return true
  }

  #enqueue(frame: Uint8Array): void {
    this.#queue.push(frame)
    this.#queuedBytes += frame.byteLength
  }

  #end(): void {
    this.#isEnding = true
    this.#drained()
  }

  /** Sends what waits; then what it has to read. */
  #drained(): void {
    const isRoomy = this.#sendQueue() && (this.#snapshot === null || this.#isEnding || this.#sendSnapshot(this.#snapshot))
    this.#sink.flush()
    if (!isRoomy) return
    if (this.#isEnding) this.#sink.close()
    else if (!this.#isLive && !this.#isReading) void this.#catchUp()
  }

  /** True when nothing waits. */
  #sendQueue(): boolean {
    while (this.#queued < this.#queue.length && this.#sink.roomy) {
      const frame = this.#queue[this.#queued++]
      if (frame !== undefined) this.#sink.write(frame)
    }
    if (this.#queued < this.#queue.length) return false
    this.#queue = []
    this.#queued = 0
    this.#queuedBytes = 0
    return this.#sink.roomy
  }

  /** True when all of it is sent. */
  #sendSnapshot(snapshot: SubscriberStart & { readonly kind: 'snapshot' }): boolean {
    while (this.#sink.roomy) {
      const next = snapshot.records.next()
      if (next.done === true) {
        this.#snapshot = null
        this.#sink.write(snapshotEndFrame(snapshot.count, ++this.#seq, this.#at, this.#options.withIds))
        return this.#sink.roomy
      }
      this.#sink.write(snapshotFrame(next.value, ++this.#seq))
    }
    return false
  }

  /** Reads the log until it has all, or the socket takes no more. */
  async #catchUp(): Promise<void> {
    this.#isReading = true
    try {
      while (this.#sink.roomy && !this.#isEnding && !this.#isLive) {
        if (this.#at >= this.#source.position) this.#isLive = true
        else await this.#readPage()
        this.#sink.flush()
      }
    } catch (error) {
      this.#source.failed(error)
      this.close()
    } finally {
      this.#isReading = false
    }
    if (this.#isEnding) this.#drained()
  }

  async #readPage(): Promise<void> {
    const page = this.#source.page(this.#at)
    if (page.kind === 'lost') return this.#skipTo(page.horizon)
    const end = this.#source.position
    if (page.changes.length === 0) this.#at = end
    const turn = this.#source.turn()
    for (const change of page.changes) {
      if (change.seq > end || !this.#sink.roomy || this.#isEnding) return
      const judged = this.#source.judge(change, this)
      this.#tell(change, judged instanceof Promise ? await judged : judged)
      this.#at = change.seq
      this.#isResuming = false
      const others = turn.next()
      if (others !== undefined) await others
    }
    await new Promise(resolve => setImmediate(resolve)) // it is the turn of others
  }

  /** What stood behind the position is gone. */
  #skipTo(horizon: number): void {
    const seq = ++this.#seq
    this.#sink.write(this.#isResuming ? horizonFrame(seq, horizon, this.#options.withIds) : lossFrame(seq, horizon, this.#options.withIds))
    this.#source.told('loss')
    this.#isResuming = false
    this.#at = horizon
  }

  /** While it reads there is room. */
  #tell(change: Change, verdict: Verdict): void {
    if (verdict === 'skip' || this.#isEnding) return
    if (verdict === 'denied') {
      this.#enqueue(forbiddenFrame(++this.#seq))
      this.#isEnding = true
      return
    }
    const isLost = verdict === 'unknown'
    this.#sink.write(isLost ? this.#loss(change.seq) : verdict.frame(this.#seq + 1, this.#options.withIds))
    this.#seq++
    this.#source.told(isLost ? 'loss' : 'event')
  }

  #loss(position: number): Uint8Array {
    return lossFrame(this.#seq + 1, position, this.#options.withIds)
  }
}

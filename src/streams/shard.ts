/** One shard's line of writes: gathers what is decided while a commit syncs, commits it as one group, then lets its effects out. */
import { assert } from '../lib/assert.ts'
import { fail, Refusal } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Histogram } from '../lib/metrics.ts'
import { ResidentBlock } from './resident.ts'
import { GroupEncoder } from './store/group.ts'
import { StoreFull, type ShardStore } from './store/store.ts'
import type { StreamState } from './stream.ts'

/** A decided operation on its way to the disk. */
export interface Operation {
  readonly stream: StreamState | null
  /** Writes the operation's records; returns where in the group the bytes of its append begin. */
  encode(encoder: GroupEncoder): number
  /** Where the bytes that the operation adds to the stream begin and end there; equal when it adds none. */
  readonly start: number
  readonly end: number
  /** Makes what was decided visible; called after the commit, in order. */
  commit(): void
  /** Takes back what was decided; called in reverse order when the group could not be stored. */
  undo(): void
}

export interface ShardLimits {
  /** Operations that may wait for a commit. */
  readonly queuedOperationsMax: number
  /** Bytes that may wait for a commit; the next group takes them all. */
  readonly queuedBytesMax: number
  /** Bytes that are committed and still only in memory. */
  readonly residentBytesMax: number
}

export interface ShardMetrics {
  readonly commitSeconds: Histogram
  readonly batchSize: Histogram
}

interface Waiting {
  readonly operation: Operation | null
  /** The bytes of the operation, from when its group is sealed on. */
  readonly resident: ResidentBlock | null
  readonly resolve: (result: unknown) => void
  readonly result: unknown
  readonly reject: (error: unknown) => void
}

export class Shard {
  readonly store: ShardStore
  readonly #limits: ShardLimits
  readonly #clock: Clock
  readonly #metrics: ShardMetrics
  readonly #publish: (streams: Iterable<StreamState>) => void
  readonly #encoder = new GroupEncoder()
  #waiting: Waiting[] = []
  #inFlight: Waiting[] = []
  #busy = false
  #scheduled = false
  #group: number
  #residentBytes = 0
  /** All groups up to this one are in the tables. */
  appliedGroup: number
  /** Streams whose bytes each committed, unapplied group holds. */
  readonly #unapplied: { group: number; streams: StreamState[] }[] = []
  onIdleStream: (stream: StreamState) => void = () => {}

  constructor(
    store: ShardStore,
    limits: ShardLimits,
    clock: Clock,
    metrics: ShardMetrics,
    publish: (streams: Iterable<StreamState>) => void,
    /** False in memory mode: what is committed stays resident. */
    readonly applies: boolean,
  ) {
    this.store = store
    this.#limits = limits
    this.#clock = clock
    this.#metrics = metrics
    this.#publish = publish
    this.#group = store.lastGroup + 1
    this.appliedGroup = store.lastGroup
    store.onApplied = group => this.#applied(group)
  }

  get queued(): number {
    return this.#waiting.length + this.#inFlight.length
  }

  get residentBytes(): number {
    return this.#residentBytes
  }

  /** Refuses when the line is full: overloaded (503). Call before anything is decided. */
  admit(bytes: number): void {
    if (this.#waiting.length >= this.#limits.queuedOperationsMax) fail('overloaded', { detail: 'too many writes wait' })
    if (this.#encoder.byteLength + bytes > this.#limits.queuedBytesMax && this.#waiting.length > 0) {
      fail('overloaded', { detail: 'too many bytes wait' })
    }
    if (this.applies && this.#residentBytes > this.#limits.residentBytesMax) {
      fail('overloaded', { detail: 'the disk does not keep up' })
    }
  }

  /** Queues a decided operation; resolves to `result` when it is durable and visible. */
  enqueue<Result>(operation: Operation, result: Result): Promise<Result> {
    const { stream, start, end } = operation
    const at = operation.encode(this.#encoder)
    let resident: ResidentBlock | null = null
    if (stream !== null) {
      stream.pending++
      if (end > start) {
        resident = new ResidentBlock(start, end, at, this.#group)
        stream.resident.push(resident)
      }
    }
    return this.#wait(operation, resident, result)
  }

  /** Resolves when everything that was decided so far is durable. */
  settled(): Promise<void> {
    return this.#wait(null, null, undefined)
  }

  #wait<Result>(operation: Operation | null, resident: ResidentBlock | null, result: Result): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      // One promise per operation and no step between: the result is known when the operation is decided.
      this.#waiting.push({ operation, resident, result, resolve: resolve as (result: unknown) => void, reject })
      if (!this.#busy && !this.#scheduled) this.#schedule()
    })
  }

  /** `setImmediate` collects everything that arrives in this turn of the event loop; a microtask would not. */
  #schedule(): void {
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#busy && this.#waiting.length > 0) this.#flush()
    })
  }

  #flush(): void {
    this.#inFlight = this.#waiting
    this.#waiting = []
    if (this.#encoder.records === 0) return this.#finish()
    this.#busy = true
    const number = this.#group++
    const started = this.#clock.monotonic()
    this.#metrics.batchSize.observe(this.#inFlight.length)
    const group = this.#encoder.seal(number)
    // A store that applies keeps blocks resident for a moment only: they share the group's memory meanwhile.
    for (const { resident } of this.#inFlight) resident?.attach(this.applies ? group : group.slice(resident.at, resident.at + resident.end - resident.start))
    this.store.commit(number, group).then(
      () => {
        this.#metrics.commitSeconds.observe((this.#clock.monotonic() - started) / 1000)
        this.#committed(number)
      },
      (error: unknown) => this.#failed(number, error),
    )
  }

  #committed(number: number): void {
    const touched = new Set<StreamState>()
    for (const { operation } of this.#inFlight) {
      if (operation === null) continue
      operation.commit()
      const { stream } = operation
      if (stream === null) continue
      stream.pending--
      stream.lastGroup = number
      touched.add(stream)
      if (this.applies) this.#residentBytes += operation.end - operation.start
    }
    if (this.applies) this.#unapplied.push({ group: number, streams: [...touched] })
    else for (const stream of touched) stream.resident.join(stream.committedTail)
    this.#publish(touched)
    this.#finish()
    if (this.appliedGroup >= number) this.#dropApplied()
  }

  #finish(): void {
    const done = this.#inFlight
    this.#inFlight = []
    this.#busy = false
    for (const waiting of done) waiting.resolve(waiting.result)
    if (this.#waiting.length > 0) this.#flush()
  }

  /**
   * Nothing of the group is stored, so nothing that was decided since can stand: it may build on it. A full disk is the
   * only failure that comes here; all others end the process.
   */
  #failed(number: number, error: unknown): void {
    this.#group = number
    const lost = [...this.#inFlight, ...this.#waiting]
    this.#inFlight = []
    this.#waiting = []
    this.#encoder.clear()
    this.#busy = false
    for (const { operation } of lost.toReversed()) {
      if (operation === null) continue
      operation.undo()
      const { stream, start, end } = operation
      if (stream === null) continue
      stream.pending--
      if (end > start) stream.resident.truncate(start)
    }
    const refusal = error instanceof StoreFull ? new Refusal('insufficient_storage', { detail: 'the disk is full' }) : error
    for (const waiting of lost) waiting.reject(refusal)
  }

  #applied(group: number): void {
    this.appliedGroup = group
    this.#dropApplied()
  }

  /** A group may be applied before the turn in which its commit is taken note of: only groups that were are dropped. */
  #dropApplied(): void {
    for (;;) {
      const first = this.#unapplied[0]
      if (first === undefined || first.group > this.appliedGroup) break
      this.#unapplied.shift()
      for (const stream of first.streams) {
        this.#residentBytes -= stream.resident.dropApplied(first.group)
        if (stream.lastGroup <= this.appliedGroup) this.onIdleStream(stream)
      }
    }
    assert(this.#residentBytes >= 0, 'resident bytes are never negative')
  }
}

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
  /** Bytes of one operation: what one body may hold, framed. */
  readonly operationBytesMax: number
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

/** Operations that are committed together; all of them wait for one promise. */
class Gathering {
  readonly operations: Operation[] = []
  /** The bytes of the operations, from when the group is sealed on. */
  readonly residents: ResidentBlock[] = []
  readonly #gate = Promise.withResolvers<void>()

  get done(): Promise<void> {
    return this.#gate.promise
  }

  resolve(): void {
    this.#gate.resolve()
  }

  reject(error: unknown): void {
    this.#gate.promise.catch(() => {}) // somebody always waits, but not always for every group
    this.#gate.reject(error)
  }
}

export class Shard {
  readonly store: ShardStore
  readonly #limits: ShardLimits
  readonly #clock: Clock
  readonly #metrics: ShardMetrics
  readonly #publish: (streams: Iterable<StreamState>) => void
  readonly #encoder = new GroupEncoder()
  /** What gathers for the next commit; null when nothing does. */
  #waiting: Gathering | null = null
  #inFlight: Gathering | null = null
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
    return (this.#waiting?.operations.length ?? 0) + (this.#inFlight?.operations.length ?? 0)
  }

  get residentBytes(): number {
    return this.#residentBytes
  }

  /** Refuses when the line is full: overloaded (503), or what no group could hold: body_too_large. Call before anything is decided. */
  admit(bytes: number): void {
    if (bytes > this.#limits.operationBytesMax) fail('body_too_large', { detail: `one record holds ${this.#limits.operationBytesMax} bytes at the most` })
    const waiting = this.#waiting?.operations.length ?? 0
    if (waiting >= this.#limits.queuedOperationsMax) fail('overloaded', { detail: 'too many writes wait' })
    if (this.#encoder.byteLength + bytes > this.#limits.queuedBytesMax && waiting > 0) {
      fail('overloaded', { detail: 'too many bytes wait' })
    }
    if (this.applies && this.#residentBytes > this.#limits.residentBytesMax) {
      fail('overloaded', { detail: 'the disk does not keep up' })
    }
  }

  /** Queues a decided operation; resolves when it is durable and visible. Everything in its group has the same promise. */
  enqueue(operation: Operation): Promise<void> {
    const { stream, start, end } = operation
    const at = operation.encode(this.#encoder)
    const waiting = (this.#waiting ??= new Gathering())
    waiting.operations.push(operation)
    if (stream !== null) {
      stream.pending++
      if (end > start) {
        const resident = new ResidentBlock(start, end, at, this.#group)
        stream.resident.push(resident)
        waiting.residents.push(resident)
      }
    }
    if (this.#inFlight === null && !this.#scheduled) this.#schedule()
    return waiting.done
  }

  /** Resolves when everything that was decided so far is durable. */
  async settled(): Promise<void> {
    await (this.#waiting ?? this.#inFlight)?.done
  }

  /** `setImmediate` collects everything that arrives in this turn of the event loop; a microtask would not. */
  #schedule(): void {
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#inFlight === null) this.#flush()
    })
  }

  #flush(): void {
    const gathered = this.#waiting
    if (gathered === null) return
    this.#waiting = null
    this.#inFlight = gathered
    const number = this.#group++
    const started = this.#clock.monotonic()
    this.#metrics.batchSize.observe(gathered.operations.length)
    const group = this.#encoder.seal(number)
    for (const resident of gathered.residents) {
      // A store that applies keeps blocks resident for a moment only: they share the group's memory meanwhile.
      resident.attach(this.applies ? group : group.slice(resident.at, resident.at + resident.end - resident.start))
    }
    this.store.commit(number, group).then(
      () => {
        this.#metrics.commitSeconds.observe((this.#clock.monotonic() - started) / 1000)
        this.#committed(number, gathered)
      },
      (error: unknown) => this.#failed(number, gathered, error),
    )
  }

  #committed(number: number, gathered: Gathering): void {
    const touched = new Set<StreamState>()
    for (const operation of gathered.operations) {
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
    this.#inFlight = null
    gathered.resolve()
    this.#flush()
    if (this.appliedGroup >= number) this.#dropApplied()
  }

  /**
   * Nothing of the group is stored, so nothing that was decided since can stand: it may build on it. A full disk is the
   * only failure that comes here; all others end the process.
   */
  #failed(number: number, gathered: Gathering, error: unknown): void {
    this.#group = number
    const since = this.#waiting
    this.#inFlight = null
    this.#waiting = null
    this.#encoder.clear()
    for (const operation of [...gathered.operations, ...(since?.operations ?? [])].toReversed()) {
      operation.undo()
      const { stream, start, end } = operation
      if (stream === null) continue
      stream.pending--
      if (end > start) stream.resident.truncate(start)
    }
    const refusal = error instanceof StoreFull ? new Refusal('insufficient_storage', { detail: 'the disk is full' }) : error
    gathered.reject(refusal)
    since?.reject(refusal)
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
        stream.producers.dropStored(this.appliedGroup, this.#group)
        if (stream.lastGroup <= this.appliedGroup) this.onIdleStream(stream)
      }
    }
    assert(this.#residentBytes >= 0, 'resident bytes are never negative')
  }
}

/** What operators do with whole streams: list, describe, take out, put in. Knows no HTTP and no file formats. */
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import { formatOffset } from './protocol/offset.ts'
import { hiddenPrefix, listStreams, visible } from './listing.ts'
import { Staging, type StagedFacts } from './staging.ts'
import type { Streams } from './streams.ts'
import type { ProducerState } from './store/store.ts'
import type { StreamState } from './stream.ts'

export interface StreamDescription {
  readonly path: string
  readonly id: number
  readonly contentType: string
  readonly closed: boolean
  readonly createdAtMs: number
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  /** Offset tokens of the first byte and of the tail. */
  readonly start: string
  readonly tail: string
  readonly bytes: number
  readonly forkedFrom: string | null
  readonly seq: string | null
  readonly producers: ProducerState[]
}

export class StreamOperator {
  readonly #streams: Streams
  readonly #clock: Clock
  readonly #ids: Ids

  constructor(streams: Streams, clock: Clock, ids: Ids) {
    this.#streams = streams
    this.#clock = clock
    this.#ids = ids
  }

  list(query: { readonly prefix: string; readonly after: string; readonly limit: number; readonly damaged?: 'refuse' }): readonly StreamDescription[] {
    const found: StreamDescription[] = []
    const now = this.#clock.now()
    for (const stream of listStreams(this.#streams.registry, query.prefix, query.after, query.damaged ?? 'skip')) {
      if (found.length === query.limit) break
      if (!stream.expired(now)) found.push(this.#describe(stream, []))
    }
    return found
  }

  info(path: string): StreamDescription | null {
    const stream = this.#streams.registry.find(path)
    if (stream === null || !visible(stream) || stream.expired(this.#clock.now())) return null
    const stored = this.#streams.registry.shardOfId(stream.id).store.producers(stream.id)
    const producers = new Map(stored.map(producer => [producer.id, producer]))
    for (const [id, progress] of stream.producers) producers.set(id, { id, epoch: progress.epoch, seq: progress.seq })
    return this.#describe(stream, [...producers.values()])
  }

  *records(path: string): Iterable<Uint8Array> {
    const stream = this.#streams.registry.find(path)
    if (stream === null || !visible(stream)) return
    for (let at = 0; at < stream.committedTail; ) {
      const record = this.#streams.pages.recordAt(stream, at)
      yield record.bytes
      at = record.end
    }
  }

  stage(facts: StagedFacts): Promise<Staging> {
    const { registry, engine } = this.#streams
    return Staging.begin({ registry, engine, clock: this.#clock, ids: this.#ids }, facts)
  }

  /** Removes what imports left behind that a crash cut off. */
  async discardStaged(): Promise<void> {
    const { registry, engine } = this.#streams
    for (const shard of registry.shards) {
      for (const row of shard.store.list(hiddenPrefix, '', 1000, row => registry.damaged.found(row.id, row.path))) {
        if (registry.known(row.id) === null) await engine.discard(row.id)
      }
    }
  }

  #describe(stream: StreamState, producers: ProducerState[]): StreamDescription {
    const { incarnation } = this.#streams
    return {
      path: stream.path,
      id: stream.id,
      contentType: stream.contentType,
      closed: stream.committedClosed,
      createdAtMs: stream.createdAtMs,
      ttlSecs: stream.ttlSecs,
      expiresAtMs: stream.expiresAtMs,
      start: formatOffset({ incarnation, at: 0 }),
      tail: formatOffset({ incarnation, at: stream.committedTail }),
      bytes: stream.committedTail,
      forkedFrom: stream.fork?.from ?? null,
      seq: stream.seq,
      producers,
    }
  }
}

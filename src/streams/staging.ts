/** Streams that are built out of sight and then take a name at once: what an import needs. */
import { fail } from '../lib/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { Engine } from './engine.ts'
import { hiddenPrefix } from './listing.ts'
import { purgeOperation, stageAppendOperation, createOperation, installOperation } from './operations.ts'
import type { Registry } from './registry.ts'
import type { Shard } from './shard.ts'
import type { ProducerState } from './store/store.ts'
import { StreamState } from './stream.ts'

/** What is known of a stream before its bytes come. */
export interface StagedFacts {
  readonly path: string
  readonly contentType: string
  readonly closed: boolean
  readonly createdAtMs: number
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  readonly seq: string | null
  readonly producers: readonly ProducerState[]
}

export interface StagingParts {
  readonly registry: Registry
  readonly engine: Engine
  readonly clock: Clock
  readonly ids: Ids
}

export class Staging {
  readonly #parts: StagingParts
  readonly #facts: StagedFacts
  readonly #stream: StreamState
  readonly #shard: Shard

  private constructor(parts: StagingParts, facts: StagedFacts, stream: StreamState) {
    this.#parts = parts
    this.#facts = facts
    this.#stream = stream
    this.#shard = parts.registry.shardOfId(stream.id)
  }

  static async begin(parts: StagingParts, facts: StagedFacts): Promise<Staging> {
    const { registry, clock } = parts
    // The shard of a stream follows from its name, so the hidden name is only a prefix of the real one's shard.
    const created = {
      id: registry.newId(facts.path),
      path: `${hiddenPrefix}${parts.ids.random()}`,
      contentType: facts.contentType,
      createdAtMs: facts.createdAtMs,
      ttlSecs: facts.ttlSecs,
      expiresAtMs: facts.expiresAtMs,
      closed: false,
      start: 0,
      fork: null,
    }
    const row = { ...created, tail: 0, hidden: false, touchedAtMs: clock.now(), seq: null, closedBy: null }
    const stream = new StreamState(row, false)
    stream.staged = true
    const shard = registry.shardOfId(stream.id)
    await shard.enqueue(createOperation(registry, stream, created, new Uint8Array(0), null))
    return new Staging(parts, facts, stream)
  }

  /** Adds records at the end. Refuses overloaded, stream_too_large, insufficient_storage; records before the refused one are kept. */
  async append(records: readonly Uint8Array[]): Promise<void> {
    const nowMs = this.#parts.clock.now()
    const written: Promise<void>[] = []
    try {
      for (const bytes of records) {
        this.#shard.admit(bytes.byteLength)
        this.#parts.engine.take(this.#stream, bytes.byteLength)
        written.push(this.#shard.enqueue(stageAppendOperation(this.#stream, bytes, nowMs)))
      }
    } finally {
      await Promise.all(written)
    }
  }

  /** Takes the name; what had it before goes in the same commit. Refuses `stream_exists` and, while forks need the old one, `path_blocked`. */
  async install(onConflict: 'fail' | 'skip' | 'replace'): Promise<'installed' | 'skipped'> {
    const { registry, engine, clock } = this.#parts
    const existing = registry.find(this.#facts.path)
    const present = existing !== null && existing.removal !== 'purged' ? existing : null
    const taken = present !== null && !present.expired(clock.now())
    if (taken && onConflict === 'skip') {
      await this.discard()
      return 'skipped'
    }
    if (taken && onConflict === 'fail') fail('stream_exists', { detail: this.#facts.path })
    if (present !== null && registry.forksOf(present.id) > 0) fail('path_blocked', { detail: this.#facts.path })
    const purged = present === null ? null : this.#shard.enqueue(purgeOperation(present, () => engine.purged(present)))
    const installed = this.#shard.enqueue(installOperation(registry, this.#stream, this.#facts, clock.now(), existing))
    await Promise.all([purged, installed])
    this.#stream.staged = false
    return 'installed'
  }

  async discard(): Promise<void> {
    if (this.#stream.removal !== 'none') return
    this.#stream.staged = false
    await this.#shard.enqueue(purgeOperation(this.#stream, () => this.#parts.engine.purged(this.#stream)))
  }
}

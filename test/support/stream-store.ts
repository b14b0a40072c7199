/** The stream service on a real store in a directory of its own, opened and opened again by tests. Speaks commands, not HTTP. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemIds } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { localAdmin } from '../../src/lib/principal.ts'
import { compileAccess } from '../../src/streams/access.ts'
import type { AppendResult, CreateResult, HeadResult, Page } from '../../src/streams/commands.ts'
import { parseAppend } from '../../src/streams/protocol/append.ts'
import { parseCreate } from '../../src/streams/protocol/create.ts'
import { parseRead } from '../../src/streams/protocol/read.ts'
import { StreamOperator } from '../../src/streams/stream-admin.ts'
import { openStore, type OpenStore } from '../../src/streams/store/open.ts'
import { StoreFull, type ShardStore, type StorageMode } from '../../src/streams/store/store.ts'
import { Streams } from '../../src/streams/streams.ts'
import { ManualClock } from './manual-clock.ts'
import { memoryLog, type Line } from './memory-log.ts'

export interface StoreKind {
  readonly mode: StorageMode
  readonly shards: number | null
}

/** Every form of the store that a test body runs on. */
export const storeKinds: readonly StoreKind[] = [
  { mode: 'memory', shards: null },
  { mode: 'file-fast', shards: null },
  { mode: 'file-durable', shards: null },
  { mode: 'acid', shards: 1 },
  { mode: 'acid', shards: 16 },
]

export function kindName({ mode, shards }: StoreKind): string {
  return shards === null ? mode : `${mode}, ${shards} shard${shards === 1 ? '' : 's'}`
}

export interface StoreWorldOptions {
  readonly streamBytesMax?: number
  readonly memoryBytesMax?: number
  readonly pageBytes?: number
  readonly queuedOperationsMax?: number
  readonly queuedBytesMax?: number
  readonly clock?: ManualClock
  /** Disposing empties the store instead of closing it; `end` closes it. */
  readonly kept?: boolean
}

export type Fields = Readonly<Record<string, string>>

const root = '/v1/stream/'
const rules = { root, names: { nameBytesMax: 1024, nameSegmentsMax: 8 } }

export class StoreWorld implements AsyncDisposable {
  readonly clock: ManualClock
  readonly directory = mkdtempSync(join(tmpdir(), 'headwater-store-'))
  /** What the store said when it gave up; a test that did not break it expects none. */
  readonly fenced: string[] = []
  /** What the streams logged. */
  readonly logged: Line[] = []
  metrics = new Metrics()
  /** While true no group finds room, as on a full disk. */
  full = false
  /** The same for single shards, by their number. */
  readonly fullShards = new Set<number>()
  #open: { store: OpenStore; streams: Streams; operator: StreamOperator } | null = null

  private constructor(
    readonly kind: StoreKind,
    readonly options: StoreWorldOptions,
  ) {
    this.clock = options.clock ?? new ManualClock()
  }

  static async open(kind: StoreKind, options: StoreWorldOptions = {}): Promise<StoreWorld> {
    const world = new StoreWorld(kind, options)
    await world.reopen()
    return world
  }

  get durable(): boolean {
    return this.kind.mode !== 'memory'
  }

  get streams(): Streams {
    return this.#parts.streams
  }

  get operator(): StreamOperator {
    return this.#parts.operator
  }

  get store(): OpenStore {
    return this.#parts.store
  }

  /** Closes the store and opens it again as another process would. */
  async reopen(): Promise<void> {
    await this.close()
    const { mode, shards } = this.kind
    const store = await openStore(
      { mode, dataDirectory: this.directory, acidShards: shards },
      { clock: this.clock, log: silentLog, fence: message => void this.fenced.push(message) },
    )
    const faulty = { ...store, shards: store.shards.map((shard, number) => this.#withFaults(shard, number)) }
    this.metrics = new Metrics()
    const streams = new Streams({
      store: faulty,
      access: compileAccess([]),
      settings: this.#settings(),
      clock: this.clock,
      ids: systemIds,
      log: memoryLog(this.logged),
      metrics: this.metrics,
    })
    this.#open = { store: faulty, streams, operator: new StreamOperator(streams, this.clock, systemIds) }
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = null
    await open?.streams.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.options.kept) await this.#empty()
    else await this.end()
  }

  /** True when no stream is left, so that another test may use the store. */
  get isEmpty(): boolean {
    return this.#open !== null && this.fenced.length === 0 && this.streams.registry.residentCount === 0
  }

  async end(): Promise<void> {
    await this.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async put(path: string, fields: Fields = {}, body: string | Uint8Array = ''): Promise<CreateResult> {
    return this.streams.create(localAdmin, parseCreate(path, new Headers(fields), bytesOf(body), rules))
  }

  async post(path: string, fields: Fields = {}, body: string | Uint8Array = ''): Promise<AppendResult> {
    return this.streams.append(localAdmin, parseAppend(path, new Headers(fields), bytesOf(body)))
  }

  async remove(path: string): Promise<void> {
    return this.streams.remove(localAdmin, path)
  }

  head(path: string): HeadResult {
    return this.streams.head(localAdmin, path)
  }

  get(path: string, offset = '-1'): Page {
    return this.streams.read(localAdmin, parseRead(path, new URLSearchParams({ offset }), new Headers()))
  }

  /** The whole stream, page by page, as text. */
  text(path: string): string {
    let text = ''
    for (let offset = '-1'; ; ) {
      const page = this.get(path, offset)
      text += Buffer.from(page.body).toString()
      if (page.upToDate) return text
      offset = offsetOf(page.end)
    }
  }

  /** Resolves when no write waits or follows from one. */
  async settled(): Promise<void> {
    const { shards } = this.streams.registry
    do for (const shard of shards) await shard.settled().catch(() => {})
    while (shards.some(shard => shard.queued > 0))
  }

  /** Brings everything committed into the tables, so that reads come from there. */
  async drained(): Promise<void> {
    await this.settled()
    for (const shard of this.store.shards) await shard.drain()
  }

  /** Removes every stream; what is expired goes with the sweeper. A store in which that fails is not empty. */
  async #empty(): Promise<void> {
    if (this.#open === null) return
    this.full = false
    for (const { path } of this.operator.list({ prefix: '', after: '', limit: 10_000 })) await this.remove(path)
    this.streams.start()
    for (let rounds = 0; rounds < 2; rounds++) {
      this.clock.advance(1000)
      await this.settled()
    }
    await this.drained()
  }

  get #parts(): { store: OpenStore; streams: Streams; operator: StreamOperator } {
    if (this.#open === null) throw new Error('the store is open')
    return this.#open
  }

  #settings() {
    const { streamBytesMax = 0, memoryBytesMax = 1 << 26, pageBytes = 1 << 16, queuedOperationsMax = 10_000, queuedBytesMax = 1 << 24 } = this.options
    return {
      streamBytesMax,
      memoryBytesMax,
      pageBytes,
      pageCacheBytesMax: 1 << 20,
      shard: { operationBytesMax: 1 << 20, queuedOperationsMax, queuedBytesMax, residentBytesMax: 1 << 26 },
      live: { readersMax: 100, longPollMsMax: 1000, sseCycleMs: 0, keepAliveMs: 15_000, stalledMsMax: 30_000 },
    }
  }

  #withFaults(shard: ShardStore, number: number): ShardStore {
    return new Proxy(shard, {
      get: (target, key) => {
        if (key === 'commit' && (this.full || this.fullShards.has(number))) return () => Promise.reject(new StoreFull('no room, for a test'))
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    })
  }
}

/** The token of a position in a store that was never restored. */
export function offsetOf(at: number): string {
  return `0000000000000000_${String(at).padStart(16, '0')}`
}

/** The code that `act` is refused with, or what it gave when it was not. */
export async function refusalOf(act: () => unknown): Promise<unknown> {
  try {
    return { notRefused: await act() }
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error ? error.code : error
  }
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body
}

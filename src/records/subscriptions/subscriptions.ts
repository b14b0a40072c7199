/** All subscriptions of a server: who may begin one, how many there are, and when they end. Changes come from database-feed.ts. */
import type { Clock } from '../../lib/clock.ts'
import { fail } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { Metrics } from '../../lib/metrics.ts'
import { expiryOf, revocationOf, type Principal } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { checkAcl } from '../access.ts'
import { ChangeLog, type ReadNow } from '../changes/change-log.ts'
import type { ReadRows } from '../list.ts'
import type { RecordApi, RecordCatalog } from '../record-api.ts'
import { parseRecordId } from '../record-id.ts'
import { refusedRead } from '../refused-read.ts'
import { recordKey } from './api-change.ts'
import { ApiFeed, type ApiFeedParts } from './api-feed.ts'
import { DatabaseFeed } from './database-feed.ts'
import { defaultSubscriptionLimits, tickMs, type SubscriptionLimits } from './limits.ts'
import { snapshotOf, snapshotStatements } from './snapshot.ts'
import type { SubscribeCommand } from './subscribe-request.ts'
import { Subscriber, type SubscriberStart } from './subscriber.ts'
import { Turn } from './turn.ts'
import { subscriptionMetrics, type SubscriptionMetrics } from './subscription-metrics.ts'

export interface SubscriptionParts {
  readonly clock: Clock
  readonly log: Log
  readonly readNow: ReadNow
  readonly read: ReadRows
  /** The API of this name as it is now. */
  readonly current: (name: string) => RecordApi | undefined
  /** Refuses when `principal` may not read the record, or there is none. */
  readonly checkRecord: (api: RecordApi, principal: Principal, id: string) => void | Promise<void>
  readonly limits?: Partial<SubscriptionLimits>
  readonly metrics?: Metrics
}

/** A subscription as it is asked for. */
export interface SubscribeRequest {
  readonly api: RecordApi
  readonly principal: Principal
  readonly command: SubscribeCommand
  /** The connection is over. `abandoned`: its client takes nothing, and only the idle limit of the socket ends that. */
  readonly ended: (how: 'finished' | 'abandoned') => void
}

/** Counted since the start. */
export interface SubscriptionFigures {
  events: number
  losses: number
}

interface Open {
  readonly endsAtMs: number
  readonly isRevoked: (() => boolean) | null
  readonly ended: SubscribeRequest['ended']
}

export class Subscriptions {
  readonly figures: SubscriptionFigures = { events: 0, losses: 0 }
  readonly #parts: SubscriptionParts
  readonly #limits: SubscriptionLimits
  readonly #metrics: SubscriptionMetrics
  readonly #feeds = new Map<string, DatabaseFeed>()
  readonly #open = new Map<Subscriber, Open>()
  #stopTicks: (() => void) | null = null
  #isStopped = false

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
    this.#limits = { ...defaultSubscriptionLimits, ...parts.limits }
    this.#metrics = subscriptionMetrics(parts.metrics ?? new Metrics(), this)
  }

  get count(): number {
    return this.#open.size
  }

  /** Subscribers that read the log, because they resume or were too slow. */
  get behind(): number {
    let behind = 0
    for (const subscriber of this.#open.keys()) if (!subscriber.isLive) behind++
    return behind
  }

  /** A commit wrote into `database`. */
  committed(database: string): void {
    this.#feeds.get(database)?.wake()
  }

  /** Another catalog: every subscription is looked at anew. */
  replace(catalog: RecordCatalog): void {
    for (const [database, feed] of this.#feeds) {
      for (const [name, apiFeed] of [...feed.apis]) {
        const api = catalog.apis.get(name)
        const isSame = api !== undefined && api.enableSubscriptions && api.relation.database === database && api.relation.name === apiFeed.api.relation.name
        if (isSame) apiFeed.replace(api)
        else {
          feed.apis.delete(name)
          apiFeed.expelAll()
        }
      }
    }
  }

  /**
   * Begins a subscription; its body is the event stream. Refuses `forbidden`, `record_not_found`, `invalid_record_id`, `invalid_query`,
   * `query_too_costly` (a snapshot), `overloaded` and `shutting_down`.
   */
  subscribe(request: SubscribeRequest): ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>> {
    const { api, principal, command } = request
    if (!api.enableSubscriptions) fail('forbidden', {})
    checkAcl(api, 'read', principal)
    this.#admit()
    const key = command.id === null ? null : parseRecordId(api, command.id)
    // A record that was there at the position may be gone since; that is what the subscriber wants to hear.
    const checked = command.id === null || command.from.kind === 'since' ? undefined : this.#parts.checkRecord(api, principal, command.id)
    if (checked instanceof Promise || command.from.kind === 'snapshot') return this.#beginLater(request, key, checked)
    return this.#begin(request, key, this.#startOf(api, command.from))
  }

  /** Ends all between two events; their clients come back with the position they have. */
  stop(): void {
    this.#isStopped = true
    for (const subscriber of [...this.#open.keys()]) subscriber.close()
  }

  #admit(): void {
    if (this.#isStopped) fail('shutting_down', {})
    if (this.#open.size >= this.#limits.subscriptionsMax) fail('overloaded', { detail: 'too many subscriptions' })
  }

  async #beginLater(request: SubscribeRequest, key: readonly SqlValue[] | null, checked: void | Promise<void>): Promise<ReadableStream<Uint8Array>> {
    await checked
    const { api, principal, command } = request
    if (command.from.kind !== 'snapshot') return this.#begin(request, key, this.#startOf(api, command.from))
    const recordsMax = this.#limits.snapshotRecordsMax
    const statements = snapshotStatements(api, { principal, key, filter: command.filter, recordsMax })
    const read = this.#read(api.relation.database, statements, { valueCharsMax: this.#limits.snapshotCharsMax })
    const rows = await read.catch((error: unknown) => refusedRead(error, api, principal, { match: null, filter: command.filter }))
    return this.#begin(request, key, { kind: 'snapshot', ...snapshotOf(api, rows, recordsMax) })
  }

  #startOf(api: RecordApi, from: Exclude<SubscribeCommand['from'], { kind: 'snapshot' }>): SubscriberStart {
    const head = this.#feed(api.relation.database).log.head()
    if (from.kind === 'now') return { kind: 'now', position: head }
    return from.position > head ? { kind: 'lost', position: head } : { kind: 'since', position: from.position }
  }

  /** Asks once more for room and for the API: both may have changed while the request waited. */
  #begin({ api, principal, command, ended }: SubscribeRequest, key: readonly SqlValue[] | null, start: SubscriberStart): ReadableStream<Uint8Array> {
    this.#admit()
    if (this.#parts.current(api.name) !== api) fail('overloaded', { detail: 'the record API has just changed' })
    const feed = this.#feed(api.relation.database)
    const apiFeed = this.#apiFeed(feed, api)
    const wanted = { recordKey: key === null ? null : recordKey(api, key), filter: command.filter }
    const target = apiFeed.target(wanted)
    feed.begin(feed.log.head())
    const nowMs = this.#parts.clock.now()
    const subscriber = new Subscriber(apiFeed, { principal, target, withIds: command.withIds, start, limits: this.#limits, nowMs })
    apiFeed.add(subscriber, wanted)
    this.#open.set(subscriber, { endsAtMs: expiryOf(principal) ?? Infinity, isRevoked: revocationOf(principal), ended })
    this.#stopTicks ??= this.#parts.clock.every(tickMs, () => this.#tick())
    return subscriber.body
  }

  #feed(database: string): DatabaseFeed {
    let feed = this.#feeds.get(database)
    if (feed === undefined) {
      feed = new DatabaseFeed(new ChangeLog(database, this.#parts.readNow), {
        clock: this.#parts.clock,
        delivered: lagMs => this.#metrics.told(lagMs),
        failed: error => this.#failed(database, error),
      })
      this.#feeds.set(database, feed)
    }
    return feed
  }

  #apiFeed(feed: DatabaseFeed, api: RecordApi): ApiFeed {
    let apiFeed = feed.apis.get(api.name)
    if (apiFeed === undefined) feed.apis.set(api.name, (apiFeed = new ApiFeed(api, this.#partsOf(feed))))
    return apiFeed
  }

  #partsOf(feed: DatabaseFeed): ApiFeedParts {
    return {
      readNow: this.#parts.readNow,
      readAside: (database, statements) => this.#read(database, statements),
      position: () => feed.position,
      page: after => feed.log.page(after),
      touched: subscriber => feed.touch(subscriber),
      turn: () => new Turn(this.#parts.clock),
      told: what => this.#told(what),
      failed: error => this.#parts.log.error('a subscription failed', { error: String(error) }),
      ended: (subscriber, how) => this.#ended(subscriber, how),
    }
  }

  #told(what: 'event' | 'loss'): void {
    this.figures[what === 'event' ? 'events' : 'losses']++
    this.#metrics[what]()
  }

  async #read(database: string, statements: Parameters<ReadRows>[0]['statements'], bounds: { readonly valueCharsMax?: number } = {}): Promise<readonly (readonly SqlRow[])[]> {
    const answer = await this.#parts.read({ database, statements, deadlineMs: this.#limits.queryMsMax, finish: null, ...bounds })
    return 'rows' in answer ? answer.rows : []
  }

  /** The log cannot be read: all end, and can resume. */
  #failed(database: string, error: unknown): void {
    this.#parts.log.error('changes could not be told', { database, error: String(error) })
    for (const apiFeed of this.#feeds.get(database)?.apis.values() ?? []) for (const subscriber of [...apiFeed.subscribers]) subscriber.close()
  }

  #ended(subscriber: Subscriber, how: 'finished' | 'abandoned'): void {
    const open = this.#open.get(subscriber)
    this.#open.delete(subscriber)
    if (this.#open.size === 0) {
      this.#stopTicks?.()
      this.#stopTicks = null
    }
    open?.ended(how)
  }

  #tick(): void {
    const nowMs = this.#parts.clock.now()
    for (const [subscriber, { endsAtMs, isRevoked }] of this.#open) {
      if (nowMs >= endsAtMs || isRevoked?.() === true) subscriber.close()
      else subscriber.tick(nowMs)
    }
  }
}

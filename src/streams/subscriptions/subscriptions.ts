/** Subscriptions: the public face. Who may do what, in which order; steps in time are driver.ts, wire forms schema.ts and view.ts. */
import { createHash } from 'node:crypto'
import { backoffMs } from '../../lib/backoff.ts'
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import { Driver } from './driver.ts'
import type { ManageRequest, StreamEvent, SubscriptionHost, SubscriptionOptions } from './host.ts'
import { Keys } from './keys.ts'
import { checkAcks, requireCurrentWake } from './lease.ts'
import { retryBackoff, subscriptionsMax, tokenTtlMs } from './limits.ts'
import { Registry } from './registry.ts'
import type { SubscriptionConfig, WakeReport } from './schema.ts'
import type { PublicJwk } from './signing.ts'
import { linkDeletion, loadLinks, loadRecords, recordDeletion } from './store.ts'
import { Subscription } from './subscription.ts'
import { isRejection, pinTargets } from './target.ts'
import { signToken, verifyToken } from './token.ts'
import { listedLinks, subscriptionView, wakeStream, type WakeStream } from './view.ts'
import { extend, finish, idleState } from './wake.ts'
import type { DeliveryType, WakeState } from './wake.ts'

export type {
  AuthorizeManage,
  Fetch,
  ManageRequest,
  MetaChange,
  Resolve,
  StreamEvent,
  StreamSnapshot,
  SubscriptionHost,
  SubscriptionOptions,
} from './host.ts'

/** Who asks, and under which origin (`https://host`) the answer's URLs are formed. */
export interface Caller {
  readonly principal: Principal
  readonly origin: string
}

export interface Claimed {
  readonly wake_id: string
  readonly generation: number
  readonly token: string
  readonly streams: readonly WakeStream[]
  readonly lease_ttl_ms: number
}

export interface Reported {
  readonly ok: true
  readonly next_wake: boolean
}

type View = Record<string, unknown>

export class Subscriptions {
  readonly #host: SubscriptionHost
  readonly #options: SubscriptionOptions
  readonly #keys: Keys
  readonly #registry: Registry
  readonly #driver: Driver

  constructor(host: SubscriptionHost, options: SubscriptionOptions) {
    this.#host = host
    this.#options = options
    this.#keys = new Keys(host, options.clock, options.ids)
    this.#registry = new Registry(host, subscription => this.#driver.poke(subscription), this.#noRoom())
    this.#driver = new Driver({
      host,
      options,
      keys: this.#keys,
      acknowledge: (link, streamId, offset) => this.#registry.acknowledge(link, streamId, offset),
      callbackUrl: subscription => this.#controlUrl(this.#origin(subscription), `subscriptions/${encodeURIComponent(subscription.id)}/callback`),
    })
    this.#measure()
  }

  /**
   * Loads what is stored, compares every link with its stream, links streams that appeared unnoticed, and resumes leases and retries
   * where they stood. To be called once, before the first event. Throws an OperatorError when stored entries are damaged.
   */
  async start(): Promise<void> {
    await this.#keys.open()
    for (const record of loadRecords(this.#host)) {
      const { id, uid, config, config_hash, created_at_ms, base_url, state } = record
      this.#registry.add(new Subscription(id, uid, config, config_hash, created_at_ms, base_url, state))
    }
    for (const link of loadLinks(this.#host)) {
      const subscription = this.#registry.get(link.id)
      if (subscription !== undefined) this.#registry.restore(subscription, link)
    }
    // A stream that existed at the creation of a subscription was linked in the same step, so one without a link is younger.
    for (const stream of this.#host.streams()) this.#registry.discover(stream)
    for (const subscription of this.#registry.all()) this.#driver.poke(subscription)
  }

  /** Breaks off deliveries and stops the alarms. State stays as stored: the next start continues with it. */
  async stop(): Promise<void> {
    await this.#driver.stop(this.#registry.all())
  }

  /** To be called after COMMIT, in commit order per stream. Synchronous; costs one look-up for a stream that nobody follows. */
  onEvents(events: readonly StreamEvent[]): void {
    if (this.#registry.size === 0) return
    for (const event of events) this.#registry.onEvent(event)
  }

  jwks(): { readonly keys: readonly PublicJwk[] } {
    return this.#keys.jwks()
  }

  /** Signs with a new key from now on and publishes the old one for another hour. Returns the new `kid`. */
  async rotateSigningKey(): Promise<string> {
    return this.#keys.rotate()
  }

  /**
   * Creates `id`, or confirms it when it has the same configuration. Refuses `subscription_exists`, `webhook_url_rejected`, and
   * `insufficient_storage` beyond `subscriptionsMax` or the limits of links.
   */
  async create(id: string, config: SubscriptionConfig, caller: Caller): Promise<{ created: boolean; view: View }> {
    await this.#authorize(caller, { action: 'create', id, pattern: config.pattern, streams: config.streams, wakeStream: config.wakeStream })
    if (config.webhookUrl !== null) await this.#checkTarget(config.webhookUrl)
    const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex')
    return this.#driver.turns.request(id, async () => {
      const known = this.#registry.get(id)
      if (known !== undefined) await this.#confirm(known, hash, caller.origin)
      const subscription = known ?? (await this.#createNew(id, config, hash, caller.origin))
      return { created: known === undefined, view: this.#view(subscription, caller.origin) }
    })
  }

  /** Refuses `subscription_not_found`. */
  async get(id: string, caller: Caller): Promise<View> {
    await this.#authorizeKnown('read', id, [], caller)
    return this.#driver.turns.request(id, async () => this.#view(this.#known(id), caller.origin))
  }

  /** From here on its tokens are void, and nothing of it moves. Deleting what is not there is fine. */
  async delete(id: string, caller: Caller): Promise<void> {
    await this.#authorizeKnown('delete', id, [], caller)
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#registry.get(id)
      if (subscription === undefined) return
      const paths = new Set([...subscription.links.keys(), ...subscription.unsaved])
      await this.#host.save([recordDeletion(id), ...[...paths].map(path => linkDeletion(id, path))])
      this.#registry.remove(subscription)
      this.#driver.drop(subscription)
    })
  }

  /** Links `paths` at their current tails; those that are linked already stay where they are. Refuses `insufficient_storage`. */
  async addStreams(id: string, paths: readonly string[], caller: Caller): Promise<void> {
    await this.#authorizeKnown('link', id, paths, caller)
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#known(id)
      if (subscription.config.wakeStream !== null && paths.includes(subscription.config.wakeStream)) {
        fail('invalid_request', { detail: 'wake_stream cannot be one of streams: each wake would cause the next' })
      }
      const undo = this.#linkExplicit(subscription, paths)
      await this.#driver.save(subscription, subscription.state).catch((error: unknown) => {
        undo()
        throw error
      })
    })
  }

  /** Takes the explicit link away; a link by pattern stays when the stream exists and matches. */
  async removeStream(id: string, path: string, caller: Caller): Promise<void> {
    await this.#authorizeKnown('link', id, [path], caller)
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#known(id)
      const link = subscription.links.get(path)
      if (link === undefined || !link.explicit) return
      link.explicit = false
      subscription.unsaved.add(path)
      if (link.streamId === null || !subscription.matches(path)) this.#registry.unlink(link)
      await this.#driver.save(subscription, subscription.state)
      this.#driver.poke(subscription)
    })
  }

  /** Takes the wake of a pull-wake subscription. Refuses `already_claimed`, `no_pending_work`. */
  async claim(id: string, worker: string, caller: Caller): Promise<Claimed> {
    await this.#authorizeKnown('claim', id, [], caller)
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#known(id, 'pull-wake')
      await this.#driver.settleExpiry(subscription)
      const { phase, holder, generation } = subscription.state
      if (phase === 'leased') fail('already_claimed', { current_holder: holder ?? '', generation })
      this.#driver.poke(subscription)
      if (subscription.pending.size === 0) fail('no_pending_work', {})
      await this.#driver.claim(subscription, worker)
      return this.#claimed(subscription)
    })
  }

  /** Acks and heartbeat: of a webhook's worker (`callback`) or a pull worker (`ack`). Refuses `token_*`, `fenced`, `invalid_ack`. */
  async report(id: string, type: DeliveryType, authorization: string | null, report: WakeReport): Promise<Reported> {
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#authorized(id, type, authorization, report)
      // Positions in a stream that was deleted meanwhile say nothing about its successor (registry.ts, #fence).
      const acks = report.acks.filter(ack => !subscription.fenced.has(ack.path))
      const checked = checkAcks(acks, path => subscription.links.get(path), (a, b) => this.#host.compareOffsets(a, b))
      await this.#driver.save(subscription, this.#reported(subscription, report, checked.size > 0), checked)
      if (report.done) subscription.attempt = null
      this.#driver.poke(subscription)
      return { ok: true, next_wake: report.done && subscription.pending.size > 0 }
    })
  }

  /** Gives a claim back; what is left wakes again. Refuses `token_*`, `fenced`. */
  async release(id: string, authorization: string | null, report: WakeReport): Promise<void> {
    return this.#driver.turns.request(id, async () => {
      const subscription = this.#authorized(id, 'pull-wake', authorization, report)
      await this.#driver.save(subscription, finish(subscription.state, null))
      this.#driver.poke(subscription)
    })
  }

  async #confirm(subscription: Subscription, hash: string, origin: string): Promise<void> {
    if (subscription.configHash !== hash) fail('subscription_exists', {})
    // The server may have moved since: callbacks go where its clients reach it now.
    if (subscription.baseUrl !== origin) await this.#driver.save(subscription, subscription.state, undefined, origin)
  }

  async #createNew(id: string, config: SubscriptionConfig, hash: string, origin: string): Promise<Subscription> {
    if (this.#registry.size >= subscriptionsMax) fail('insufficient_storage', { detail: `A server holds at most ${subscriptionsMax} subscriptions` })
    const { clock, ids } = this.#options
    const subscription = new Subscription(id, ids.random(), config, hash, clock.now(), origin, idleState)
    // Indexed in the same tick as the streams are listed: each stream is in the list or its event finds the subscription.
    this.#registry.add(subscription)
    try {
      this.#linkExplicit(subscription, config.streams)
      for (const { path } of config.pattern === null ? [] : this.#host.streams()) {
        if (!subscription.links.has(path) && subscription.matches(path)) this.#registry.linkAtTail(subscription, path, false)
      }
      await this.#driver.save(subscription, subscription.state)
    } catch (error) {
      this.#registry.remove(subscription)
      throw error
    }
    return subscription
  }

  /** Returns what takes it back. */
  #linkExplicit(subscription: Subscription, paths: readonly string[]): () => void {
    const undo: (() => void)[] = []
    const undoAll = () => undo.forEach(step => step())
    try {
      for (const path of paths) {
        const link = subscription.links.get(path)
        if (link === undefined) {
          const added = this.#registry.linkAtTail(subscription, path, true)
          undo.push(() => this.#registry.unlink(added))
        } else if (!link.explicit) {
          link.explicit = true
          subscription.unsaved.add(path)
          undo.push(() => void (link.explicit = false))
        }
      }
    } catch (error) {
      undoAll()
      throw error
    }
    return undoAll
  }

  #authorized(id: string, type: DeliveryType, authorization: string | null, report: WakeReport): Subscription {
    const subscription = this.#known(id, type)
    const nowMs = this.#options.clock.now()
    const generation = verifyToken(this.#keys.tokenSecret, authorization, subscription.uid, nowMs)
    requireCurrentWake(subscription.state, generation, report, nowMs)
    return subscription
  }

  #reported(subscription: Subscription, report: WakeReport, progress: boolean): WakeState {
    const { clock, ids } = this.#options
    const { state, config } = subscription
    if (!report.done) return extend(state, clock.now(), config.leaseTtlMs)
    // A webhook that is done without having done anything would be called again at once, forever.
    const idleTurn = config.type === 'webhook' && !progress
    return finish(state, idleTurn ? clock.now() + backoffMs(0, retryBackoff, ids.jitter()) : null)
  }

  #claimed(subscription: Subscription): Claimed {
    const { state, config, uid } = subscription
    const expiresAtMs = this.#options.clock.now() + tokenTtlMs
    return {
      wake_id: state.wakeId ?? '',
      generation: state.generation,
      token: signToken(this.#keys.tokenSecret, { uid, generation: state.generation }, expiresAtMs),
      streams: listedLinks(subscription).map(wakeStream),
      lease_ttl_ms: config.leaseTtlMs,
    }
  }

  #known(id: string, type?: DeliveryType): Subscription {
    const subscription = this.#registry.get(id)
    if (subscription === undefined) fail('subscription_not_found', {})
    if (type !== undefined && subscription.config.type !== type) fail('invalid_request', { detail: `This is a ${subscription.config.type} subscription` })
    return subscription
  }

  /** Whoever manages a subscription may subscribe to all that it covers, not only to what the request names. */
  async #authorizeKnown(action: ManageRequest['action'], id: string, streams: readonly string[], caller: Caller): Promise<void> {
    const known = this.#registry.get(id)
    if (known === undefined) return this.#authorize(caller, { action, id, pattern: null, streams, wakeStream: null })
    const { pattern, wakeStream } = known.config
    const followed = [...known.links.values()].filter(link => link.explicit).map(link => link.path)
    await this.#authorize(caller, { action, id, pattern, streams: [...new Set([...streams, ...known.config.streams, ...followed])], wakeStream })
  }

  async #authorize(caller: Caller, request: ManageRequest): Promise<void> {
    await this.#options.authorize?.(caller.principal, request)
  }

  /** A name that cannot be resolved now may be resolved later; one with a forbidden address is refused at once. */
  async #checkTarget(url: string): Promise<void> {
    const { allowInsecureWebhooks, resolve, clock } = this.#options
    await pinTargets(url, allowInsecureWebhooks, resolve, { clock }).catch((error: unknown) => {
      if (isRejection(error)) throw error
    })
  }

  #view(subscription: Subscription, origin: string): View {
    return subscriptionView(subscription, { alg: 'ed25519', kid: this.#keys.kid, jwks_url: this.#controlUrl(origin, 'jwks.json') })
  }

  #origin(subscription: Subscription): string {
    return this.#options.publicUrl(null) ?? subscription.baseUrl
  }

  #controlUrl(origin: string, rest: string): string {
    return `${origin}${this.#options.streamBasePath}/__ds/${rest}`
  }

  #noRoom(): (subscription: Subscription, path: string) => void {
    const refused = this.#options.metrics.counter('headwater_subscription_links_refused_total', 'Streams that match a pattern but find no room')
    return (subscription, path) => {
      refused.add()
      this.#options.log.warn('a stream is not linked: the subscription is full', { subscription: subscription.id, stream: path })
    }
  }

  #measure(): void {
    const { metrics } = this.#options
    metrics.gauge('headwater_subscriptions', 'Subscriptions', () => this.#registry.size)
    metrics.gauge('headwater_subscription_links', 'Streams linked to subscriptions', () => this.#registry.linkCount)
    metrics.gauge('headwater_subscription_streams_pending', 'Linked streams with unacknowledged data', () => {
      let count = 0
      for (const subscription of this.#registry.all()) count += subscription.pending.size
      return count
    })
  }
}

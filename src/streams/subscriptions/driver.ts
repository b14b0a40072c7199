/** Makes wakes happen: takes the steps of wake.ts one at a time, saves before each effect, sends, and sets the next alarm. */
import type { Counter } from '../../lib/metrics.ts'
import type { MetaChange, SubscriptionHost, SubscriptionOptions } from './host.ts'
import type { Keys } from './keys.ts'
import { deliveriesConcurrentMax, retryBackoff, tokenTtlMs } from './limits.ts'
import { Slots } from './slots.ts'
import { linkChange, linkDeletion, recordChange } from './store.ts'
import { storedLink, type Attempt, type Link, type Subscription } from './subscription.ts'
import { signToken } from './token.ts'
import { Turns } from './turns.ts'
import { firstPending, listedLinks, wakeStream } from './view.ts'
import * as wake from './wake.ts'
import type { WakeState } from './wake.ts'
import { deliver, type DeliveryResult } from './webhook.ts'

const noAcks: ReadonlyMap<Link, string> = new Map()

/** What the driver needs of the service around it. */
export interface DriverParts {
  readonly host: SubscriptionHost
  readonly options: SubscriptionOptions
  readonly keys: Keys
  readonly acknowledge: (link: Link, streamId: number | null, offset: string) => void
  /** `{origin}{base}/__ds/subscriptions/{id}/callback` */
  readonly callbackUrl: (subscription: Subscription) => string
}

export class Driver {
  readonly turns = new Turns()
  readonly #parts: DriverParts
  readonly #slots: Slots<Subscription>
  /** Also those whose wake has ended without them. */
  readonly #deliveries = new Map<Attempt, Promise<void>>()
  readonly #wakes: Readonly<Record<wake.DeliveryType, Counter>>
  readonly #results: Readonly<Record<DeliveryResult['kind'] | 'expired', Counter>>
  readonly #expired: Counter
  #stopped = false

  constructor(parts: DriverParts) {
    this.#parts = parts
    this.#slots = new Slots(deliveriesConcurrentMax, next => this.poke(next))
    const { metrics } = parts.options
    const wakes = (type: wake.DeliveryType) => metrics.counter('headwater_subscription_wakes_total', 'Wakes issued', { type })
    const results = (result: string) => metrics.counter('headwater_webhook_deliveries_total', 'Webhook deliveries', { result })
    this.#wakes = { webhook: wakes('webhook'), 'pull-wake': wakes('pull-wake') }
    this.#results = { accepted: results('accepted'), failed: results('failed'), refused: results('refused'), expired: results('expired') }
    this.#expired = metrics.counter('headwater_subscription_leases_expired_total', 'Leases that ran out')
  }

  /** Something changed: looks at `subscription` when its turn comes. Cheap, and idempotent until then. */
  poke(subscription: Subscription): void {
    if (subscription.poked || this.#stopped || subscription.deleted) return
    subscription.poked = true
    void this.turns.run(subscription.id, async () => {
      subscription.poked = false
      await this.#advance(subscription).finally(() => this.#slots.pass())
    }).catch((error: unknown) => this.#stumble(subscription, error))
  }

  /** Writes `state` and `acks` in one step, and what else of the links is unsaved; memory follows when it is on disk. */
  async save(subscription: Subscription, state: WakeState, acks: ReadonlyMap<Link, string> = noAcks, baseUrl = subscription.baseUrl): Promise<void> {
    const unsaved = [...subscription.unsaved]
    subscription.unsaved.clear()
    const decided = [...acks].map(([link, offset]) => ({ link, offset, streamId: link.streamId }))
    const changes = unsaved.map(path => linkEntry(subscription, path))
    changes.push(...decided.map(({ link, offset }) => linkChange(storedLink(link, offset))))
    changes.push(recordChange(subscription.stored(state, baseUrl)))
    try {
      await this.#parts.host.save(changes)
    } catch (error) {
      for (const path of unsaved) subscription.unsaved.add(path)
      throw error
    }
    subscription.state = state
    subscription.baseUrl = baseUrl
    for (const { link, offset, streamId } of decided) this.#parts.acknowledge(link, streamId, offset)
  }

  /** Ends a lease that ran out while nobody looked, so that a request never meets it. Within a turn. */
  async settleExpiry(subscription: Subscription): Promise<void> {
    const { clock } = this.#parts.options
    const { leaseUntilMs } = subscription.state
    if (leaseUntilMs !== null && clock.now() >= leaseUntilMs) await this.#expire(subscription)
  }

  /** Forgets what was going on for a subscription that is deleted. */
  drop(subscription: Subscription): void {
    subscription.cancelTimer()
    subscription.attempt?.abort.abort()
    subscription.attempt = null
    this.#slots.leave(subscription)
  }

  /** No step begins any more; deliveries in flight are broken off, and go out again after the next start. */
  async stop(subscriptions: Iterable<Subscription>): Promise<void> {
    this.#stopped = true
    for (const subscription of subscriptions) this.drop(subscription)
    for (const attempt of this.#deliveries.keys()) attempt.abort.abort()
    await Promise.all(this.#deliveries.values())
    await this.turns.settled()
  }

  async #advance(subscription: Subscription): Promise<void> {
    subscription.cancelTimer()
    if (subscription.wakeStreamChanged) await this.#reviewWakeEvent(subscription)
    for (;;) {
      if (this.#stopped || subscription.deleted) return
      const step = wake.nextStep(subscription.state, {
        type: subscription.config.type,
        nowMs: this.#parts.options.clock.now(),
        pending: subscription.pending.size > 0,
        inFlight: subscription.attempt !== null,
      })
      if (step === 'wait' || !(await this.#take(subscription, step))) break
    }
    if (subscription.unsaved.size > 0) await this.save(subscription, subscription.state)
    this.#arm(subscription)
  }

  /** False when the step has to wait for a free place. */
  async #take(subscription: Subscription, step: Exclude<wake.Step, 'wait'>): Promise<boolean> {
    if (step === 'expire') await this.#expire(subscription)
    else if (step === 'withdraw') await this.save(subscription, wake.finish(subscription.state, null))
    else if (subscription.config.type === 'webhook') return this.#sendWebhook(subscription, step)
    else if (step === 'issue') await this.#issue(subscription, this.#issued(subscription))
    else await this.#announce(subscription)
    return true
  }

  #issued(subscription: Subscription): WakeState {
    return wake.issue(subscription.state, `w_${this.#parts.options.ids.random()}`)
  }

  /** Saves a new generation. A `claim` does the same with the lease on top. */
  async #issue(subscription: Subscription, state: WakeState): Promise<void> {
    await this.save(subscription, state)
    subscription.fenced.clear()
    this.#wakes[subscription.config.type].add()
  }

  /** A worker takes the wake that is issued, or a new one when none is. Within a turn. */
  async claim(subscription: Subscription, worker: string): Promise<void> {
    const { clock } = this.#parts.options
    const fresh = subscription.state.phase === 'idle'
    const issued = fresh ? this.#issued(subscription) : subscription.state
    const claimed = wake.claim(issued, worker, clock.now(), subscription.config.leaseTtlMs)
    if (fresh) await this.#issue(subscription, claimed)
    else await this.save(subscription, claimed)
  }

  async #announce(subscription: Subscription): Promise<void> {
    const { host, options } = this.#parts
    const { config, state } = subscription
    const event = {
      type: 'wake',
      subscription_id: subscription.id,
      stream: firstPending(subscription),
      generation: state.generation,
      ts: options.clock.now(),
    }
    const written = await host.append(config.wakeStream ?? '', JSON.stringify(event)).catch((error: unknown) => {
      options.log.warn('a wake event could not be written', { subscription: subscription.id, error })
      return false
    })
    const nowMs = options.clock.now()
    if (!written) options.log.warn('the wake stream does not take events; will try again', { subscription: subscription.id, stream: config.wakeStream })
    const next = written
      ? wake.announced(state, nowMs, config.leaseTtlMs, options.ids.jitter())
      : wake.sendFailed(state, nowMs, options.ids.jitter())
    await this.save(subscription, next)
  }

  /** The wake event went with its stream, or the stream that was missing is there: write the event now. */
  async #reviewWakeEvent(subscription: Subscription): Promise<void> {
    subscription.wakeStreamChanged = false
    if (subscription.state.phase === 'issued') await this.save(subscription, wake.announceAgain(subscription.state))
  }

  async #sendWebhook(subscription: Subscription, step: 'issue' | 'send'): Promise<boolean> {
    if (!this.#slots.take(subscription)) return false
    const { clock } = this.#parts.options
    try {
      const issued = step === 'issue' ? this.#issued(subscription) : subscription.state
      const state = wake.sending(issued, clock.now(), subscription.config.leaseTtlMs)
      if (step === 'issue') await this.#issue(subscription, state)
      else await this.save(subscription, state)
    } catch (error) {
      this.#slots.release()
      throw error
    }
    const attempt = newAttempt(subscription)
    subscription.attempt = attempt
    const delivery = this.#deliver(subscription, attempt).catch((error: unknown) => this.#stumble(subscription, error))
    this.#deliveries.set(attempt, delivery)
    void delivery.finally(() => this.#deliveries.delete(attempt))
    return true
  }

  async #deliver(subscription: Subscription, attempt: Attempt): Promise<void> {
    const { options, keys } = this.#parts
    const body = this.#body(subscription, [...attempt.tails.keys()])
    const means = { fetch: options.fetch, resolve: options.resolve, clock: options.clock, allowInsecure: options.allowInsecureWebhooks }
    const delivery = { url: subscription.config.webhookUrl ?? '', body, signature: keys.sign(body) }
    const result = await deliver(delivery, means, attempt.abort.signal)
    this.#slots.release()
    if (this.#stopped) return
    await this.turns.run(subscription.id, () => this.#settle(subscription, attempt, result))
    this.poke(subscription)
  }

  #body(subscription: Subscription, links: readonly Link[]): string {
    const { options, keys } = this.#parts
    const { wakeId, generation } = subscription.state
    const scope = { uid: subscription.uid, generation }
    return JSON.stringify({
      subscription_id: subscription.id,
      wake_id: wakeId,
      generation,
      streams: links.map(wakeStream),
      callback_url: this.#parts.callbackUrl(subscription),
      callback_token: signToken(keys.tokenSecret, scope, options.clock.now() + tokenTtlMs),
    })
  }

  /** What an answer means now: nothing, when the wake has moved on without it. */
  async #settle(subscription: Subscription, attempt: Attempt, result: DeliveryResult): Promise<void> {
    if (subscription.attempt !== attempt || subscription.deleted) return
    await this.settleExpiry(subscription)
    if (subscription.attempt !== attempt) return
    subscription.attempt = null
    this.#results[result.kind].add()
    const { clock, ids, log } = this.#parts.options
    const { state } = subscription
    if (result.kind !== 'accepted') {
      log.warn('a webhook was not delivered', { subscription: subscription.id, generation: state.generation, reason: result.reason })
      if (state.phase === 'issued') await this.save(subscription, wake.sendFailed(state, clock.now(), ids.jitter()))
    } else if (result.done) await this.save(subscription, wake.finish(state, null), acksOf(attempt))
    else if (state.phase === 'issued') await this.save(subscription, wake.delivered(state))
  }

  /** An answer that comes after this acknowledges nothing: the delivery is broken off and forgotten. */
  async #expire(subscription: Subscription): Promise<void> {
    const { clock, ids, log } = this.#parts.options
    const { attempt, state } = subscription
    log.info('a lease expired', { subscription: subscription.id, generation: state.generation, holder: state.holder })
    await this.save(subscription, wake.expire(state, attempt !== null, clock.now(), ids.jitter()))
    this.#expired.add()
    if (attempt === null) return
    this.#results.expired.add()
    attempt.abort.abort()
    subscription.attempt = null
  }

  #arm(subscription: Subscription): void {
    if (this.#stopped || subscription.deleted) return
    const { state } = subscription
    // Who waits for a place is told when there is one; until then only its lease can be due.
    const dueMs = this.#slots.waits(subscription) ? state.leaseUntilMs : wake.dueAtMs(state, subscription.pending.size > 0)
    if (dueMs !== null) this.#alarm(subscription, dueMs - this.#parts.options.clock.now())
  }

  #alarm(subscription: Subscription, delayMs: number): void {
    subscription.cancelTimer()
    subscription.cancelTimer = this.#parts.options.clock.after(Math.max(0, delayMs), () => this.poke(subscription))
  }

  /** A step failed (the store, most likely): nothing was taken back or lost, so it is taken again a little later. */
  #stumble(subscription: Subscription, error: unknown): void {
    if (this.#stopped || subscription.deleted) return
    this.#parts.options.log.error('a subscription step failed; will try again', { subscription: subscription.id, error })
    this.#alarm(subscription, retryBackoff.firstMs)
  }
}

function linkEntry(subscription: Subscription, path: string): MetaChange {
  const link = subscription.links.get(path)
  return link === undefined ? linkDeletion(subscription.id, path) : linkChange(storedLink(link))
}

function newAttempt(subscription: Subscription): Attempt {
  const listed = listedLinks(subscription).map(link => [link, { streamId: link.streamId, tail: link.tail }] as const)
  return { abort: new AbortController(), tails: new Map(listed) }
}

/** Acks of what the attempt listed, but for streams that are others by now. */
function acksOf(attempt: Attempt): Map<Link, string> {
  const acks = new Map<Link, string>()
  for (const [link, { streamId, tail }] of attempt.tails) {
    const same = link.streamId === streamId && link.subscription.links.get(link.path) === link
    if (same && link.acked < tail) acks.set(link, tail)
  }
  return acks
}

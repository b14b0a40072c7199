/** All subscriptions by id, path, pattern and wake stream, and what a stream event means for them. Memory only, synchronous. */
import { fail } from '../../lib/errors.ts'
import type { StreamEvent, StreamSnapshot, SubscriptionHost } from './host.ts'
import { startOffset } from './lease.ts'
import { linksMax, linksPerSubscriptionMax } from './limits.ts'
import type { StoredLink } from './store.ts'
import { Link, type Subscription } from './subscription.ts'

export class Registry {
  readonly #byId = new Map<string, Subscription>()
  readonly #linksByPath = new Map<string, Link[]>()
  /** Subscriptions with a pattern, by its first segment; under `*` those whose first segment is no plain text. */
  readonly #globs = new Map<string, Set<Subscription>>()
  readonly #byWakeStream = new Map<string, Set<Subscription>>()
  readonly #host: SubscriptionHost
  readonly #changed: (subscription: Subscription) => void
  readonly #refused: (subscription: Subscription, path: string) => void
  #linkCount = 0

  /** `changed`: there is something to do for it. `refused`: a stream that matches its pattern finds no room. */
  constructor(
    host: SubscriptionHost,
    changed: (subscription: Subscription) => void,
    refused: (subscription: Subscription, path: string) => void,
  ) {
    this.#host = host
    this.#changed = changed
    this.#refused = refused
  }

  get size(): number {
    return this.#byId.size
  }

  get linkCount(): number {
    return this.#linkCount
  }

  get(id: string): Subscription | undefined {
    return this.#byId.get(id)
  }

  all(): Iterable<Subscription> {
    return this.#byId.values()
  }

  add(subscription: Subscription): void {
    this.#byId.set(subscription.id, subscription)
    const { pattern, wakeStream } = subscription.config
    if (pattern !== null) into(this.#globs, globKey(pattern), subscription)
    if (wakeStream !== null) into(this.#byWakeStream, wakeStream, subscription)
  }

  remove(subscription: Subscription): void {
    subscription.deleted = true
    this.#byId.delete(subscription.id)
    const { pattern, wakeStream } = subscription.config
    if (pattern !== null) outOf(this.#globs, globKey(pattern), subscription)
    if (wakeStream !== null) outOf(this.#byWakeStream, wakeStream, subscription)
    for (const link of [...subscription.links.values()]) this.unlink(link)
  }

  /** A link at the stream's current tail, or at the start of a stream that does not exist. Refuses `insufficient_storage` beyond the limits. */
  linkAtTail(subscription: Subscription, path: string, explicit: boolean): Link {
    if (!this.hasRoom(subscription)) fail('insufficient_storage', { detail: `A subscription links at most ${linksPerSubscriptionMax} streams` })
    const link = this.link(subscription, path, explicit, startOffset)
    link.acked = link.tail
    this.#weigh(link)
    return link
  }

  /** A link at `acked`, bound to the live stream when there is one. */
  link(subscription: Subscription, path: string, explicit: boolean, acked: string): Link {
    const link = new Link(subscription, path, explicit)
    const stream = this.#host.snapshot(path)
    link.streamId = stream?.id ?? null
    link.tail = stream?.tail ?? startOffset
    link.acked = acked
    subscription.links.set(path, link)
    subscription.unsaved.add(path)
    const others = this.#linksByPath.get(path)
    if (others === undefined) this.#linksByPath.set(path, [link])
    else others.push(link)
    this.#linkCount++
    this.#weigh(link)
    return link
  }

  /** A link as it was stored, compared with the stream that lives at its path now. */
  restore(subscription: Subscription, stored: StoredLink): void {
    const link = this.link(subscription, stored.path, stored.explicit, stored.acked)
    subscription.unsaved.delete(stored.path)
    const live = { streamId: link.streamId, tail: link.tail }
    if (live.streamId === stored.stream_id) return
    link.streamId = stored.stream_id
    if (live.streamId === null) this.detach(link)
    else this.attach(link, live.streamId, live.tail)
  }

  unlink(link: Link): void {
    const { subscription, path } = link
    if (subscription.links.get(path) !== link) return
    subscription.links.delete(path)
    subscription.pending.delete(link)
    subscription.unsaved.add(path)
    const others = (this.#linksByPath.get(path) ?? []).filter(other => other !== link)
    if (others.length === 0) this.#linksByPath.delete(path)
    else this.#linksByPath.set(path, others)
    this.#linkCount--
  }

  /** `offset` is on disk as acknowledged, provided that the link still means the same stream. */
  acknowledge(link: Link, streamId: number | null, offset: string): void {
    if (link.subscription.links.get(link.path) !== link || link.streamId !== streamId) return
    if (this.#host.compareOffsets(offset, link.acked) > 0) link.acked = offset
    this.#weigh(link)
  }

  hasRoom(subscription: Subscription): boolean {
    return subscription.links.size < linksPerSubscriptionMax && this.#linkCount < linksMax
  }

  /** One look-up for a stream that nobody follows; a pattern is matched once in the life of a stream. */
  onEvent(event: StreamEvent): void {
    const links = this.#linksByPath.get(event.path)
    if (links !== undefined) for (const link of links) this.#touch(link, event)
    if (event.kind === 'appended') return
    if (event.kind === 'created' && this.#globs.size > 0) this.discover(event)
    for (const subscription of this.#byWakeStream.get(event.path) ?? []) {
      subscription.wakeStreamChanged = true
      this.#changed(subscription)
    }
  }

  /** Links a stream that appeared after the subscriptions whose patterns match it: from its start, so its first data wakes. */
  discover(stream: Pick<StreamSnapshot, 'path'>): void {
    const slash = stream.path.indexOf('/')
    const first = slash < 0 ? stream.path : stream.path.slice(0, slash)
    for (const key of first === anySegment ? [anySegment] : [first, anySegment]) {
      for (const subscription of this.#globs.get(key) ?? []) {
        if (subscription.links.has(stream.path) || !subscription.matches(stream.path)) continue
        if (this.hasRoom(subscription)) this.link(subscription, stream.path, false, startOffset)
        else this.#refused(subscription, stream.path)
        this.#changed(subscription)
      }
    }
  }

  /** The stream at the link's path is gone. An explicit link stays and waits for the next one, a link by pattern goes. */
  detach(link: Link): void {
    const { subscription } = link
    this.#fence(link)
    if (!link.explicit) this.unlink(link)
    else {
      link.streamId = null
      link.acked = startOffset
      link.tail = startOffset
      subscription.unsaved.add(link.path)
      this.#weigh(link)
    }
    this.#changed(subscription)
  }

  /** Another stream than before lives at the link's path. */
  attach(link: Link, streamId: number, tail: string): void {
    if (link.streamId !== null) this.#fence(link)
    link.streamId = streamId
    link.acked = startOffset
    link.tail = tail
    link.subscription.unsaved.add(link.path)
    this.#weigh(link)
    this.#changed(link.subscription)
  }

  #touch(link: Link, event: StreamEvent): void {
    if (link.streamId !== event.id) {
      // An event of an earlier stream under this path comes too late to mean anything.
      const earlier = link.streamId !== null && event.id < link.streamId
      if (event.kind !== 'deleted' && !earlier) this.attach(link, event.id, event.tail)
      return
    }
    if (event.kind === 'deleted') return this.detach(link)
    if (this.#host.compareOffsets(event.tail, link.tail) <= 0) return
    link.tail = event.tail
    if (link.subscription.pending.has(link)) return
    this.#weigh(link)
    if (link.subscription.state.phase === 'idle') this.#changed(link.subscription)
  }

  #weigh(link: Link): void {
    if (this.#host.compareOffsets(link.tail, link.acked) > 0) link.subscription.pending.add(link)
    else link.subscription.pending.delete(link)
  }

  #fence(link: Link): void {
    if (link.subscription.state.phase !== 'idle') link.subscription.fenced.add(link.path)
  }
}

const anySegment = '*'

function globKey(pattern: string): string {
  const [first = ''] = pattern.split('/')
  return /[*{]/.test(first) ? anySegment : first
}

function into<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}

function outOf<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key)
  set?.delete(value)
  if (set?.size === 0) map.delete(key)
}

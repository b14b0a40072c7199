/** What subscriptions need of the stream store and its surroundings. Declared here, implemented by app.ts; no logic. */
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { Principal } from '../../lib/principal.ts'

export interface StreamSnapshot {
  /** Decoded, relative to the stream root: `events/7`. */
  readonly path: string
  /** Never used twice, so a stream created again under the same path is told apart. */
  readonly id: number
  /** tail offset token */
  readonly tail: string
  readonly contentType: string
}

export interface MetaChange {
  readonly key: string
  /** null deletes the key. */
  readonly value: string | null
}

export interface SubscriptionHost {
  /** The live stream at `path`, or null. */
  snapshot(path: string): StreamSnapshot | null
  /** Every live stream. */
  streams(): Iterable<StreamSnapshot>
  /** Appends one JSON message; false when the stream is missing, closed or not JSON. */
  append(path: string, message: string): Promise<boolean>
  /** Atomic, and durable before it resolves. */
  save(changes: readonly MetaChange[]): Promise<void>
  load(prefix: string): Iterable<{ key: string; value: string }>
  compareOffsets(a: string, b: string): number
}

export interface StreamEvent {
  readonly kind: 'created' | 'appended' | 'deleted'
  readonly path: string
  readonly id: number
  readonly tail: string
}

/** The addresses of `hostname` (text form, IPv4 and IPv6); rejects when there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

/** `fetch` as far as it is used; tests add their certificate authority here. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>

/** What a caller wants to do, for the rules: throw a refusal to deny. */
export interface ManageRequest {
  readonly action: 'create' | 'read' | 'delete' | 'link' | 'claim'
  readonly id: string
  /** Set for `create`, and for the rest as the subscription has them. */
  readonly pattern: string | null
  /** The explicit streams that the request names (`create` and `link`). */
  readonly streams: readonly string[]
  readonly wakeStream: string | null
}
export type AuthorizeManage = (principal: Principal, request: ManageRequest) => void | Promise<void>

export interface SubscriptionOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly fetch: Fetch
  readonly resolve: Resolve
  readonly log: Log
  readonly metrics: Metrics
  /**
   * Origin under which clients reach this server, without a slash at the end (`https://streams.example`). The request is null when
   * a wake is delivered in the background: then the configured origin, or null to use the one that the creator used.
   */
  readonly publicUrl: (request: Request | null) => string | null
  /** Development: also webhooks on loopback addresses, over http too. */
  readonly allowInsecureWebhooks: boolean
  /** `/v1/stream` */
  readonly streamBasePath: string
  /** Denies by throwing; absent = everyone may manage subscriptions. */
  readonly authorize?: AuthorizeManage
}

/** The JSON forms that clients and webhooks see. Formats only. */
import { streamsPerWakeMax } from './limits.ts'
import type { Link, Subscription } from './subscription.ts'

export interface WakeStream {
  readonly path: string
  readonly link_type: 'explicit' | 'glob'
  readonly acked_offset: string
  readonly tail_offset: string
  readonly has_pending: boolean
}

export interface SigningView {
  readonly alg: 'ed25519'
  readonly kid: string
  readonly jwks_url: string
}

/** The links that a wake lists: all, or those with work first when they are more than `streamsPerWakeMax`. */
export function listedLinks(subscription: Subscription): readonly Link[] {
  if (subscription.links.size <= streamsPerWakeMax) return [...subscription.links.values()]
  return [...subscription.pending].slice(0, streamsPerWakeMax)
}

export function wakeStream(link: Link): WakeStream {
  return {
    path: link.path,
    link_type: linkType(link),
    acked_offset: link.acked,
    tail_offset: link.tail,
    has_pending: link.subscription.pending.has(link),
  }
}

/** PROTOCOL.md §6.3. Never a secret, never a token. */
export function subscriptionView(subscription: Subscription, signing: SigningView): Record<string, unknown> {
  const { config, state } = subscription
  return {
    id: subscription.id,
    subscription_id: subscription.id,
    type: config.type,
    pattern: config.pattern,
    streams: [...subscription.links.values()].map(link => ({ path: link.path, link_type: linkType(link), acked_offset: link.acked })),
    webhook: config.webhookUrl === null ? null : { url: config.webhookUrl, signing },
    wake_stream: config.wakeStream,
    lease_ttl_ms: config.leaseTtlMs,
    created_at: new Date(subscription.createdAtMs).toISOString(),
    status: state.status,
    description: config.description,
  }
}

/** The stream that a wake event names: one that has work. */
export function firstPending(subscription: Subscription): string {
  for (const link of subscription.pending) return link.path
  return ''
}

function linkType(link: Link): 'explicit' | 'glob' {
  return link.explicit ? 'explicit' : 'glob'
}

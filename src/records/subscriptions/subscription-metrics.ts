/** Figures of the subscriptions. No label holds the name of an API: clients could learn of it where metrics are public. */
import type { Metrics } from '../../lib/metrics.ts'

/** What the gauges read. */
export interface SubscriptionCounts {
  readonly count: number
  readonly behind: number
}

export interface SubscriptionMetrics {
  event(): void
  /** A subscriber was told that changes are missing. */
  loss(): void
  /** From hearing of a commit until its changes were told, ms. */
  told(lagMs: number): void
}

const lagBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

export function subscriptionMetrics(metrics: Metrics, counts: SubscriptionCounts): SubscriptionMetrics {
  const events = metrics.counter('headwater_record_subscription_events_total', 'Events told to subscribers of record APIs')
  const losses = metrics.counter('headwater_record_subscription_losses_total', 'Times that a subscriber was told of missing changes')
  const lag = metrics.histogram('headwater_record_subscription_lag_seconds', 'From a commit until its changes were told', lagBounds)
  metrics.gauge('headwater_record_subscriptions', 'Subscriptions to record APIs', () => counts.count)
  metrics.gauge('headwater_record_subscriptions_behind', 'Subscriptions that read the change log instead of hearing of changes', () => counts.behind)
  return {
    event: () => events.add(),
    loss: () => losses.add(),
    told: lagMs => lag.observe(lagMs / 1000),
  }
}

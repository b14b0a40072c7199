/** What subscriptions may take of the server, and how long they wait. */

export interface SubscriptionLimits {
  /** Subscriptions at a time; more are refused. */
  readonly subscriptionsMax: number
  /** Events that wait for one slow subscriber; what comes then it reads from the change log. */
  readonly queuedEventsMax: number
  /** Bytes of those events. */
  readonly queuedBytesMax: number
  /** A comment goes out on a connection that was quiet for this long. */
  readonly keepAliveMs: number
  /** A subscriber that takes nothing for this long is cut off. */
  readonly stalledMsMax: number
  /** Records of one snapshot. */
  readonly snapshotRecordsMax: number
  /** Characters of texts and bytes of blobs in them. */
  readonly snapshotCharsMax: number
  /** Time for the statement of a snapshot, and for judging changes by rules that scan tables. */
  readonly queryMsMax: number
}

export const defaultSubscriptionLimits: SubscriptionLimits = {
  subscriptionsMax: 16_384,
  queuedEventsMax: 1024,
  queuedBytesMax: 8 * 1024 * 1024,
  keepAliveMs: 15_000,
  stalledMsMax: 60_000,
  snapshotRecordsMax: 65_536,
  snapshotCharsMax: 64 * 1024 * 1024,
  queryMsMax: 2000,
}

/** Ticks of all subscriptions: credentials are cut within a second of their end. */
export const tickMs = 500
/** Time that changes are judged and sent before others get their turn, ms. */
export const sliceMsMax = 5
/** Statements that one read in another thread runs for rules that scan tables. */
export const judgedAtOnceMax = 64

/** The named limits of subscriptions, in one place. Not configurable: they bound memory and time, not policy. */

/** Subscriptions that one server holds. */
export const subscriptionsMax = 10_000
/** Streams linked to one subscription. */
export const linksPerSubscriptionMax = 100_000
/** Links over all subscriptions (about 200 bytes of memory each). */
export const linksMax = 1_000_000
/** Streams that one webhook body or claim lists, and so the most that one wake can acknowledge; the rest wakes again. */
export const streamsPerWakeMax = 1_000
/** Acks in one callback or ack request. */
export const acksPerRequestMax = 1_000
/** Streams named in one create or add request. */
export const streamsPerRequestMax = 1_000

export const idBytesMax = 256
export const pathBytesMax = 1_024
export const pathSegmentsMax = 8
export const patternSegmentsMax = 16
export const descriptionBytesMax = 4_096
export const workerBytesMax = 256
export const urlBytesMax = 2_048
export const requestBodyBytesMax = 64 * 1024
/** Requests and steps that wait for their turn at one subscription; more is refused as overload. */
export const turnsWaitingMax = 256

export const leaseTtlMsMin = 1_000
export const leaseTtlMsMax = 600_000
export const leaseTtlMsDefault = 30_000
/** A token ends with its wake or after this, whichever is first; a lease kept alive longer is given up and wakes again. */
export const tokenTtlMs = 24 * 3_600_000

/** Webhook requests in flight over all subscriptions; further ones wait. */
export const deliveriesConcurrentMax = 64
/** From connecting to the last byte of the answer; a shorter lease ends a delivery sooner. */
export const deliveryMsMax = 30_000
/** Bytes of a webhook's answer that are read; the rest is dropped with the connection. */
export const responseBytesMax = 64 * 1024
export const resolveMsMax = 5_000
/** Addresses of one name that are tried, in order, while connections are refused. */
export const addressesTriedMax = 4

/** Delays after failed deliveries (PROTOCOL.md §7.1). */
export const retryBackoff = { firstMs: 1_000, maxMs: 60_000, jitterShare: 0.2 } as const
/** The longest pause between wake events for one wake that nobody claims; the first pause is the lease time. */
export const reminderMsMax = 600_000

/** How long a replaced signing key stays published: more than the replay window (5 min) and the JWKS cache time (5 min). */
export const keyOverlapMs = 3_600_000
export const jwksCacheSecs = 300

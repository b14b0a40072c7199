/** Delays between attempts: doubling, with jitter, capped. Decides only; the caller waits. */

export interface BackoffOptions {
  readonly firstMs: number
  /** No delay is longer, its jitter included. */
  readonly maxMs: number
  /** Share of the delay that is random, both ways: 0.2 = ±20 %. */
  readonly jitterShare: number
}

/** Delay in ms before attempt number `attempt` (0 = the first retry); `jitter` in [0, 1). */
export function backoffMs(attempt: number, options: BackoffOptions, jitter: number): number {
  // Not cut after the jitter: half of all callers would then come at the same moment.
  const doubled = Math.min(options.firstMs * 2 ** Math.min(attempt, 40), options.maxMs / (1 + options.jitterShare))
  return Math.round(doubled * (1 + options.jitterShare * (2 * jitter - 1)))
}

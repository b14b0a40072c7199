/** Cursors that let caches collapse live requests: the number of the current interval. (PROTOCOL.md §10.1) */

/** 2024-10-09T00:00:00Z; the same on every node and in every run. */
const epochMs = Date.UTC(2024, 9, 9)
const intervalMs = 20_000
/** A client that is ahead gets a cursor up to this much further. */
const jitterMsMax = 3_600_000

/**
 * The cursor to answer with, greater than `sent` when the client is not behind: else it and the cache would meet the same
 * URL again. `jitter` is in [0, 1).
 */
export function cursorAfter(sent: number | null, nowMs: number, jitter: number): number {
  const current = Math.floor((nowMs - epochMs) / intervalMs)
  if (sent === null || sent < current) return current
  return sent + 1 + Math.floor((jitter * (jitterMsMax - 1000)) / intervalMs)
}

/** Reads the `cursor` parameter; anything but a plain number counts as absent. */
export function parseCursor(value: string | null): number | null {
  return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null
}

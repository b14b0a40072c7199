/** Gives memory back to the system when the server has been busy and is quiet now. Decides when; the collector does the rest. */
import type { Clock } from '../lib/clock.ts'

export interface MemoryKeeperOptions {
  readonly clock: Clock
  /** Requests begun so far; it only grows. */
  readonly requests: () => number
  /** Drops what caches hold and nobody asked for lately; returns the bytes set free. */
  readonly dropUnused: () => number
  /** Collects everything that can be; stops the thread for some milliseconds. */
  readonly collect: () => void
}

const periodMs = 1000
/** Requests that make a collection worth its pause. */
const requestsMin = 5_000
/** So do bytes that caches gave up. */
const droppedBytesMin = 8 * 1024 * 1024
/** A period with fewer requests counts as quiet. */
const quietRequestsMax = 50

/** Returns a function that stops it. After a busy time the heap holds room for its garbage, which only a full collection frees. */
export function keepMemorySmall(options: MemoryKeeperOptions): () => void {
  let seen = options.requests()
  let collectedAt = seen
  let dropped = 0
  return options.clock.every(periodMs, () => {
    const now = options.requests()
    const quiet = now - seen <= quietRequestsMax
    seen = now
    dropped += options.dropUnused()
    if (!quiet || (now - collectedAt < requestsMin && dropped < droppedBytesMin)) return
    collectedAt = now
    dropped = 0
    options.collect()
  })
}

/** Ending what a credential started when the credential ends. */
import type { Clock } from '../lib/clock.ts'

export interface ExpirySignal {
  /** Aborts at the expiry; null when there is none, so that readers without a token cost no timer. */
  readonly signal: AbortSignal | null
  /** To be called when the work ends by itself. */
  readonly cancel: () => void
}

const never: ExpirySignal = { signal: null, cancel() {} }

/** A signal that aborts when the clock reaches `expiresAtMs` (milliseconds since the epoch), or at once when that has passed. */
export function signalAt(clock: Clock, expiresAtMs: number | null): ExpirySignal {
  if (expiresAtMs === null) return never
  const abort = new AbortController()
  let cancel = () => {}
  const arm = () => {
    const leftMs = expiresAtMs - clock.now()
    if (leftMs <= 0) abort.abort()
    // The clock clamps long delays, hence the second look when the timer fires.
    else cancel = clock.after(leftMs, arm)
  }
  arm()
  return { signal: abort.signal, cancel: () => cancel() }
}

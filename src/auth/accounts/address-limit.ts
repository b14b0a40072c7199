/** How many posts one address may make (trailbase-api.md §2): a burst of N, then one a second. Limits of one account are attempt-limit.ts. */
import { isIPv6 } from 'node:net'
import type { Clock } from '../../lib/clock.ts'
import { fail } from '../../lib/errors.ts'
import { RecentMap } from '../../lib/recent-map.ts'

/** Addresses that are remembered. */
const addressesMax = 65_536
const refillMs = 1000

export class AddressLimit {
  readonly #burst: number
  readonly #clock: Clock
  /** By address: when its burst is full again. */
  readonly #fullAtMs = new RecentMap<string, number>(addressesMax)

  constructor(burst: number, clock: Clock) {
    this.#burst = burst
    this.#clock = clock
  }

  /** Takes one of the burst of `address`. Refuses `too_many_requests`. */
  take(address: string): void {
    const key = networkOf(address)
    const nowMs = this.#clock.monotonic()
    const fullAtMs = Math.max(this.#fullAtMs.get(key) ?? nowMs, nowMs) + refillMs
    const overMs = fullAtMs - nowMs - this.#burst * refillMs
    if (overMs > 0) fail('too_many_requests', { retryAfterSecs: Math.ceil(overMs / 1000) })
    this.#fullAtMs.set(key, fullAtMs)
  }
}

/** One household or machine has a /64 of IPv6 and may use every address of it. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return `${[...before, ...zeros, ...after].slice(0, 4).map(group => group.replace(/^0+(?=.)/, '')).join(':')}::/64`
}

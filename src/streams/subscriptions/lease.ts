/** Who may speak for a wake, and which acks it may make. Pure; the token's signature is token.ts. */
import { fail } from '../../lib/errors.ts'
import type { WakeState } from './wake.ts'

/** The position before the first byte: what a link starts at, and what a stream that does not exist has as its tail. */
export const startOffset = '0000000000000000_0000000000000000'
const offsetForm = /^\d{16}_\d{16}$/

export interface WakeClaim {
  readonly wakeId: string
  readonly generation: number
}

export interface Ack {
  readonly path: string
  readonly offset: string
}

export interface AckedLink {
  readonly acked: string
  readonly tail: string
}

/** Refuses `fenced` unless token, body and state name the same wake and its lease still runs (PROTOCOL.md §7.3). */
export function requireCurrentWake(state: WakeState, tokenGeneration: number, claim: WakeClaim, nowMs: number): void {
  const current =
    tokenGeneration === state.generation && claim.generation === state.generation && claim.wakeId === state.wakeId && state.phase !== 'idle'
  if (!current) fail('fenced', { detail: 'This wake is over; a newer one has taken its place or will' })
  if (state.leaseUntilMs !== null && nowMs >= state.leaseUntilMs) fail('fenced', { detail: 'The lease of this wake has expired' })
}

/**
 * Checks every ack before any is applied and returns the furthest one of each stream. Refuses `invalid_ack` for a stream that is not
 * linked, an offset of another form (`-1`, `now`), one behind the committed position or beyond the tail.
 */
export function checkAcks<Link extends AckedLink>(
  acks: readonly Ack[],
  linkAt: (path: string) => Link | undefined,
  compareOffsets: (a: string, b: string) => number,
): Map<Link, string> {
  const furthest = new Map<Link, string>()
  for (const ack of acks) {
    const link = linkAt(ack.path)
    if (link === undefined) fail('invalid_ack', { detail: `${ack.path} is not linked to this subscription` })
    if (!offsetForm.test(ack.offset)) fail('invalid_ack', { detail: `${ack.path}: "${ack.offset.slice(0, 64)}" is not an offset` })
    if (compareOffsets(ack.offset, link.acked) < 0) fail('invalid_ack', { detail: `${ack.path}: an ack cannot move backwards` })
    if (compareOffsets(ack.offset, link.tail) > 0) fail('invalid_ack', { detail: `${ack.path}: the offset is beyond the tail` })
    const before = furthest.get(link)
    if (before === undefined || compareOffsets(ack.offset, before) > 0) furthest.set(link, ack.offset)
  }
  return furthest
}

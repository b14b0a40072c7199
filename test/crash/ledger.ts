/** What the harness knows it was promised: every acknowledgement, and every request whose answer never came. */
import { closer, keyOf, type Key, type Kind } from './records.ts'

/** 'unknown': sent, and the answer was lost with the server, so both outcomes are right, but only whole ones. */
export type Promised = 'none' | 'unknown' | 'acked'

export interface ProducerLedger {
  /** Records acknowledged: numbers 0 … acked-1 are in the stream. */
  acked: number
  /** The number of the first record of each request, in order. */
  readonly starts: number[]
  /** The request whose answer is missing. */
  pending: { readonly first: number; readonly count: number } | undefined
}

export interface StreamLedger {
  readonly id: number
  readonly name: string
  readonly kind: Kind
  /** What a fork took over from its source, in order. */
  readonly inherited: readonly Key[]
  /** Records that came with the creation. */
  readonly initial: number
  created: Promised
  closed: Promised
  /** Records that came with the closing request. */
  closingRecords: number
  deleted: Promised
  /** The highest Stream-Next-Offset of an acknowledgement. */
  tail: string
  readonly producers: Map<number, ProducerLedger>
}

/** What a reader of the whole stream found after a restart. */
export interface Observed {
  readonly gone: boolean
  readonly closed: boolean
  readonly records: readonly Key[]
  readonly tail: string
}

export function newStream(id: number, kind: Kind, initial: number, inherited: readonly Key[] = []): StreamLedger {
  return {
    id,
    name: `crash/${kind}-${id}`,
    kind,
    inherited,
    initial,
    created: 'none',
    closed: 'none',
    closingRecords: 0,
    deleted: 'none',
    tail: '',
    producers: new Map(),
  }
}

export function producerOf(stream: StreamLedger, producer: number): ProducerLedger {
  let ledger = stream.producers.get(producer)
  if (!ledger) stream.producers.set(producer, (ledger = { acked: 0, starts: [], pending: undefined }))
  return ledger
}

/** Notes a request before it is sent; returns its sequence number. */
export function noteSent(ledger: ProducerLedger, count: number): number {
  const first = ledger.acked
  ledger.pending = { first, count }
  ledger.starts.push(first)
  return ledger.starts.length - 1
}

/** Notes the acknowledgement of the pending request. */
export function noteAcked(stream: StreamLedger, ledger: ProducerLedger, tail: string | null): void {
  if (ledger.pending) ledger.acked = ledger.pending.first + ledger.pending.count
  ledger.pending = undefined
  if (tail !== null && tail > stream.tail) stream.tail = tail
}

/** Notes that the pending request was refused at its first attempt, so that nothing of it may be there. */
export function noteRefused(ledger: ProducerLedger): void {
  if (ledger.pending) ledger.starts.pop()
  ledger.pending = undefined
}

/**
 * Settles what the crash left open by what was found: a dead server cannot do later what it had not done. The pending request of a
 * writer stays open, because it is sent again; what was found of it may not go any more, so the caller learns whether it was there.
 */
export function settle(stream: StreamLedger, found: Observed): ReadonlyMap<number, 'present' | 'absent'> {
  if (stream.created === 'unknown') stream.created = found.gone ? 'none' : 'acked'
  if (stream.deleted === 'unknown') stream.deleted = found.gone ? 'acked' : 'none'
  if (stream.closed === 'unknown') {
    stream.closed = found.closed ? 'acked' : 'none'
    // Nothing of it is there, so the next attempt is the closer's first request again.
    if (!found.closed) {
      stream.closingRecords = 0
      stream.producers.delete(closer)
    }
  }
  const present = new Map<number, 'present' | 'absent'>()
  if (found.gone) return present
  const seen = new Set(found.records)
  for (const [producer, ledger] of stream.producers) {
    if (!ledger.pending || producer === closer) continue
    const there = seen.has(keyOf(stream.id, producer, ledger.pending.first))
    present.set(producer, there ? 'present' : 'absent')
    if (there) ledger.acked = ledger.pending.first + ledger.pending.count
  }
  return present
}

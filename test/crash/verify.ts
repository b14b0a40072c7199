/** Compares what was found after a crash with what was promised before it. Pure: the checker itself is tested with broken ledgers. */
import { type Observed, type ProducerLedger, type StreamLedger } from './ledger.ts'
import { closer, creator, keyOf, partsOf, type Key } from './records.ts'

export interface Violation {
  readonly stream: string
  readonly what: string
}

const violationsPerStreamMax = 5

/** Every promise about `stream` that `found` breaks. */
export function verifyStream(stream: StreamLedger, found: Observed): Violation[] {
  const violations: Violation[] = []
  const broken = (what: string) => {
    if (violations.length < violationsPerStreamMax) violations.push({ stream: stream.name, what })
  }
  if (found.gone) {
    if (stream.created === 'acked' && stream.deleted === 'none') broken('an acknowledged stream is gone')
    return violations
  }
  if (stream.deleted === 'acked') broken('an acknowledged deletion came back')
  if (stream.created === 'none') broken('a stream that nobody created exists')
  if (stream.closed === 'acked' && !found.closed) broken('an acknowledged closure is open again')
  if (stream.closed === 'none' && found.closed) broken('a stream that nobody closed is closed')
  if (found.tail < stream.tail) broken(`the tail ${found.tail} lies before the acknowledged ${stream.tail}`)
  verifyRecords(stream, found, broken)
  return violations
}

/** A reader's whole history must be a prefix of the stream: nothing it saw is gone, different or in another order. */
export function verifyReader(name: string, seen: readonly Key[], records: readonly Key[]): Violation[] {
  if (seen.length > records.length) {
    return [{ stream: name, what: `a reader saw ${seen.length} records, of which only ${records.length} are left` }]
  }
  const at = seen.findIndex((key, index) => records[index] !== key)
  if (at < 0) return []
  return [{ stream: name, what: `record ${at} is ${label(records[at])}, but a reader saw ${label(seen[at])}` }]
}

function verifyRecords(stream: StreamLedger, found: Observed, broken: (what: string) => void): void {
  const { records } = found
  const begun = expectedBeginning(stream)
  const different = begun.findIndex((key, at) => records[at] !== key)
  if (different >= 0) {
    broken(`record ${different} is ${label(records[different])} instead of ${label(begun[different])}`)
    return
  }
  const next = new Map<number, number>()
  for (let at = begun.length; at < records.length; at++) {
    const key = records[at]
    if (key !== undefined) verifyRecord(stream, key, records[at - 1], next, broken)
  }
  for (const [producer, ledger] of stream.producers) {
    if (producer !== closer) verifyProducer(producer, ledger, next.get(producer) ?? 0, broken)
  }
  verifyClosing(stream, found, next.get(closer) ?? 0, broken)
}

function expectedBeginning(stream: StreamLedger): readonly Key[] {
  const initial = Array.from({ length: stream.initial }, (_, number) => keyOf(stream.id, creator, number))
  return [...stream.inherited, ...initial]
}

function verifyRecord(
  stream: StreamLedger,
  key: Key,
  previous: Key | undefined,
  next: Map<number, number>,
  broken: (what: string) => void,
): void {
  const { stream: owner, producer, number } = partsOf(key)
  const expected = next.get(producer) ?? 0
  if (owner !== stream.id) return broken(`${label(key)} belongs to another stream`)
  if (number < expected) return broken(`${label(key)} is there twice`)
  if (number > expected) broken(`${label(keyOf(owner, producer, expected))} is missing before ${label(key)}`)
  next.set(producer, number + 1)
  if (producer === closer) return
  const ledger = stream.producers.get(producer)
  if (!ledger || number >= ledger.acked + unsettled(ledger)) return broken(`${label(key)} was never sent`)
  const startsRequest = ledger.starts[lastStartAtOrBefore(ledger.starts, number)] === number
  if (!startsRequest && previous !== keyOf(owner, producer, number - 1)) broken(`${label(key)} is torn from its request`)
}

function verifyProducer(producer: number, ledger: ProducerLedger, count: number, broken: (what: string) => void): void {
  if (count < ledger.acked) broken(`producer ${producer}: ${ledger.acked} records acknowledged, ${count} there`)
  const { pending } = ledger
  if (pending && count > pending.first && count < pending.first + pending.count) {
    broken(`producer ${producer}: ${count - pending.first} of the ${pending.count} records of one request are there`)
  }
}

function verifyClosing(stream: StreamLedger, found: Observed, count: number, broken: (what: string) => void): void {
  const expected = found.closed ? stream.closingRecords : 0
  if (count !== expected) broken(`closing and its ${stream.closingRecords} records are not one step: ${count} are there`)
  const last = found.records.at(-1)
  if (count > 0 && last !== undefined && partsOf(last).producer !== closer) broken('records behind the closing one')
}

/** Records of the pending request that may be there beyond the acknowledged ones. */
function unsettled(ledger: ProducerLedger): number {
  return ledger.pending ? Math.max(0, ledger.pending.first + ledger.pending.count - ledger.acked) : 0
}

/** Index of the last start that is not above `number` (binary search: streams get long). */
function lastStartAtOrBefore(starts: readonly number[], number: number): number {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] ?? Infinity) <= number) low = middle
    else high = middle - 1
  }
  return low
}

function label(key: Key | undefined): string {
  if (key === undefined) return 'nothing'
  const { stream, producer, number } = partsOf(key)
  return `record ${number} of producer ${producer} of stream ${stream}`
}

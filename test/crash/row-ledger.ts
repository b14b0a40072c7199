/** What the crash harness knows that it was promised about rows: acknowledged writes, and requests whose answer never came. */
import type { Promised } from './ledger.ts'

export interface RowLedger {
  readonly number: number
  /** Numbers of all rows of the same request: they are there together or not at all. */
  readonly group: readonly number[]
  created: Promised
  deleted: Promised
  /** As the acknowledgement named it. */
  id: string | null
  value: number
  /** The value of an update whose answer is missing. */
  pendingValue: number | null
}

/** The two rows that a writer changes together in transactions. */
export interface PairLedger {
  value: number
  pending: number | null
}

export interface WriterLedger {
  readonly writer: number
  readonly rows: Map<number, RowLedger>
  /** Rows by number that the rule denied: never to be seen. */
  readonly denied: Set<number>
  readonly pair: PairLedger
  /** Transaction number of the latest acknowledgement; they only grow. */
  txn: number
  next: number
}

/** A row as it is found after a restart. */
export interface FoundRow {
  readonly id: string
  readonly number: number
  readonly value: number
}

/** All that is found of one writer. */
export interface FoundRows {
  readonly rows: readonly FoundRow[]
  readonly pair: readonly [number, number]
}

export function newWriterLedger(writer: number): WriterLedger {
  return { writer, rows: new Map(), denied: new Set(), pair: { value: 0, pending: null }, txn: 0, next: 0 }
}

/** Notes rows before they are sent. */
export function noteRows(ledger: WriterLedger, count: number): RowLedger[] {
  const group = Array.from({ length: count }, (_, at) => ledger.next + at)
  ledger.next += count
  return group.map(number => {
    const row: RowLedger = { number, group, created: 'unknown', deleted: 'none', id: null, value: 0, pendingValue: null }
    ledger.rows.set(number, row)
    return row
  })
}

/** Settles what the crash left open by what was found. A row whose creation will be sent again stays as it was found, present or absent. */
export function settleRows(ledger: WriterLedger, found: FoundRows): void {
  const byNumber = new Map(found.rows.map(row => [row.number, row]))
  for (const row of ledger.rows.values()) {
    const there = byNumber.get(row.number)
    if (row.created === 'unknown') row.created = there === undefined ? 'none' : 'acked'
    if (row.deleted === 'unknown') row.deleted = there === undefined ? 'acked' : 'none'
    if (there !== undefined) {
      row.id = there.id
      row.value = there.value
    }
    row.pendingValue = null
  }
  ledger.pair.value = found.pair[0]
  ledger.pair.pending = null
}

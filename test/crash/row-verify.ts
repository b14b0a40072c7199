/** Compares the rows that were found after a crash with what was promised before it. Pure: the checker itself is tested with broken ledgers. */
import type { FoundRow, FoundRows, RowLedger, WriterLedger } from './row-ledger.ts'
import type { Violation } from './verify.ts'

const violationsMax = 5

/** Every promise to one writer that `found` breaks. */
export function verifyRows(ledger: WriterLedger, found: FoundRows): Violation[] {
  const violations: Violation[] = []
  const broken = (what: string) => {
    if (violations.length < violationsMax) violations.push({ stream: `writer ${ledger.writer}`, what })
  }
  const byNumber = Map.groupBy(found.rows, row => row.number)
  for (const [number, rows] of byNumber) {
    if (rows.length > 1) broken(`row ${number} is there ${rows.length} times`)
    if (ledger.denied.has(number)) broken(`row ${number} is there, which the rule denied`)
    else if (!ledger.rows.has(number)) broken(`row ${number} is there, which nobody sent`)
  }
  for (const row of ledger.rows.values()) verifyRow(row, byNumber.get(row.number)?.[0], number => byNumber.has(number), broken)
  verifyPair(ledger, found, broken)
  return violations
}

function verifyRow(row: RowLedger, found: FoundRow | undefined, isThere: (number: number) => boolean, broken: (what: string) => void): void {
  if (row.created === 'unknown' && row.group.some(number => isThere(number) !== isThere(row.group[0] ?? 0))) broken(`of the rows of one request, from ${row.group[0]} on, only some are there`)
  if (found === undefined) {
    if (row.created === 'acked' && row.deleted === 'none') broken(`acknowledged row ${row.number} is gone`)
    return
  }
  if (row.created === 'none') broken(`row ${row.number} is there, whose creation was refused or had not happened`)
  if (row.deleted === 'acked') broken(`deleted row ${row.number} came back`)
  if (row.id !== null && row.id !== found.id) broken(`row ${row.number} has the id ${found.id}, acknowledged was ${row.id}`)
  if (found.value !== row.value && found.value !== row.pendingValue) broken(`row ${row.number} has the value ${found.value}, acknowledged was ${row.value}`)
}

function verifyPair({ pair }: WriterLedger, { pair: [left, right] }: FoundRows, broken: (what: string) => void): void {
  if (left !== right) broken(`half of a transaction is there: ${left} and ${right}`)
  if (left !== pair.value && left !== pair.pending) broken(`the pair is ${left}, acknowledged was ${pair.value}`)
}

/** The short form of the crash campaign over record APIs, and the checker itself with broken promises. */
import { describe, expect, test } from 'bun:test'
import { runRowCampaign } from './row-campaign.ts'
import { newWriterLedger, noteRows, settleRows, type FoundRow, type WriterLedger } from './row-ledger.ts'
import { verifyRows } from './row-verify.ts'

test('record APIs: nothing acknowledged is lost or doubled over 6 kills', async () => {
  const { totals, violations } = await runRowCampaign({ kills: 6, seed: 20_263 })
  expect(violations).toEqual([])
  expect(totals.kills).toBe(6)
  // A run in which hardly anything was acknowledged would prove nothing.
  expect(totals.rowsAcked).toBeGreaterThan(200)
  expect(totals.filesVerified).toBeGreaterThan(5)
  expect(totals.events).toBeGreaterThan(200)
  expect(totals.denied).toBeGreaterThan(3)
  expect(totals.answersLost).toBeGreaterThan(0)
}, 60_000)

describe('the checker sees', () => {
  const row = (number: number, value = 0, id = String(number + 1)): FoundRow => ({ id, number, value })
  const complaints = (ledger: WriterLedger, rows: readonly FoundRow[], pair: readonly [number, number] = [3, 3]) => verifyRows(ledger, { rows, pair }).map(({ what }) => what).join('; ')

  /** Rows 0 and 1 acknowledged, 2 and 3 of one request open, row 4 refused, 5 denied; the pair at 3. */
  function written(): WriterLedger {
    const ledger = newWriterLedger(7)
    for (const known of [...noteRows(ledger, 1), ...noteRows(ledger, 1)]) Object.assign(known, { created: 'acked', id: String(known.number + 1) })
    noteRows(ledger, 2)
    for (const refused of noteRows(ledger, 1)) refused.created = 'none'
    ledger.denied.add(ledger.next++)
    ledger.pair.value = 3
    return ledger
  }
  const rowOf = (ledger: WriterLedger, number: number) => ledger.rows.get(number) ?? expect.unreachable()

  test('nothing where all is well, with and without what was open', () => {
    expect(complaints(written(), [row(0), row(1)])).toBe('')
    expect(complaints(written(), [row(0), row(1), row(2), row(3)])).toBe('')
  })

  test('a lost row, a doubled one, half of a request, one that was refused, denied or never sent', () => {
    expect(complaints(written(), [row(0)])).toContain('acknowledged row 1 is gone')
    expect(complaints(written(), [row(0), row(1), row(1)])).toContain('there 2 times')
    expect(complaints(written(), [row(0), row(1), row(2)])).toContain('only some')
    expect(complaints(written(), [row(0), row(1), row(4)])).toContain('refused')
    expect(complaints(written(), [row(0), row(1), row(5)])).toContain('denied')
    expect(complaints(written(), [row(0), row(1), row(9)])).toContain('nobody sent')
  })

  test('another id, another value, a deleted row, half of a transaction', () => {
    expect(complaints(written(), [row(0, 0, '99'), row(1)])).toContain('acknowledged was 1')
    expect(complaints(written(), [row(0, 5), row(1)])).toContain('the value 5')
    const ledger = written()
    rowOf(ledger, 0).pendingValue = 5
    rowOf(ledger, 1).deleted = 'acked'
    expect(complaints(ledger, [row(0, 5)])).toBe('')
    expect(complaints(ledger, [row(0, 5), row(1)])).toContain('came back')
    expect(complaints(written(), [row(0), row(1)], [3, 4])).toContain('half of a transaction')
    expect(complaints(written(), [row(0), row(1)], [4, 4])).toContain('acknowledged was 3')
  })

  test('what was found is what is promised from then on', () => {
    const ledger = written()
    settleRows(ledger, { rows: [row(0), row(1), row(2, 4), row(3)], pair: [4, 4] })
    expect(complaints(ledger, [row(0), row(1)], [4, 4])).toContain('acknowledged row 2 is gone')
    expect(complaints(ledger, [row(0), row(1), row(2, 4), row(3)], [4, 4])).toBe('')
  })
})

/** The short form of the crash campaign: some SIGKILLs in each durable mode, and every promise compared. */
import { expect, test } from 'bun:test'
import { runCampaign } from './campaign.ts'

const testMsMax = 180_000

for (const [mode, kills, seed] of [
  ['acid', 6, 20_261],
  ['file-durable', 4, 20_262],
] as const) {
  test.concurrent(`${mode}: nothing acknowledged is lost or doubled over ${kills} kills`, async () => {
    const result = await runCampaign({ mode, kills, seed })
    expect(result.violations).toEqual([])
    expect(result.totals.kills).toBe(kills)
    // A run in which hardly anything was acknowledged would prove nothing.
    expect(result.totals.appendsAcked).toBeGreaterThan(100)
    expect(result.totals.recordsRead).toBeGreaterThan(100)
    expect(result.totals.answersLost).toBeGreaterThan(0)
  }, testMsMax)
}

/** Delays between attempts: where they double, where they stop, and how far jitter moves them. */
import { expect, test } from 'bun:test'
import { backoffMs } from '../../src/lib/backoff.ts'

const plain = { firstMs: 100, maxMs: 5000, jitterShare: 0 }
const spread = { firstMs: 1000, maxMs: 8000, jitterShare: 0.2 }

test.each([
  [plain, 0, 0.9, 100],
  [plain, 1, 0.9, 200],
  [plain, 5, 0.9, 3200],
  [plain, 6, 0.9, 5000],
  [plain, 1e9, 0, 5000],
  [{ ...plain, firstMs: 9000 }, 0, 0.5, 5000],
  [spread, 0, 0, 800],
  [spread, 0, 0.5, 1000],
  [spread, 0, 1 - Number.EPSILON, 1200],
  [spread, 2, 0, 3200],
  [spread, 10, 0, 5333],
  [spread, 10, 0.5, 6667],
  [spread, 10, 1 - Number.EPSILON, 8000],
  [{ firstMs: 3, maxMs: 100, jitterShare: 0.5 }, 0, 0.1, 2],
] as const)('%j waits, before attempt %d and with jitter %d, %d ms', (options, attempt, jitter, expected) => {
  expect(backoffMs(attempt, options, jitter)).toBe(expected)
})

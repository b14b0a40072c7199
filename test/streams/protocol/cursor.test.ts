/** Cursors: the interval of now, and always one further than a client that is not behind. */
import { expect, test } from 'bun:test'
import { cursorAfter, parseCursor } from '../../../src/streams/protocol/cursor.ts'

const epochMs = Date.UTC(2024, 9, 9)
const at = (intervals: number) => epochMs + intervals * 20_000
const nearlyOne = 1 - Number.EPSILON

test.each([
  [null, at(0), 0.5, 0],
  [null, at(1) - 1, 0.5, 0],
  [null, at(1), 0.5, 1],
  [null, at(1_000_000) + 19_999, 0, 1_000_000],
  [999, at(1000), 0.9, 1000],
  [0, at(1000), 0.9, 1000],
  [1000, at(1000), 0, 1001],
  [1000, at(1000), nearlyOne, 1180],
  [5000, at(1000), 0, 5001],
  [5000, at(1000), 0.5, 5090],
])('a client with %p at %d, jitter %d, gets %d', (sent, nowMs, jitter, expected) => {
  expect(cursorAfter(sent, nowMs, jitter)).toBe(expected)
})

test('a client that comes again at once never gets what it sent, nor more than an hour further', () => {
  let sent: number | null = null
  for (let i = 0; i < 1000; i++) {
    const next: number = cursorAfter(sent, at(100), (i * 0.37) % 1)
    if (sent !== null) expect(next).toBeGreaterThan(sent)
    if (sent !== null) expect(next - sent).toBeLessThanOrEqual(180)
    sent = next
  }
})

test.each([
  [null, null],
  ['', null],
  ['0', 0],
  ['0012', 12],
  ['999999999999999', 999_999_999_999_999],
  ['1000000000000000', null],
  ['-1', null],
  ['1.5', null],
  ['1e3', null],
  [' 1', null],
  ['1\n', null],
  ['abc', null],
  ['0x10', null],
])('the parameter %p is read as %p', (value, expected) => {
  expect(parseCursor(value)).toBe(expected)
})

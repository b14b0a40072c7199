/** UUIDs: round trips, order, and what other makers of UUIDs agree on. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { uuidParse, UuidSequence, uuidText, uuidV4 } from '../../../src/records/functions/uuid-functions.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 })

test('text and bytes are each other’s, in every form that is read', () => {
  fc.assert(
    fc.property(bytes16, bytes => {
      const text = uuidText(bytes)
      expect(text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      for (const form of [text, text.toUpperCase(), text.replaceAll('-', ''), `{${text}}`, `urn:uuid:${text}`]) expect(uuidParse(form)).toEqual(bytes)
    }),
  )
  for (const wrong of ['', 'x', '{01950408-de17-7f13-8ef5-66d90b890bfd', '01950408-de17-7f13-8ef5-66d90b890bf', '01950408de17-7f13-8ef5-66d90b890bfd', 'urn:uuid:{01950408-de17-7f13-8ef5-66d90b890bfd}', ' 01950408-de17-7f13-8ef5-66d90b890bfd']) {
    expect(() => uuidParse(wrong)).toThrow('the text is not a UUID')
  }
})

test('version 4 is random but for its marks', () => {
  const made = Array.from({ length: 500 }, () => uuidText(uuidV4(systemIds)))
  expect(new Set(made).size).toBe(500)
  for (const text of made) expect(text).toMatch(/^.{8}-.{4}-4.{3}-[89ab]/)
})

test('version 7 grows within a millisecond, past a full counter, and when the clock goes back', () => {
  const clock = new ManualClock(1_700_000_000_000)
  const sequence = new UuidSequence(systemIds, clock)
  const made: string[] = []
  const take = (count: number) => made.push(...Array.from({ length: count }, () => uuidText(sequence.next())))
  take(1)
  expect(Number.parseInt((made[0] ?? '').replaceAll('-', '').slice(0, 12), 16)).toBe(1_700_000_000_000)
  take(10_000)
  const times = [1_800_000_000_000, 1_700_000_000_000]
  const backwards = new UuidSequence(systemIds, { ...systemClock, now: () => times.shift() ?? 1_600_000_000_000 })
  const back = Array.from({ length: 10 }, () => uuidText(backwards.next()))
  expect(made).toEqual(made.toSorted())
  expect(back).toEqual(back.toSorted())
  // The clock that went back is waited for, not run ahead of.
  expect(new Set(back.map(text => text.slice(0, 13))).size).toBe(1)
  expect(new Set(made).size).toBe(made.length)
  for (const text of [...made, ...back]) expect(text).toMatch(/^.{8}-.{4}-7.{3}-[89ab]/)
})

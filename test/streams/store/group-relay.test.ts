/** When groups go to the applying thread, which ones go together, and that their bytes arrive as they were. */
import { expect, test } from 'bun:test'
import { GroupRelay, type RelayedGroups } from '../../../src/streams/store/group-relay.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const aimBytes = 256 * 1024

function relay() {
  const clock = new ManualClock()
  const sent: RelayedGroups[] = []
  const relayed = new GroupRelay(clock, groups => sent.push(groups))
  /** First number, segment and size of every message. */
  const seen = () => sent.map(each => [each.first, each.segment, each.groups.byteLength])
  return { clock, sent, relayed, seen }
}

test('groups wait for each other for 10 ms from the first one on, and go as one message', () => {
  const { clock, sent, relayed, seen } = relay()
  relayed.push(5, Buffer.from('one,'), 1)
  clock.advance(6)
  relayed.push(6, Buffer.from('two,'), 1)
  clock.advance(3)
  expect(sent).toEqual([])
  clock.advance(1)
  expect(seen()).toEqual([[5, 1, 8]])
  expect(Buffer.from(sent[0]?.groups ?? []).toString()).toBe('one,two,')
  relayed.push(7, Buffer.from('three'), 1)
  expect(clock.pending).toBe(1)
  clock.advance(10)
  expect(seen()).toEqual([[5, 1, 8], [7, 1, 5]])
})

test.each([
  [[aimBytes], [[1, 1, aimBytes]]],
  [[aimBytes - 1], []],
  [[aimBytes - 1, 1], [[1, 1, aimBytes]]],
  [[aimBytes * 3, 1], [[1, 1, aimBytes * 3]]],
  [[100, aimBytes, 5, aimBytes], [[1, 1, aimBytes + 100], [3, 1, aimBytes + 5]]],
])('groups of %j bytes go at once as %j', (sizes, expected) => {
  const { clock, relayed, seen } = relay()
  sizes.forEach((size, i) => relayed.push(i + 1, new Uint8Array(size), 1))
  expect(seen()).toEqual(expected)
  const gone = expected.reduce((sum, [, , bytes]) => sum + (bytes ?? 0), 0)
  const waiting = sizes.reduce((sum, size) => sum + size, 0) - gone
  expect(clock.pending).toBe(waiting > 0 ? 1 : 0)
  clock.advance(10)
  expect(seen().reduce((sum, [, , bytes]) => sum + (bytes ?? 0), 0)).toBe(gone + waiting)
})

test('groups of two segments never share a message', () => {
  const { relayed, seen } = relay()
  relayed.push(1, new Uint8Array(10), 1)
  relayed.push(2, new Uint8Array(20), 1)
  relayed.push(3, new Uint8Array(40), 2)
  expect(seen()).toEqual([[1, 1, 30]])
  relayed.flush()
  expect(seen()).toEqual([[1, 1, 30], [3, 2, 40]])
})

test('what waits goes when it is asked for, once, and no timer is left', () => {
  const { clock, relayed, seen } = relay()
  relayed.flush()
  expect(seen()).toEqual([])
  relayed.push(1, new Uint8Array(10), 1)
  relayed.flush()
  relayed.flush()
  expect(seen()).toEqual([[1, 1, 10]])
  expect(clock.pending).toBe(0)
  clock.advance(100)
  expect(seen()).toEqual([[1, 1, 10]])
})

test('a message has memory of its own, for it is given away', () => {
  const { sent, relayed } = relay()
  const group = new Uint8Array(4).fill(7)
  relayed.push(1, group, 1)
  relayed.flush()
  group.fill(0)
  expect([...(sent[0]?.groups ?? [])]).toEqual([7, 7, 7, 7])
  expect(sent[0]?.groups.buffer.byteLength).toBe(4)
})

/** When memory is given back: after a busy time, once, when it is quiet. */
import { expect, test } from 'bun:test'
import { keepMemorySmall } from '../../src/ops/memory.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('collects once after a busy time, when it is quiet', () => {
  const clock = new ManualClock()
  let requests = 0
  let collections = 0
  const stop = keepMemorySmall({ clock, requests: () => requests, dropUnused: () => 0, collect: () => void collections++ })
  const second = (more: number) => {
    requests += more
    clock.advance(1000)
  }
  second(0)
  expect(collections).toBe(0)
  second(20_000)
  expect(collections).toBe(0)
  second(3)
  expect(collections).toBe(1)
  second(0)
  second(4_000)
  second(0)
  expect(collections).toBe(1)
  second(4_000)
  second(0)
  expect(collections).toBe(2)
  stop()
  second(50_000)
  second(0)
  expect(collections).toBe(2)
})

test('collects when caches gave up much, however few requests there were', () => {
  const clock = new ManualClock()
  let unused = 0
  let collections = 0
  const stop = keepMemorySmall({ clock, requests: () => 0, dropUnused: () => unused, collect: () => void collections++ })
  clock.advance(1000)
  expect(collections).toBe(0)
  unused = 16 * 1024 * 1024
  clock.advance(1000)
  expect(collections).toBe(1)
  unused = 0
  clock.advance(5000)
  expect(collections).toBe(1)
  stop()
})

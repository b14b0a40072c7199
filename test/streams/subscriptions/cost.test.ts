/** What subscriptions cost the appends of streams that nobody follows. */
import { expect, test } from 'bun:test'
import type { StreamEvent } from '../../../src/streams/subscriptions/subscriptions.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { caller, live, pullWake } from './server.ts'

const perSecond = 40_000
const coreShareMax = 0.02

function appends(): StreamEvent[][] {
  const batches: StreamEvent[][] = []
  for (let i = 0; i < perSecond / 100; i++) {
    batches.push(Array.from({ length: 100 }, (_, j) => ({ kind: 'appended', path: `orders/${(i * 100 + j) % 1_000}`, id: j, tail: `0000000000000000_${i}` })))
  }
  return batches
}

/** Milliseconds for one second's worth of appends; the best of several rounds, as the machine is shared. */
function bestMs(run: (events: readonly StreamEvent[]) => void): number {
  let best = Infinity
  for (let round = 0; round < 10; round++) {
    const batches = appends()
    const startMs = performance.now()
    for (const batch of batches) run(batch)
    best = Math.min(best, performance.now() - startMs)
  }
  return best
}

test.each([0, 1, 2_000])('40,000 appends/s to streams that none of %d subscriptions follows cost < 2 %% of a core', async count => {
  const store = new MemoryStore()
  const { subscriptions, kill } = await live(store, new FakeClock())
  for (let i = 0; i < count; i++) await subscriptions.create(`s${i}`, pullWake({ pattern: i % 2 === 0 ? 'events/*' : '*/none', streams: [`manual/${i}`] }), caller)
  expect(bestMs(batch => subscriptions.onEvents(batch))).toBeLessThan(1_000 * coreShareMax)
  kill()
})

test('nor do appends to a stream whose wake is out', async () => {
  const store = new MemoryStore()
  const { subscriptions, kill } = await live(store, new FakeClock())
  await subscriptions.create('s', pullWake(), caller)
  store.create('events/a', '{}')
  await subscriptions.claim('s', 'w', caller)
  const stream = store.host().snapshot('events/a')
  let position = 100
  const run = (batch: readonly StreamEvent[]) =>
    subscriptions.onEvents(batch.map(() => ({ kind: 'appended', path: 'events/a', id: stream?.id ?? 0, tail: `0000000000000000_${position++}` })))
  expect(bestMs(run)).toBeLessThan(1_000 * coreShareMax * 2)
  kill()
})

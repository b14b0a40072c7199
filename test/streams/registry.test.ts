/** Which streams stay in memory, and that forgetting one loses nothing. Finding streams is tested with everything that does. */
import { expect, test } from 'bun:test'
import { cachedStreamsMax } from '../../src/streams/registry.ts'
import { StoreWorld } from '../support/stream-store.ts'

const text = { 'content-type': 'text/plain' }

test('a window that only reads renew is not shortened when its stream leaves memory', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 }, { queuedOperationsMax: 2 * cachedStreamsMax })
  try {
    const { registry } = world.streams
    await world.put('read', { ...text, 'stream-ttl': '100' }, 'x')
    await world.drained()
    world.clock.advance(9_000) // within a tenth of the window: the read is not stored
    world.get('read')
    const { id } = registry.find('read') ?? { id: -1 }
    let others = 0
    for (let rounds = 0; rounds < 6 && registry.known(id) !== null; rounds++) {
      await Promise.all(Array.from({ length: cachedStreamsMax / 2 + 1000 }, () => world.put(`other/${others++}`, text)))
      await world.drained()
    }
    expect(registry.known(id)).toBeNull()
    expect(registry.residentCount).toBeLessThan(cachedStreamsMax + 1000)
    world.clock.advance(95_000)
    expect(world.head('read').tail).toBe(1)
  } finally {
    await world.end()
  }
}, 30_000)

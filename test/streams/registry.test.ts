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

test('streams that were created all at once leave memory when they are stored, without others that come', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 }, { queuedOperationsMax: 3 * cachedStreamsMax })
  try {
    const { registry } = world.streams
    await Promise.all(Array.from({ length: 2 * cachedStreamsMax }, (_, index) => world.put(`many/${index}`, text)))
    await world.drained()
    expect(registry.residentCount).toBeLessThan(cachedStreamsMax + 1000)
    expect(world.head('many/7').tail).toBe(0)
  } finally {
    await world.end()
  }
}, 30_000)

test('a stream that is being imported does not leave memory, so that its import goes on with it', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 }, { queuedOperationsMax: 3 * cachedStreamsMax })
  try {
    const facts = { path: 'imported', contentType: 'text/plain', closed: false, createdAtMs: 1, ttlSecs: null, expiresAtMs: null, seq: null, producers: [] }
    const staging = await world.operator.stage(facts)
    await staging.append([Buffer.from('one')])
    await world.drained()
    for (let round = 0; round < 2; round++) {
      await Promise.all(Array.from({ length: cachedStreamsMax + 1000 }, (_, index) => world.put(`many/${round}/${index}`, text)))
      await world.drained()
    }
    await staging.append([Buffer.from('two')])
    expect(await staging.install('fail')).toBe('installed')
    expect(world.text('imported')).toBe('onetwo')
    const stream = world.streams.registry.find('imported')
    expect(stream).not.toBeNull()
    expect(world.streams.registry.byId(stream?.id ?? -1)).toBe(stream)
  } finally {
    await world.end()
  }
}, 30_000)

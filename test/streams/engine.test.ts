/** What the engine answers while something is not durable yet, and what is left when it never becomes so. What every mode promises is in test/contract. */
import { expect, test } from 'bun:test'
import { refusalOf, StoreWorld } from '../support/stream-store.ts'

const text = { 'content-type': 'text/plain' }
const noRoom = 'insufficient_storage'

test('a refusal that rests on a deletion is not given before the deletion is durable', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 })
  try {
    await world.put('plain', text, 'x')
    await world.put('source', text, 'x')
    await world.put('fork', { 'stream-forked-from': 'source' })
    for (const path of ['plain', 'source']) {
      const told: unknown[] = []
      world.full = true
      const asked = [
        () => world.remove(path),
        () => world.remove(path),
        () => world.post(path, text, 'y'),
        () => world.put('other', { 'stream-forked-from': path }),
      ]
      await Promise.all(asked.map(async ask => told.push(await refusalOf(ask))))
      world.full = false
      expect(told).toEqual([noRoom, noRoom, noRoom, noRoom]) // and not that it is gone: it is there
      expect(world.text(path)).toBe('x')
    }
    const [removed, appended, forked] = await Promise.all([
      refusalOf(() => world.remove('source')),
      refusalOf(() => world.post('source', text, 'y')),
      refusalOf(() => world.put('other', { 'stream-forked-from': 'source' })),
    ])
    expect([removed, appended, forked]).toEqual([{ notRefused: undefined }, 'gone', 'fork_source_deleted'])
  } finally {
    await world.end()
  }
})

test('a source whose only fork found no room on another disk goes by itself', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 4 })
  try {
    await world.put('source', text, 'x')
    const { registry } = world.streams
    const home = registry.shards.indexOf(registry.shardOfPath('source'))
    const fork = ['a', 'b', 'c', 'd', 'e', 'f'].find(path => registry.shards.indexOf(registry.shardOfPath(path)) !== home) ?? ''
    const elsewhere = registry.shards.indexOf(registry.shardOfPath(fork))
    world.streams.start()
    world.fullShards.add(elsewhere)
    const forked = refusalOf(() => world.put(fork, { 'stream-forked-from': 'source' }))
    const removed = world.remove('source')
    expect(await forked).toBe(noRoom)
    await removed
    // The first attempt finds no room either: it is not the last one.
    world.fullShards.add(home)
    await pass(world)
    expect(await refusalOf(() => world.put('source', text))).toBe('path_blocked')
    world.fullShards.clear()
    await pass(world)
    expect(await world.put('source', text)).toMatchObject({ created: true })
  } finally {
    await world.end()
  }
})

async function pass(world: StoreWorld): Promise<void> {
  for (let rounds = 0; rounds < 2; rounds++) {
    world.clock.advance(1000)
    await world.settled()
  }
}

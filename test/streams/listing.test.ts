/** The walk over streams while the writer thread brings them into the tables. */
import { expect, test } from 'bun:test'
import { StoreWorld } from '../support/stream-store.ts'

test('a stream that reaches the tables during the walk is told once, and in its place', async () => {
  await using world = await StoreWorld.open({ mode: 'acid', shards: 1 })
  for (const path of ['a', 'b', 'c']) await world.put(path)
  await world.drained()
  const [shard] = world.store.shards
  // What the walk saw when it asked for `b` a moment before the writer thread applied it.
  const later = shard?.streamById.bind(shard)
  const b = world.get('b').streamId
  Object.assign(shard ?? {}, { streamById: (id: number) => (id === b ? null : (later?.(id) ?? null)) })
  expect(world.operator.list({ prefix: '', after: '', limit: 10 }).map(stream => stream.path)).toEqual(['a', 'b', 'c'])
})

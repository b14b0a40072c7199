/** The walk over streams while the writer thread brings them into the tables. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { exportArchive } from '../../src/admin/export.ts'
import { refusalOf, StoreWorld } from '../support/stream-store.ts'

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

test.each(['acid', 'file-durable'] as const)('%s: damaged rows keep no other stream out of a listing, and are named', async mode => {
  const world = await StoreWorld.open({ mode, shards: mode === 'acid' ? 1 : null })
  try {
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const path of names) await world.put(path)
    await world.close()
    const db = new Database(join(world.directory, mode === 'acid' ? 'acid/shard-000.db' : 'file/index.db'))
    db.run(`UPDATE streams SET tail = tail + 1 WHERE path IN ('b', 'c')`)
    await world.reopen()
    const paths = (after: string, limit: number) => world.operator.list({ prefix: '', after, limit }).map(stream => stream.path)
    expect(paths('', 10)).toEqual(['a', 'd', 'e'])
    expect(paths('a', 1)).toEqual(['d'])
    // Whole pages of rows that are damaged end no walk.
    const [shard] = world.store.shards
    expect(shard?.list('', '', 2, () => {}).map(row => row.path)).toEqual(['a', 'd'])
    const named = world.logged.filter(line => line.level === 'error').map(line => line.fields['path'])
    expect(named).toEqual(['b', 'c'])
    expect(world.metrics.render()).toContain('headwater_streams_damaged 2\n')
    // An archive that lacks a stream must not look whole.
    expect(await refusalOf(() => new Response(exportArchive(world.operator, { prefix: '', clock: world.clock })).text())).toBe('stream_damaged')
    // One that is in memory is known as it was.
    world.head('d')
    db.run(`UPDATE streams SET tail = tail + 1 WHERE path = 'd'`)
    expect(paths('', 10)).toEqual(['a', 'd', 'e'])
    db.close()
  } finally {
    await world.end()
  }
})

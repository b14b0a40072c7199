/** The sweeper beside damage: one stream that cannot be read keeps no other from ending. Expiry itself is in test/contract. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { StoreWorld } from '../support/stream-store.ts'

test('a stream with a damaged row does not keep others from ending', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 })
  try {
    for (const path of ['damaged', 'whole']) await world.put(path, { 'content-type': 'text/plain', 'stream-ttl': '5' }, 'x')
    await world.close()
    const db = new Database(join(world.directory, 'acid/shard-000.db'))
    db.run(`UPDATE streams SET tail = tail + 1 WHERE path = 'damaged'`)
    await world.reopen()
    world.streams.start()
    for (let i = 0; i < 7; i++) {
      world.clock.advance(1000)
      await world.settled()
    }
    await world.drained()
    expect(db.query<{ path: string }, []>('SELECT path FROM streams').all()).toEqual([{ path: 'damaged' }])
    db.close()
  } finally {
    await world.end()
  }
})

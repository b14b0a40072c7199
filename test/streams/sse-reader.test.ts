/** A live reader whose stream cannot be read: it ends alone. What readers are sent is proved over HTTP (test/http, test/regression). */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { localAdmin } from '../../src/lib/principal.ts'
import { parseRead } from '../../src/streams/protocol/read.ts'
import { StoreWorld } from '../support/stream-store.ts'

test('damage that a commit meets in a live reader ends the reader, not the commit', async () => {
  const world = await StoreWorld.open({ mode: 'acid', shards: 1 })
  try {
    await world.put('a', { 'content-type': 'text/plain' }, 'x'.repeat(1000))
    await world.close()
    const db = new Database(join(world.directory, 'acid/shard-000.db'))
    db.run('UPDATE segments SET data = zeroblob(length(data))')
    db.close()
    await world.reopen()
    const command = parseRead('a', new URLSearchParams({ offset: '-1', live: 'sse' }), new Headers())
    const ends: string[] = []
    const reader = world.streams.sse(localAdmin, command, how => ends.push(how))
    // A commit that comes before the first byte was asked for.
    reader.onTail({ start: 1000, end: 1001, closed: false, removed: false, frames: new Map() })
    expect(await reader.body.getReader().read().catch((error: unknown) => error)).toMatchObject({ code: 'stream_damaged' })
    expect(ends).toEqual(['abandoned'])
    expect(reader.stream.listeners.size).toBe(0)
    expect(world.streams.live.sseCount).toBe(0)
    await world.post('a', { 'content-type': 'text/plain' }, 'y')
    const late = world.streams.sse(localAdmin, command, how => ends.push(how))
    expect(await late.body.getReader().read().catch((error: unknown) => error)).toMatchObject({ code: 'stream_damaged' })
    expect(world.streams.live.sseCount).toBe(0)
  } finally {
    await world.end()
  }
})

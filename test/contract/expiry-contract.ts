/** What every storage mode promises of streams that end by themselves. Part of store-contract.ts. */
import { expect, test } from 'bun:test'
import { refusalOf, type StoreWorld } from '../support/stream-store.ts'
import { text, type Contract } from './store-contract.ts'

async function pass(world: StoreWorld, secs: number): Promise<void> {
  for (let i = 0; i < secs; i++) {
    world.clock.advance(1000)
    await world.settled()
  }
}

export function expiryContract({ open, moment }: Contract): void {
  test('an expired stream is gone at once, and its name is free', async () => {
    await using world = await open()
    await world.put('ttl', { ...text, 'stream-ttl': '10' }, 'old')
    await world.put('at', { ...text, 'stream-expires-at': new Date(world.clock.now() + 10_000).toISOString() }, 'old')
    await moment(world)
    world.clock.advance(9_999)
    expect(world.head('ttl').tail).toBe(3)
    world.clock.advance(1)
    for (const path of ['ttl', 'at']) {
      expect(await refusalOf(() => world.get(path))).toBe('stream_not_found')
      expect(await refusalOf(() => world.post(path, text, 'x'))).toBe('stream_not_found')
      expect(await refusalOf(() => world.remove(path))).toBe('stream_not_found')
      expect(await world.put(path, text, 'new')).toMatchObject({ created: true })
    }
    await moment(world)
    expect(world.text('ttl') + world.text('at')).toBe('newnew')
    if (!world.durable) expect(world.streams.engine.memoryBytes).toBe(6)
  })

  test('the sweeper removes what nobody asks for', async () => {
    await using world = await open()
    for (let i = 0; i < 50; i++) await world.put(`s${i}`, { ...text, 'stream-ttl': '5' }, 'x'.repeat(100))
    await moment(world)
    await world.drained()
    world.streams.start()
    await pass(world, 6)
    await world.drained()
    expect(world.streams.engine.memoryBytes).toBe(0)
    for (const shard of world.store.shards) expect(shard.list('', '', 100, () => {})).toEqual([])
    expect(world.streams.registry.residentCount).toBe(0)
  })

  test('a window slides with reads and writes, and by no more than they say', async () => {
    await using world = await open()
    await world.put('a', { ...text, 'stream-ttl': '100' }, 'x')
    await world.drained()
    world.streams.start()
    await pass(world, 9) // within a tenth of the window: the read is not stored
    world.get('a')
    await pass(world, 99)
    expect(world.head('a').tail).toBe(1)
    await pass(world, 1)
    expect(await refusalOf(() => world.head('a'))).toBe('stream_not_found')
    await world.put('a', { ...text, 'stream-ttl': '100' }, 'x')
    await pass(world, 60)
    await world.post('a', text, 'y')
    await pass(world, 60)
    world.get('a', 'now')
    await moment(world)
    await pass(world, 99)
    expect(world.head('a').tail).toBe(2)
  })

  test('a read that is stored keeps a stream alive over a restart', async () => {
    await using world = await open()
    await world.put('a', { ...text, 'stream-ttl': '100' }, 'x')
    world.clock.advance(60_000)
    world.get('a')
    await moment(world)
    world.clock.advance(99_000)
    expect(world.text('a')).toBe('x')
  })

  test('a time before 1970 has passed, also by one millisecond', async () => {
    await using world = await open()
    for (const at of ['1969-12-31T23:59:59.999Z', '1970-01-01T00:00:00Z', '0000-01-01T00:00:00Z']) {
      await world.put('a', { ...text, 'stream-expires-at': at }, 'x')
      await moment(world)
      expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
    }
  })

  test('windows without end are kept and harmless', async () => {
    await using world = await open({ pageBytes: 4096 }) // a store of its own: a sweeper that runs would have to tick 10⁹ times
    await world.put('a', { ...text, 'stream-ttl': '18446744073709551615' }, 'x')
    await moment(world)
    world.clock.advance(1e12)
    expect(world.head('a').ttlSecs).toBe(Number.MAX_SAFE_INTEGER)
    expect(world.text('a')).toBe('x')
  })

  test('an expired source goes when its last fork goes', async () => {
    await using world = await open()
    await world.put('a', { ...text, 'stream-ttl': '10' }, 'x')
    await world.put('b', { 'stream-forked-from': 'a', 'stream-ttl': '1000' })
    world.streams.start()
    await pass(world, 11)
    await moment(world)
    expect(world.text('b')).toBe('x')
    expect(await refusalOf(() => world.put('a', text))).toBe('path_blocked')
    await world.remove('b')
    await world.settled()
    expect(await world.put('a', text)).toMatchObject({ created: true })
    if (!world.durable) expect(world.streams.engine.memoryBytes).toBe(0)
  })
}

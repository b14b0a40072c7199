/** What every storage mode promises of streams that are built out of sight, as an import does. Part of store-contract.ts. */
import { expect, test } from 'bun:test'
import { refusalOf, type StoreWorld } from '../support/stream-store.ts'
import { text, type Contract } from './store-contract.ts'

function facts(path: string) {
  return { path, contentType: 'text/plain', closed: false, createdAtMs: 1, ttlSecs: null, expiresAtMs: null, seq: null, producers: [] }
}

function bytes(...records: string[]): Uint8Array[] {
  return records.map(record => Buffer.from(record))
}

function listed(world: StoreWorld, prefix = ''): string[] {
  return world.operator.list({ prefix, after: '', limit: 100 }).map(stream => stream.path)
}

export function stagingContract({ open, moment }: Contract): void {
  test('a staged stream is seen only when it is installed, then with all its state', async () => {
    await using world = await open()
    const producers = [{ id: 'p', epoch: 3, seq: 7 }]
    const staging = await world.operator.stage({ ...facts('a/b'), closed: true, seq: 's', producers, ttlSecs: 60 })
    await staging.append(bytes('one', 'two'))
    await world.drained()
    expect(listed(world)).toEqual([])
    expect(await refusalOf(() => world.get('a/b'))).toBe('stream_not_found')
    expect(await staging.install('fail')).toBe('installed')
    expect(listed(world, 'a/')).toEqual(['a/b'])
    await moment(world)
    expect(listed(world)).toEqual(['a/b'])
    expect(world.text('a/b')).toBe('onetwo')
    expect([...world.operator.records('a/b')].length).toBe(2)
    expect(world.operator.info('a/b')).toMatchObject({ closed: true, seq: 's', producers, ttlSecs: 60, createdAtMs: 1, bytes: 6 })
  })

  test('an installed stream is not read before its name is durable', async () => {
    await using world = await open()
    const staging = await world.operator.stage(facts('a'))
    await staging.append(bytes('one'))
    const installed = staging.install('fail')
    expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
    await installed
    expect(world.text('a')).toBe('one')
    const next = await world.operator.stage(facts('a'))
    await next.append(bytes('two'))
    const replaced = next.install('replace')
    expect(world.text('a')).toBe('one')
    await replaced
    expect(world.text('a')).toBe('two')
  })

  test('a record that no body could hold is refused, and the stream takes others', async () => {
    await using world = await open()
    const staging = await world.operator.stage(facts('a'))
    expect(await refusalOf(() => staging.append([new Uint8Array((1 << 20) + 1)]))).toBe('body_too_large')
    await staging.append(bytes('one'))
    expect(await staging.install('fail')).toBe('installed')
    expect(world.text('a')).toBe('one')
  })

  test('installed streams stand in their place of the list before any table knows', async () => {
    await using world = await open()
    for (const path of ['a', 'c']) await world.put(path, text)
    const staging = await world.operator.stage(facts('b'))
    await world.drained()
    await staging.install('fail')
    expect(listed(world)).toEqual(['a', 'b', 'c'])
    await moment(world)
    expect(listed(world)).toEqual(['a', 'b', 'c'])
  })

  test('what has the name is kept, skipped or replaced as asked', async () => {
    await using world = await open()
    await world.put('a', text, 'old')
    const failing = await world.operator.stage(facts('a'))
    await failing.append(bytes('new'))
    expect(await refusalOf(() => failing.install('fail'))).toBe('stream_exists')
    await failing.discard()
    const skipping = await world.operator.stage(facts('a'))
    expect(await skipping.install('skip')).toBe('skipped')
    expect(world.text('a')).toBe('old')
    const replacing = await world.operator.stage(facts('a'))
    await replacing.append(bytes('new', 'est'))
    expect(await replacing.install('replace')).toBe('installed')
    await moment(world)
    expect(world.text('a')).toBe('newest')
    await world.post('a', text, '!')
    await moment(world)
    expect(world.text('a')).toBe('newest!')
    expect(listed(world)).toEqual(['a'])
  })

  test('a source with forks is not replaced; a replaced fork lets its source go', async () => {
    await using world = await open()
    await world.put('a', text, 'a')
    await world.put('b', { 'stream-forked-from': 'a' })
    const blocked = await world.operator.stage(facts('a'))
    expect(await refusalOf(() => blocked.install('replace'))).toBe('path_blocked')
    await blocked.discard()
    await world.remove('a')
    const replacing = await world.operator.stage(facts('b'))
    await replacing.append(bytes('new b'))
    await replacing.install('replace')
    await world.settled()
    await moment(world)
    expect(world.text('b')).toBe('new b')
    expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
    expect(await world.put('a', text)).toMatchObject({ created: true })
  })

  test('memory is counted for staged streams too, and given back', async () => {
    await using world = await open({ memoryBytesMax: 100, streamBytesMax: 60 })
    const { engine } = world.streams
    const counted = (count: number) => expect(engine.memoryBytes).toBe(world.durable ? 0 : count)
    const discarded = await world.operator.stage(facts('a'))
    await discarded.append(bytes('x'.repeat(50)))
    counted(50)
    await discarded.discard()
    counted(0)
    const kept = await world.operator.stage(facts('a'))
    await kept.append(bytes('x'.repeat(50)))
    expect(await refusalOf(() => kept.append(bytes('x'.repeat(20))))).toBe('stream_too_large')
    await kept.install('fail')
    counted(50)
    await world.put('b', text, 'y'.repeat(30))
    if (!world.durable) expect(await refusalOf(() => world.post('b', text, 'y'.repeat(30)))).toBe('insufficient_storage')
    const replacing = await world.operator.stage(facts('b'))
    await replacing.append(bytes('z'))
    await replacing.install('replace')
    counted(51)
    await world.remove('a')
    await world.remove('b')
    counted(0)
  })

  test('what an import left behind is removed at the next start', async () => {
    await using world = await open()
    await world.put('a', text, 'kept')
    const left = await world.operator.stage(facts('a'))
    await left.append(bytes('half an import'))
    if (!world.durable) return left.discard()
    await world.reopen()
    await world.operator.discardStaged()
    await world.drained()
    expect(world.store.shards.flatMap(shard => shard.list('', '', 10, () => {})).map(row => row.path)).toEqual(['a'])
    await moment(world)
    expect(world.text('a')).toBe('kept')
  })
}

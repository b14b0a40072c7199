/** What every storage mode promises of forks: inherited bytes, sub-offsets, and sources that outlive their deletion. Part of store-contract.ts. */
import { expect, test } from 'bun:test'
import { offsetOf, refusalOf, type Fields } from '../support/stream-store.ts'
import { json, text, type Contract } from './store-contract.ts'

function from(source: string, at?: number, subOffset?: number): Fields {
  return {
    'stream-forked-from': `/v1/stream/${source}`,
    ...(at === undefined ? {} : { 'stream-fork-offset': offsetOf(at) }),
    ...(subOffset === undefined ? {} : { 'stream-fork-sub-offset': String(subOffset) }),
  }
}

export function forkContract({ open, moment }: Contract): void {
  test('forks of forks inside records, each with bytes of its own', async () => {
    await using world = await open({ pageBytes: 7 })
    await world.put('a', text, 'abcdef')
    await world.post('a', text, 'ghijkl')
    await world.put('b', from('a', 6, 3), 'B')
    await moment(world)
    await world.post('b', text, 'BB')
    await world.put('c', from('b', 6, 2))
    await world.put('d', from('b', 9, 1), 'D')
    await moment(world)
    await world.post('a', text, 'more of a')
    await world.post('c', text, 'C')
    await world.put('e', from('c', 0, 4), 'E')
    await moment(world)
    expect(world.text('a')).toBe('abcdefghijklmore of a')
    expect(world.text('b')).toBe('abcdefghiBBB')
    expect(world.text('c')).toBe('abcdefghC')
    expect(world.text('d')).toBe('abcdefghiBD')
    expect(world.text('e')).toBe('abcdE')
    expect([...world.operator.records('c')].map(record => Buffer.from(record).toString())).toEqual(['abcdef', 'gh', 'C'])
    expect(await world.put('b', from('a', 6, 3))).toMatchObject({ created: false })
    expect(await refusalOf(() => world.put('b', from('a', 6, 2)))).toBe('stream_exists')
  })

  test('JSON forks count messages', async () => {
    await using world = await open()
    await world.put('a', json, '[1,[2,"]"],{"three":","}]')
    await world.post('a', json, '[4,5]')
    const second = world.get('a').end - '4,5,'.length
    await moment(world)
    for (const [sub, body] of [[0, '[]'], [1, '[1]'], [2, '[1,[2,"]"]]'], [3, '[1,[2,"]"],{"three":","}]']] as const) {
      await world.put(`first/${sub}`, from('a', 0, sub))
      expect(world.text(`first/${sub}`)).toBe(body)
    }
    await world.put('b', from('a', second, 1), '[6]')
    await moment(world)
    expect(world.text('b')).toBe('[1,[2,"]"],{"three":","},4,6]')
    expect(await refusalOf(() => world.put('x', from('a', 0, 4)))).toBe('invalid_fork')
    expect(await refusalOf(() => world.put('x', from('a', second, 3)))).toBe('invalid_fork')
    expect(await refusalOf(() => world.put('x', from('a', 3)))).toBe('invalid_fork')
    expect(await refusalOf(() => world.put('x', from('a', 1000)))).toBe('invalid_fork')
    expect(await refusalOf(() => world.put('x', { ...from('a'), ...text }))).toBe('content_type_mismatch')
    expect(await refusalOf(() => world.put('x', from('nothing')))).toBe('fork_source_not_found')
    // What was refused holds nothing: the source goes at once when its forks go.
    for (const name of ['first/0', 'first/1', 'first/2', 'first/3', 'b']) await world.remove(name)
    await world.remove('a')
    expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
  })

  test('a deleted source stays for its forks and goes with the last of them', async () => {
    await using world = await open()
    await world.put('a', text, 'inherited ')
    await world.put('b', from('a'), 'b')
    await world.put('c', from('b'), 'c')
    await world.put('d', from('a'), 'd')
    await world.remove('a')
    await world.remove('b')
    await moment(world)
    expect(world.text('c')).toBe('inherited bc')
    for (const path of ['a', 'b']) {
      expect(await refusalOf(() => world.get(path))).toBe('gone')
      expect(await refusalOf(() => world.post(path, text, 'x'))).toBe('gone')
      expect(await refusalOf(() => world.remove(path))).toBe('gone')
      expect(await refusalOf(() => world.put(path, text))).toBe('path_blocked')
      expect(await refusalOf(() => world.put('x', from(path)))).toBe('fork_source_deleted')
    }
    expect(world.operator.list({ prefix: '', after: '', limit: 10 }).map(stream => stream.path)).toEqual(['c', 'd'])
    await world.remove('c')
    await world.settled()
    await moment(world)
    expect(await refusalOf(() => world.get('b'))).toBe('stream_not_found')
    expect(await refusalOf(() => world.get('a'))).toBe('gone')
    await world.remove('d')
    await world.settled()
    await moment(world)
    expect(await world.put('a', text, 'new')).toMatchObject({ created: true })
    expect(world.text('a')).toBe('new')
    if (!world.durable) expect(world.streams.engine.memoryBytes).toBe(3)
  })

  test('the store may be closed while sources of a deleted fork still have to go', async () => {
    await using world = await open()
    for (let chain = 0; chain < 8; chain++) {
      await world.put(`${chain}/0`, text, 'x')
      for (let i = 1; i < 5; i++) await world.put(`${chain}/${i}`, from(`${chain}/${i - 1}`))
      for (let i = 0; i < 4; i++) await world.remove(`${chain}/${i}`)
    }
    await Promise.all(Array.from({ length: 8 }, (_, chain) => world.remove(`${chain}/4`)))
    await moment(world)
    await world.settled()
    for (let chain = 0; chain < 8; chain++) expect(await refusalOf(() => world.get(`${chain}/0`))).toBe('stream_not_found')
    expect(world.fenced).toEqual([])
  })
}

/** What every storage mode promises. One body; the modes and the moments at which it runs are store-contract.test.ts. */
import { afterAll, expect, test } from 'bun:test'
import { expiryContract } from './expiry-contract.ts'
import { forkContract } from './fork-contract.ts'
import { stagingContract } from './staging-contract.ts'
import { offsetOf, refusalOf, StoreWorld, type StoreKind, type StoreWorldOptions } from '../support/stream-store.ts'

/** What happens between what is written and the look at it: nothing, everything goes to the tables, or the store is closed and opened. */
export type Moment = 'fresh' | 'applied' | 'reopened'

export interface Contract {
  readonly kind: StoreKind
  open(options?: StoreWorldOptions): Promise<StoreWorld>
  /** Lets the moment come. */
  moment(world: StoreWorld): Promise<void>
}

export const text = { 'content-type': 'text/plain' }
export const json = { 'content-type': 'application/json' }

export function storeContract(kind: StoreKind, moment: Moment): void {
  const worlds = new SharedWorlds(kind)
  afterAll(() => worlds.end())
  const contract: Contract = {
    kind,
    open: options => worlds.borrow(options),
    async moment(world) {
      if (moment === 'applied') await world.drained()
      if (moment === 'reopened') await world.reopen()
    },
  }
  streamContract(contract)
  producerContract(contract)
  limitContract(contract)
  forkContract(contract)
  expiryContract(contract)
  stagingContract(contract)
}

/** One store per kind and options for all tests, emptied in between: opening one starts threads and costs a tenth of a second. */
class SharedWorlds {
  readonly #worlds = new Map<string, StoreWorld>()

  constructor(readonly kind: StoreKind) {}

  async borrow(options: StoreWorldOptions = {}): Promise<StoreWorld> {
    const key = JSON.stringify(options)
    const known = this.#worlds.get(key)
    if (known?.isEmpty) return known
    await known?.end()
    const world = await StoreWorld.open(this.kind, { ...options, kept: true })
    this.#worlds.set(key, world)
    return world
  }

  async end(): Promise<void> {
    for (const world of this.#worlds.values()) await world.end()
  }
}

function streamContract({ open, moment }: Contract): void {
  test('what was appended is read in pages of whole records', async () => {
    await using world = await open({ pageBytes: 100 })
    await world.put('a', text, 'first ')
    const records = Array.from({ length: 60 }, (_, i) => `${i}:${'x'.repeat(i)};`)
    for (const record of records) await world.post('a', text, record)
    await moment(world)
    const borders = new Set([0])
    let end = 6
    borders.add(end)
    for (const record of records) borders.add((end += record.length))
    let read = ''
    for (let offset = '-1'; ; ) {
      const page = world.get('a', offset)
      expect(borders.has(page.start) && borders.has(page.end)).toBe(true)
      expect(page.body.byteLength).toBeLessThanOrEqual(100)
      read += Buffer.from(page.body).toString()
      if (page.upToDate) break
      expect(page.full).toBe(true)
      offset = offsetOf(page.end)
    }
    expect(read).toBe(`first ${records.join('')}`)
    for (const border of borders) expect(world.get('a', offsetOf(border)).start).toBe(border)
  })

  test('JSON is read as an array, its text as it was sent', async () => {
    await using world = await open()
    await world.put('j', json, '[]')
    expect(Buffer.from(world.get('j').body).toString()).toBe('[]')
    await world.post('j', json, '[1.0, {"a":1, "a":2}]')
    await world.post('j', json, '123456789012345678901234567890')
    await world.post('j', json, '[[1,2]]')
    await moment(world)
    expect(world.text('j')).toBe('[1.0, {"a":1, "a":2},123456789012345678901234567890,[1,2]]')
  })

  test('a record larger than a page and a segment comes whole', async () => {
    await using world = await open()
    const large = Buffer.alloc(300_000, 'large')
    await world.put('a', text, 'small')
    await world.post('a', text, large)
    await world.post('a', text, 'after')
    await moment(world)
    expect(world.text('a')).toBe(`small${large.toString()}after`)
    expect(await refusalOf(() => world.get('a', offsetOf(100)))).toBe('invalid_offset')
  })

  test('a closed stream stays closed and takes nothing', async () => {
    await using world = await open()
    await world.put('a', text)
    await world.post('a', { ...text, 'stream-closed': 'true' }, 'last')
    await world.put('made closed', { ...text, 'stream-closed': 'true' }, 'all')
    await moment(world)
    for (const [path, body] of [['a', 'last'], ['made closed', 'all']] as const) {
      expect(world.head(path).closed).toBe(true)
      expect(world.get(path)).toMatchObject({ closed: true, upToDate: true })
      expect(await refusalOf(() => world.post(path, text, 'more'))).toBe('stream_closed')
      expect(await world.post(path, { 'stream-closed': 'true' })).toMatchObject({ kind: 'closed', closed: true })
      expect(world.text(path)).toBe(body)
    }
  })

  test('Stream-Seq must grow in byte order', async () => {
    await using world = await open()
    await world.put('a', text)
    await world.post('a', { ...text, 'stream-seq': '9' }, 'x')
    await moment(world)
    expect(await refusalOf(() => world.post('a', { ...text, 'stream-seq': '9' }, 'x'))).toBe('sequence_conflict')
    expect(await refusalOf(() => world.post('a', { ...text, 'stream-seq': '10' }, 'x'))).toBe('sequence_conflict')
    await world.post('a', { ...text, 'stream-seq': '91' }, 'y')
    await moment(world)
    expect(world.operator.info('a')?.seq).toBe('91')
    expect(world.text('a')).toBe('xy')
  })

  test('a repeated PUT finds the stream, another one is refused', async () => {
    await using world = await open()
    const fields = { ...text, 'stream-ttl': '3600' }
    await world.put('a', fields, 'once')
    await moment(world)
    expect(await world.put('a', fields, 'twice')).toMatchObject({ created: false, tail: 4 })
    expect(await refusalOf(() => world.put('a', text))).toBe('stream_exists')
    expect(await refusalOf(() => world.put('a', { ...json, 'stream-ttl': '3600' }))).toBe('stream_exists')
    expect(await refusalOf(() => world.put('a', { ...fields, 'stream-closed': 'true' }))).toBe('stream_exists')
    expect(world.text('a')).toBe('once')
  })

  test('a deleted stream is gone; its name makes a new one with nothing of the old', async () => {
    await using world = await open()
    await world.put('a', text, 'old and long')
    await world.post('a', { ...text, 'producer-id': 'p', 'producer-epoch': '5', 'producer-seq': '0', 'stream-seq': 'z' }, '!')
    const before = world.get('a').streamId
    await world.remove('a')
    await moment(world)
    expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
    expect(await refusalOf(() => world.post('a', text, 'x'))).toBe('stream_not_found')
    expect(await world.put('a', text, 'new')).toMatchObject({ created: true, tail: 3 })
    await world.post('a', { ...text, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0', 'stream-seq': 'a' }, '!')
    await moment(world)
    expect(world.text('a')).toBe('new!')
    expect(world.get('a').streamId).toBeGreaterThan(before)
  })

  test('writes that are decided together stand in the order in which they came', async () => {
    await using world = await open()
    await world.put('a', text)
    const kinds = await Promise.all([
      ...Array.from({ length: 100 }, (_, i) => world.post('a', text, `${i},`)),
      world.post('a', { 'stream-closed': 'true' }),
      refusalOf(() => world.post('a', text, 'late')),
      world.remove('a'),
      world.put('a', text, 'again'),
      world.post('a', text, '!'),
    ])
    expect(kinds[101]).toBe('stream_closed')
    await moment(world)
    expect(world.text('a')).toBe('again!')
  })

  test('streams are listed in byte order of their names, whatever is stored where', async () => {
    await using world = await open()
    const names = ['b', 'a/b', 'a', 'a-b', 'ü', 'z', '😀', 'Z']
    for (const name of names.slice(0, 4)) await world.put(name, text, name)
    await moment(world)
    for (const name of names.slice(4)) await world.put(name, text, name)
    await world.put('removed', text)
    await world.remove('removed')
    const list = (query: object) => world.operator.list({ prefix: '', after: '', limit: 100, ...query }).map(stream => stream.path)
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(list({})).toEqual(sorted)
    expect(list({ prefix: 'a' })).toEqual(['a', 'a-b', 'a/b'])
    expect(list({ after: 'a-b', limit: 3 })).toEqual(sorted.slice(sorted.indexOf('a-b') + 1).slice(0, 3))
  })

  test('keys of other features are kept beside the streams', async () => {
    await using world = await open()
    if (!world.durable) return expect(world.store.shards[0]?.meta('')).toEqual([])
    await world.streams.engine.saveMeta([{ key: 'feature/a', value: '1' }, { key: 'feature/b', value: '2' }])
    await world.streams.engine.saveMeta([{ key: 'feature/a', value: null }, { key: 'feature/b', value: '3' }])
    await world.streams.engine.saveMeta([])
    await moment(world)
    await world.drained()
    expect(world.store.shards[0]?.meta('feature/').map(({ key, value }) => [key, value])).toEqual([['feature/b', '3']])
  })
}

function producerContract({ open, moment }: Contract): void {
  const by = (epoch: number, seq: number, id = 'p') => ({ ...text, 'producer-id': id, 'producer-epoch': String(epoch), 'producer-seq': String(seq) })

  test('a producer’s repeats, gaps and epochs', async () => {
    await using world = await open()
    await world.put('a', text)
    expect(await refusalOf(() => world.post('a', by(0, 1), 'x'))).toBe('producer_gap')
    for (let seq = 0; seq < 3; seq++) expect(await world.post('a', by(1, seq), String(seq))).toMatchObject({ kind: 'appended' })
    await moment(world)
    expect(await world.post('a', by(1, 1), '1')).toMatchObject({ kind: 'duplicate', producer: { epoch: 1, seq: 2 } })
    expect(await refusalOf(() => world.post('a', by(1, 4), 'x'))).toBe('producer_gap')
    expect(await refusalOf(() => world.post('a', by(0, 0), 'x'))).toBe('producer_fenced')
    expect(await refusalOf(() => world.post('a', by(2, 1), 'x'))).toBe('producer_epoch_start')
    expect(await world.post('a', by(2, 0), '3')).toMatchObject({ kind: 'appended' })
    expect(await world.post('a', by(0, 0, 'q'), '4')).toMatchObject({ kind: 'appended' })
    await moment(world)
    expect(await refusalOf(() => world.post('a', by(1, 3), 'x'))).toBe('producer_fenced')
    expect(world.text('a')).toBe('01234')
  })

  test('the largest epoch and sequence are kept exactly', async () => {
    await using world = await open()
    const largest = Number.MAX_SAFE_INTEGER
    await world.put('a', text)
    await world.post('a', by(largest, 0), 'x')
    await moment(world)
    expect(await world.post('a', by(largest, 0), 'x')).toMatchObject({ kind: 'duplicate', producer: { epoch: largest, seq: 0 } })
    expect(await refusalOf(() => world.post('a', by(largest - 1, 0), 'x'))).toBe('producer_fenced')
  })

  test('the close of a producer may be repeated by it alone', async () => {
    await using world = await open()
    await world.put('a', text)
    await world.post('a', { ...by(0, 0), 'stream-closed': 'true' }, 'end')
    await moment(world)
    expect(await world.post('a', { ...by(0, 0), 'stream-closed': 'true' }, 'end')).toMatchObject({ kind: 'duplicate', closed: true })
    expect(await refusalOf(() => world.post('a', { ...by(0, 0, 'q'), 'stream-closed': 'true' }, 'end'))).toBe('stream_closed')
    expect(await refusalOf(() => world.post('a', by(0, 1), 'x'))).toBe('stream_closed')
    expect(world.text('a')).toBe('end')
  })

  test('300 producers of one stream are all remembered', async () => {
    await using world = await open()
    await world.put('a', text)
    await Promise.all(Array.from({ length: 300 }, (_, i) => world.post('a', by(0, 0, `producer ${i}`), 'x')))
    await moment(world)
    await Promise.all(Array.from({ length: 300 }, async (_, i) => expect(await world.post('a', by(0, 0, `producer ${i}`), 'x')).toMatchObject({ kind: 'duplicate' })))
    expect(world.head('a').tail).toBe(300)
    expect(world.operator.info('a')?.producers.length).toBe(300)
  })
}

function limitContract({ kind, open, moment }: Contract): void {
  test('a stream has a largest size; the rest of its bytes stay readable', async () => {
    await using world = await open({ streamBytesMax: 10 })
    await world.put('a', text, '1234')
    await world.post('a', text, '567890')
    await moment(world)
    expect(await refusalOf(() => world.post('a', text, 'x'))).toBe('stream_too_large')
    expect(await refusalOf(() => world.put('b', text, '12345678901'))).toBe('stream_too_large')
    expect(await refusalOf(() => world.get('b'))).toBe('stream_not_found')
    expect(await world.post('a', { 'stream-closed': 'true' })).toMatchObject({ closed: true })
    expect(world.text('a')).toBe('1234567890')
  })

  test('a full disk refuses writes, keeps reads going and is forgotten when there is room', async () => {
    if (kind.mode === 'memory') return
    await using world = await open()
    await world.put('a', text, 'kept')
    world.full = true
    const refused = await Promise.all([
      refusalOf(() => world.post('a', { ...text, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0', 'stream-seq': 's' }, 'lost')),
      refusalOf(() => world.post('a', { ...text, 'stream-closed': 'true' }, 'lost too')),
      refusalOf(() => world.put('b', text, 'lost')),
      refusalOf(() => world.put('fork', { 'stream-forked-from': 'a' })),
      refusalOf(() => world.remove('a')),
    ])
    expect(new Set(refused)).toEqual(new Set(['insufficient_storage']))
    expect(world.text('a')).toBe('kept')
    world.full = false
    await world.post('a', { ...text, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0', 'stream-seq': 's' }, '!')
    await moment(world)
    expect(world.text('a')).toBe('kept!')
    expect(await refusalOf(() => world.get('b'))).toBe('stream_not_found')
    await world.remove('a')
    expect(await refusalOf(() => world.get('a'))).toBe('stream_not_found')
  })

  test('a line of writes that is full refuses more, and takes them again', async () => {
    await using world = await open({ queuedOperationsMax: 5 })
    await world.put('a', text)
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => refusalOf(() => world.post('a', text, `${i},`))))
    expect(answers.filter(answer => answer === 'overloaded').length).toBe(15)
    await world.post('a', text, 'after')
    await moment(world)
    expect(world.text('a')).toBe('0,1,2,3,4,after')
  })
}

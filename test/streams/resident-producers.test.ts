/** Producers in memory: what may go, and that a stream which never rests keeps few of them and still takes everything exactly once. */
import { describe, expect, test } from 'bun:test'
import { producersKeptMax, ResidentProducers } from '../../src/streams/resident-producers.ts'
import { StoreWorld, type Fields } from '../support/stream-store.ts'

function filled(count: number): ResidentProducers {
  const producers = new ResidentProducers()
  for (let i = 0; i < count; i++) producers.set(`p${i}`, { epoch: 0, seq: i })
  return producers
}

describe('what may go', () => {
  test('few stay, whatever is applied', () => {
    const producers = filled(producersKeptMax)
    for (let group = 1; group < 5; group++) producers.dropStored(group, group)
    expect(producers.size).toBe(producersKeptMax)
  })

  test('many go once the group of the last of them is applied, and not before', () => {
    const producers = filled(producersKeptMax + 1)
    producers.dropStored(3, 7)
    producers.set('late', { epoch: 0, seq: 0 }) // in group 7 or 8
    producers.dropStored(6, 8)
    expect(producers.get('p0')).toEqual({ epoch: 0, seq: 0 })
    producers.dropStored(7, 9)
    expect(producers.get('p0')).toBeUndefined()
    expect(producers.get('late')).toEqual({ epoch: 0, seq: 0 })
    expect(producers.size).toBe(1)
  })

  test('the latest counts, and what is taken back is gone from both', () => {
    const producers = filled(producersKeptMax + 1)
    producers.dropStored(3, 7)
    producers.set('p1', { epoch: 0, seq: 900 })
    expect(producers.get('p1')).toEqual({ epoch: 0, seq: 900 })
    expect(new Map(producers).get('p1')).toEqual({ epoch: 0, seq: 900 })
    producers.delete('p1')
    expect(producers.get('p1')).toBeUndefined()
    producers.clear()
    expect(producers.size).toBe(0)
  })
})

function claim(id: number, seq: number): Fields {
  return { 'content-type': 'text/plain', 'producer-id': `p${id}`, 'producer-epoch': '0', 'producer-seq': String(seq) }
}

const plain = { 'content-type': 'text/plain' }

test.each(['acid', 'file-durable'] as const)('%s: a stream that never rests keeps few producers, and each counts once', async mode => {
  const count = 4000
  const body = 'x'.repeat(10_000)
  const world = await StoreWorld.open({ mode, shards: mode === 'acid' ? 1 : null })
  try {
    await world.put('a', plain)
    const stream = world.streams.registry.find('a')
    let [made, stored, rests] = [0, 0, 0]
    const write = async () => {
      while (made < count || stored === 0) {
        const fresh = made < count
        await Promise.all(Array.from({ length: 10 }, () => world.post('a', fresh ? claim(made++, 0) : plain, body)))
        if (stream?.pending === 0) rests++
        if (made >= count && (stream?.producers.size ?? 0) < count / 4) stored++
      }
    }
    // The second begins while the first waits for its commit: from then on one of them always does.
    const first = write()
    await new Promise(resolve => setImmediate(resolve))
    await Promise.all([first, write()]) // ends only once most of them went although the stream never rested
    expect(rests).toBeLessThan(3)
    const { tail } = world.head('a')
    for (let i = 0; i < count; i += 97) {
      expect(await world.post('a', claim(i, 0), body)).toMatchObject({ kind: 'duplicate' })
      expect(await world.post('a', claim(i, 1), body)).toMatchObject({ kind: 'appended' })
    }
    expect(world.head('a').tail).toBe(tail + Math.ceil(count / 97) * body.length)
  } finally {
    await world.end()
  }
}, 30_000)

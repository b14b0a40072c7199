/** What a bounded map keeps and forgets. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { RecentMap } from '../../src/lib/recent-map.ts'

test('what is used stays, what is not is forgotten', () => {
  const map = new RecentMap<string, number>(10)
  map.set('used', 1)
  map.set('unused', 2)
  for (let i = 0; i < 100; i++) {
    map.set(`filler-${i}`, i)
    expect(map.get('used')).toBe(1)
  }
  expect(map.get('unused')).toBeUndefined()
  expect(map.size).toBeLessThanOrEqual(10)
})

test('a value may be replaced, removed, null or undefined-looking', () => {
  const map = new RecentMap<string, number | null>(10)
  map.set('a', 1)
  map.set('a', null)
  expect(map.get('a')).toBeNull()
  map.delete('a')
  expect(map.get('a')).toBeUndefined()
  expect(map.size).toBe(0)
})

test('a value that outweighs half of the map is not kept, and does not push others out', () => {
  const map = new RecentMap<string, number>(10, 100)
  map.set('light', 1, 10)
  map.set('heavy', 2, 51)
  expect(map.get('heavy')).toBeUndefined()
  expect(map.get('light')).toBe(1)
})

test('never holds more than its limits, and never a wrong value', () => {
  const step = fc.record({ key: fc.integer({ min: 0, max: 30 }), weight: fc.integer({ min: 1, max: 40 }), act: fc.constantFrom('set', 'get', 'delete') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const map = new RecentMap<number, number>(8, 60)
      const model = new Map<number, number>()
      steps.forEach(({ key, weight, act }, at) => {
        if (act === 'set') map.set(key, at, weight)
        if (act === 'delete') map.delete(key)
        if (act === 'set') model.set(key, at)
        if (act === 'delete') model.delete(key)
        expect(map.size).toBeLessThanOrEqual(8)
        for (let one = 0; one <= 30; one++) expect([undefined, model.get(one)]).toContain(map.get(one))
      })
    }),
    { numRuns: 100 },
  )
})

/** Validity of geometries of many polygons: the check of one that any client may send must not hold up the writer. */
import { expect, test } from 'bun:test'
import type { Shape } from '../../../src/records/geometry/geometry.ts'
import { Operand } from '../../../src/records/geometry/operand.ts'
import { holds, isValid } from '../../../src/records/geometry/relations.ts'

const square = (x: number, y: number, size: number) => [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
const multi = (...squares: number[][][]) => new Operand({ shape: { type: 'MultiPolygon', coordinates: squares.map(ring => [ring]) }, srid: null })

// 20,000 positions as 4000 islands took 9 seconds, each time.
test('thousands of islands are checked in no time', () => {
  const islands = Array.from({ length: 3999 }, (_, i) => square((i % 100) * 10, Math.floor(i / 100) * 10, 5))
  const startedAt = performance.now()
  expect(isValid(multi(...islands))).toBe(true)
  expect(isValid(multi(...islands, square(2, 2, 5)))).toBe(false)
  const shape: Shape = { type: 'GeometryCollection', geometries: [multi(...islands).geometry.shape] }
  expect(isValid(new Operand({ shape, srid: null }))).toBe(true)
  expect(performance.now() - startedAt).toBeLessThan(9000)
}, 30_000)

test('polygons that lie in, touch or cross others are judged together, whatever their order', () => {
  expect(isValid(multi(square(0, 0, 5), square(10, 0, 5), square(1, 1, 1)))).toBe(false)
  expect(isValid(multi(square(100, 0, 5), square(0, 0, 50), square(40, 40, 70)))).toBe(false)
  expect(isValid(multi(square(0, 0, 5), square(5, 5, 5), square(20, 20, 1)))).toBe(true)
  expect(isValid(multi(square(0, 0, 5), square(5, 0, 5)))).toBe(false)
})

test('more than can be checked are refused', () => {
  const chain = Array.from({ length: 600 }, (_, i) => square(i * 5, i * 5, 5))
  expect(() => isValid(multi(...chain))).toThrow('among each other')
})

test('collections of many parts are not compared with each other', () => {
  const points = (n: number): Shape => ({ type: 'GeometryCollection', geometries: Array.from({ length: n }, (_, i) => ({ type: 'LineString', coordinates: [[i, 0], [i, 1 + (i % 7)]] })) })
  const of = (shape: Shape) => new Operand({ shape, srid: null })
  expect(() => holds('intersects', of(points(20_000)), of(points(700)))).toThrow('too many parts')
  expect(holds('intersects', of(points(100)), of(points(100)))).toBe(true)
})

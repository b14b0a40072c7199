/** Random geometries for properties: of every kind, flat or with height, empty ones among them. */
import fc from 'fast-check'
import type { Line, Position, Shape } from '../../../src/records/geometry/geometry.ts'

// -0 is left out: WKT has no way to say it.
const coordinate = fc.oneof(fc.integer({ min: -180, max: 180 }), fc.double({ noNaN: true, noDefaultInfinity: true })).map(value => value + 0)

/** All positions with the same number of coordinates. */
export const arbitraryShape: fc.Arbitrary<Shape> = fc.constantFrom(2, 3).chain(dimension => {
  const position: fc.Arbitrary<Position> = fc.array(coordinate, { minLength: dimension, maxLength: dimension })
  const line: fc.Arbitrary<Line> = fc.array(position, { maxLength: 6 }).filter(positions => positions.length !== 1)
  const ring: fc.Arbitrary<Line> = fc.array(position, { minLength: 3, maxLength: 6 }).map(positions => [...positions, ...positions.slice(0, 1)])
  const rings = fc.array(ring, { maxLength: 3 })
  const plain: fc.Arbitrary<Shape>[] = [
    fc.oneof(position, fc.constant([])).map(coordinates => ({ type: 'Point', coordinates })),
    fc.array(position, { maxLength: 5 }).map(coordinates => ({ type: 'MultiPoint', coordinates })),
    line.map(coordinates => ({ type: 'LineString', coordinates })),
    fc.array(line, { maxLength: 3 }).map(coordinates => ({ type: 'MultiLineString', coordinates })),
    rings.map(coordinates => ({ type: 'Polygon', coordinates })),
    fc.array(rings, { maxLength: 3 }).map(coordinates => ({ type: 'MultiPolygon', coordinates })),
  ]
  const collection = (members: fc.Arbitrary<Shape>) => fc.array(members, { maxLength: 3 }).map((geometries): Shape => ({ type: 'GeometryCollection', geometries }))
  return fc.oneof(...plain, collection(fc.oneof(...plain, collection(fc.oneof(...plain)))))
})

export const arbitrarySrid = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 999_999 }))

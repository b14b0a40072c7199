/** Relations, measures and overlays: against reckonings by hand, and within their bounds when geometries are made to hurt. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { type Shape } from '../../../src/records/geometry/geometry.ts'
import { encodeWkb } from '../../../src/records/geometry/wkb.ts'
import { connection, refusalOf, valueOf } from '../functions/connection.ts'
import { arbitraryShape } from './arbitrary-shape.ts'

setDefaultTimeout(60_000)

const db = connection()
const stored = (shape: Shape) => encodeWkb({ shape, srid: null })
const holds = (name: string, a: Shape, b: Shape) => valueOf(db, `${name}(?1, ?2)`, stored(a), stored(b)) === 1n

type Box = readonly [number, number, number, number]
const edge = fc.integer({ min: 0, max: 8 })
const box: fc.Arbitrary<Box> = fc.tuple(edge, edge, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).map(([x, y, w, h]) => [x, y, x + w, y + h] as const)
const rectangle = ([x1, y1, x2, y2]: Box): Shape => ({ type: 'Polygon', coordinates: [[[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]]] })
const point = (x: number, y: number): Shape => ({ type: 'Point', coordinates: [x, y] })

test('rectangles lie to each other as their edges say', () => {
  fc.assert(
    fc.property(box, box, (a, b) => {
      const meet = a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
      const share = a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
      const aHoldsB = a[0] <= b[0] && a[1] <= b[1] && a[2] >= b[2] && a[3] >= b[3]
      const bHoldsA = b[0] <= a[0] && b[1] <= a[1] && b[2] >= a[2] && b[3] >= a[3]
      const found = ['ST_Intersects', 'ST_Disjoint', 'ST_Touches', 'ST_Contains', 'ST_Covers', 'ST_Within', 'ST_CoveredBy', 'ST_Equals', 'ST_Overlaps', 'ST_Crosses'].map(name => holds(name, rectangle(a), rectangle(b)))
      expect(found).toEqual([meet, !meet, meet && !share, aHoldsB, aHoldsB, bHoldsA, bHoldsA, aHoldsB && bHoldsA, share && !aHoldsB && !bHoldsA, false])
      const shared = share ? (Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * (Math.min(a[3], b[3]) - Math.max(a[1], b[1])) : 0
      const area = ([x1, y1, x2, y2]: Box) => (x2 - x1) * (y2 - y1)
      const areaOf = (name: string) => Number(valueOf(db, `ST_Area(${name}(?1, ?2))`, stored(rectangle(a)), stored(rectangle(b))))
      expect(areaOf('ST_Intersection')).toBeCloseTo(shared)
      expect(areaOf('ST_Union')).toBeCloseTo(area(a) + area(b) - shared)
      expect(areaOf('ST_Difference')).toBeCloseTo(area(a) - shared)
      expect(areaOf('ST_SymDifference')).toBeCloseTo(area(a) + area(b) - 2 * shared)
    }),
    { numRuns: 60 },
  )
})

test('a point lies in a rectangle as its coordinates say, and the engine agrees with the short way', () => {
  fc.assert(
    fc.property(box, edge, edge, (a, x, y) => {
      const inside = x > a[0] && x < a[2] && y > a[1] && y < a[3]
      const covered = x >= a[0] && x <= a[2] && y >= a[1] && y <= a[3]
      const names = ['ST_Within', 'ST_CoveredBy', 'ST_Intersects', 'ST_Touches', 'ST_Disjoint', 'ST_Crosses', 'ST_Overlaps', 'ST_Equals', 'ST_Contains']
      const expected = [inside, covered, covered, covered && !inside, !covered, false, false, false, false]
      expect(names.map(name => holds(name, point(x, y), rectangle(a)))).toEqual(expected)
      // A MultiPoint of one goes through the engine.
      const many: Shape = { type: 'MultiPoint', coordinates: [[x, y]] }
      expect(names.map(name => holds(name, many, rectangle(a)))).toEqual(expected)
      const away = Math.hypot(Math.max(0, a[0] - x, x - a[2]), Math.max(0, a[1] - y, y - a[3]))
      expect(Number(valueOf(db, 'ST_Distance(?1, ?2)', stored(point(x, y)), stored(rectangle(a))))).toBeCloseTo(away)
      expect([holds3(x, y, a, away + 0.001), away > 0.01 && holds3(x, y, a, away - 0.001)]).toEqual([true, false])
    }),
    { numRuns: 80 },
  )
})

function holds3(x: number, y: number, a: Box, distance: number): boolean {
  return valueOf(db, 'ST_DWithin(?1, ?2, ?3)', stored(point(x, y)), stored(rectangle(a)), distance) === 1n
}

test('any two geometries are compared or refused, and each order agrees', () => {
  fc.assert(
    fc.property(arbitraryShape, arbitraryShape, (a, b) => {
      if (valueOf(db, 'ST_IsValid(?1) AND ST_IsValid(?2)', stored(a), stored(b)) !== 1n) return
      for (const [name, inverse] of [['ST_Intersects', 'ST_Intersects'], ['ST_Within', 'ST_Contains'], ['ST_Covers', 'ST_CoveredBy'], ['ST_Touches', 'ST_Touches'], ['ST_Equals', 'ST_Equals']] as const) {
        const [one, other] = [stored(a), stored(b)]
        const refusal = refusalOf(db, `${name}(?1, ?2)`, one, other)
        if (refusal === null) expect(valueOf(db, `${name}(?1, ?2)`, one, other)).toBe(valueOf(db, `${inverse}(?1, ?2)`, other, one))
        else expect(refusal).toStartWith(`${name}: `)
      }
    }),
    { numRuns: 200 },
  )
})

describe('validity', () => {
  const cases: Readonly<Record<string, bigint>> = {
    'POINT (1 2)': 1n,
    'POLYGON EMPTY': 1n,
    'LINESTRING (0 0, 1 1)': 1n,
    'LINESTRING (0 0, 0 0)': 0n,
    'POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))': 1n,
    'POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))': 0n,
    'POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))': 1n,
    'POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (5 5, 6 5, 6 6, 5 5))': 0n,
    'MULTIPOLYGON (((0 0, 2 0, 2 2, 0 0)), ((1 0, 3 0, 3 2, 1 0)))': 0n,
    'GEOMETRYCOLLECTION (POINT (1 1), LINESTRING (0 0, 1 1))': 1n,
  }
  test.each(Object.entries(cases))('%s', (wkt, valid) => {
    expect(valueOf(db, 'ST_IsValid(ST_GeomFromText(?1))', wkt)).toBe(valid)
  })
})

test('TrailBase’s fixture: which rows lie in a box, which it crosses', () => {
  db.run('CREATE TABLE geometry (id INTEGER PRIMARY KEY, geom BLOB CHECK(ST_IsValid(geom))) STRICT')
  db.run(`INSERT INTO geometry VALUES (3, ST_GeomFromText('POINT(12.4924 41.8902)', 4326)), (5, ST_GeomFromText('LINESTRING(10 41, 20 41)', 4326)), (7, ST_MakeEnvelope(0, -0, 180, -90)), (11, NULL)`)
  const ids = (condition: string) => valueOf(db, `group_concat(id) FROM geometry WHERE ${condition}`)
  expect(ids('ST_Within(geom, ST_MakeEnvelope(12, 40, 13, 42, 4326))')).toBe('3')
  expect(ids(`ST_Intersects(geom, ST_GeomFromText('POLYGON ((12 40, 12 42, 13 42, 13 40, 12 40))'))`)).toBe('3,5')
  expect(ids('ST_Contains(geom, ST_Point(12, -40))')).toBe('7')
  expect(valueOf(db, 'group_concat(ST_SRID(geom)) FROM geometry')).toBe('4326,4326,0')
})

test('collections: what is known of them, and that the rest is refused', () => {
  const collection = "ST_GeomFromText('GEOMETRYCOLLECTION (POINT (1 1), LINESTRING (2 2, 3 3))')"
  expect(valueOf(db, `ST_Intersects(${collection}, ST_MakeEnvelope(2, 2, 9, 9))`)).toBe(1n)
  expect(valueOf(db, `ST_Disjoint(${collection}, ST_MakeEnvelope(1.2, 0, 1.8, 9))`)).toBe(1n)
  expect(valueOf(db, `ST_AsText(ST_Centroid(${collection}))`)).toBe('POINT (2.5 2.5)')
  expect(refusalOf(db, `ST_Within(${collection}, ST_MakeEnvelope(0, 0, 9, 9))`)).toContain('GEOMETRYCOLLECTION')
  expect(refusalOf(db, `ST_Union(${collection}, ST_MakeEnvelope(0, 0, 9, 9))`)).toContain('GEOMETRYCOLLECTION')
})

test('an operand is not mistaken for the one before it', () => {
  db.run('CREATE TABLE two (g BLOB)')
  db.run('INSERT INTO two VALUES (ST_Point(1, 1)), (ST_Point(5, 5)), (ST_Point(1, 1)), (ST_MakeEnvelope(0, 0, 1, 1))')
  expect(valueOf(db, 'group_concat(ST_Within(g, ST_MakeEnvelope(0, 0, 2, 2))) FROM two')).toBe('1,0,1,1')
  expect(valueOf(db, 'group_concat(ST_Contains(ST_MakeEnvelope(0, 0, 2, 2), g)) FROM two')).toBe('1,0,1,1')
})

describe('made to hurt', () => {
  // Two combs across each other: as many crossings as the product of their teeth.
  const comb = (teeth: number, upright: boolean) => `LINESTRING (${Array.from({ length: teeth }, (_, i) => (upright ? `${i} ${(i % 2) * teeth}` : `${(i % 2) * teeth} ${i}`)).join(', ')})`
  const star = (corners: number) => `POLYGON ((${[...Array(corners).keys(), 0].map(i => `${Math.cos(i * 2.4) * 10} ${Math.sin(i * 2.4) * 10}`).join(', ')}))`
  const hurting: Readonly<Record<string, string>> = {
    relation: `ST_Crosses(ST_GeomFromText('${comb(5000, true)}'), ST_GeomFromText('${comb(5000, false)}'))`,
    overlay: `ST_Union(ST_GeomFromText('${comb(300, true)}'), ST_GeomFromText('${comb(300, false)}'))`,
    validity: `ST_IsValid(ST_GeomFromText('${star(5000)}'))`,
    buffer: `ST_Buffer(ST_GeomFromText('${star(1500)}'), 1)`,
  }
  test.each(Object.entries(hurting))('%s is refused, soon', (_, expression) => {
    const startedAt = performance.now()
    expect(refusalOf(db, expression)).toContain('cross each other too often')
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  test('sizes', () => {
    const line = (positions: number) => `ST_GeomFromText('LINESTRING (${Array.from({ length: positions }, (_, i) => `${i} ${i}`).join(', ')})')`
    expect(refusalOf(db, `ST_IsValid(${line(20_001)})`)).toContain('at most 20000 positions')
    expect(refusalOf(db, `ST_Crosses(${line(20_001)}, ST_GeomFromText('LINESTRING (0 1, 1 0)'))`)).toContain('at most 20000 positions')
    expect(refusalOf(db, `ST_Buffer(${line(2_001)}, 1)`)).toContain('at most 2000 positions')
    expect(refusalOf(db, `ST_Buffer(ST_Point(0, 0), 1, 33)`)).toContain('from 1 to 32')
  })
})

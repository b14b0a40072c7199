/** WKB, EWKB, ISO WKB, WKT and GeoJSON: there and back, what other programs write, and what is refused. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { geoJsonToGeometry, geometryToGeoJson } from '../../../src/records/geometry/geojson.ts'
import { GeometryError, positionsOf, type Shape } from '../../../src/records/geometry/geometry.ts'
import { decodeWkb, encodeWkb } from '../../../src/records/geometry/wkb.ts'
import { formatWkt, parseWkt } from '../../../src/records/geometry/wkt.ts'
import { arbitraryShape, arbitrarySrid } from './arbitrary-shape.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

describe('there and back', () => {
  test('WKB with and without SRID', () => {
    fc.assert(fc.property(arbitraryShape, arbitrarySrid, (shape, srid) => expect(decodeWkb(encodeWkb({ shape, srid }))).toEqual({ shape, srid })))
  })

  test('WKT, in any case and spacing', () => {
    fc.assert(
      fc.property(arbitraryShape, shape => {
        const text = formatWkt(shape)
        expect(parseWkt(text)).toEqual(shape)
        expect(parseWkt(text.toLowerCase().replaceAll(',', ' , ').replaceAll('(', ' (\n'))).toEqual(shape)
      }),
    )
  })

  test('GeoJSON, as a value and as text', () => {
    fc.assert(
      fc.property(arbitraryShape, shape => {
        const json: unknown = JSON.parse(JSON.stringify(shape))
        expect(geometryToGeoJson(geoJsonToGeometry(json))).toEqual(shape)
        expect(geoJsonToGeometry(JSON.stringify(json))).toEqual(encodeWkb({ shape, srid: null }))
      }),
    )
  })
})

describe('what others write', () => {
  // SELECT encode(ST_AsEWKB(…), 'hex') of PostGIS and GEOS, and the examples of the standard.
  const known: readonly (readonly [string, string, number | null])[] = [
    ['0101000000 000000000000F03F 0000000000000040', 'POINT (1 2)', null],
    ['0101000020 E6100000 000000000000F03F 0000000000000040', 'POINT (1 2)', 4326],
    ['00 00000001 3FF0000000000000 4000000000000000', 'POINT (1 2)', null],
    ['01 01000080 000000000000F03F 0000000000000040 0000000000000840', 'POINT Z (1 2 3)', null],
    ['01 E9030000 000000000000F03F 0000000000000040 0000000000000840', 'POINT Z (1 2 3)', null],
    ['01 01000000 000000000000F87F 000000000000F87F', 'POINT EMPTY', null],
    ['01 02000000 00000000', 'LINESTRING EMPTY', null],
    ['01 04000000 01000000 00 00000001 3FF0000000000000 4000000000000000', 'MULTIPOINT ((1 2))', null],
    ['01 07000000 01000000 01 01000000 000000000000F03F 0000000000000040', 'GEOMETRYCOLLECTION (POINT (1 2))', null],
  ]
  test.each([...known])('%s', (bytes, wkt, srid) => {
    const { shape, srid: found } = decodeWkb(hex(bytes))
    expect([formatWkt(shape), found]).toEqual([wkt, srid])
  })

  test('WKT in its variants', () => {
    const texts = { 'POINTZ(1 2 3)': 'POINT Z (1 2 3)', 'point(-1.5e1 .5)': 'POINT (-15 0.5)', 'MULTIPOINT(1 2,(3 4))': 'MULTIPOINT ((1 2), (3 4))', 'POINT(1 2 3)': 'POINT Z (1 2 3)', ' POLYGON EMPTY ': 'POLYGON EMPTY' }
    for (const [text, expected] of Object.entries(texts)) expect(formatWkt(parseWkt(text))).toBe(expected)
  })

  test('GeoJSON with members beyond the standard, numbers beyond the third, exact integers', () => {
    const point = { type: 'Point', coordinates: [1n, 2, 3, 4], bbox: [0, 0, 1, 1], crs: {} }
    expect(geometryToGeoJson(geoJsonToGeometry(point))).toEqual({ type: 'Point', coordinates: [1, 2, 3] })
  })
})

describe('refused', () => {
  test('bytes cut short or changed never do more than refuse', () => {
    fc.assert(
      fc.property(arbitraryShape, fc.nat(), fc.nat(255), (shape, at, byte) => {
        const bytes = encodeWkb({ shape, srid: null })
        expect(() => decodeWkb(bytes.subarray(0, at % bytes.length))).toThrow(GeometryError)
        bytes[at % bytes.length] = byte
        try {
          decodeWkb(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(GeometryError)
        }
      }),
    )
  })

  const wkb: readonly (readonly [string, string])[] = [
    ['', 'ends too early'],
    ['02 01000000 000000000000F03F 0000000000000040', 'byte order'],
    ['01 01000000 000000000000F03F 0000000000000040 00', 'bytes behind'],
    ['01 01000040 000000000000F03F 0000000000000040 0000000000000840', 'measure'],
    ['01 D1070000 000000000000F03F 0000000000000040 0000000000000840', 'measure'],
    ['01 08000000 00000000', 'not a known kind'],
    ['01 02000000 FFFFFFFF', 'ends too early'],
    ['01 01000000 000000000000F07F 0000000000000040', 'finite'],
    ['01 04000000 01000000 01 02000000 00000000 0000000000000000 00000000', 'holds a LineString'],
    ['01 02000000 01000000 000000000000F03F 0000000000000040', 'needs at least 2'],
  ]
  test.each([...wkb])('WKB %s', (bytes, why) => {
    expect(() => decodeWkb(hex(bytes))).toThrow(why)
  })

  const wkt: readonly (readonly [string, string])[] = [
    ['', 'expected the name of a geometry at character 1, found the end'],
    ['POINT', 'expected "("'],
    ['POINT (1)', 'expected a number'],
    ['POINT (1 2', 'expected ")"'],
    ['POINT (1 2) x', 'expected the end'],
    ['POINT (1 2); DROP', 'expected the end'],
    ['POINT (nan 1)', 'expected a number'],
    ['POINT (1e999 1)', 'finite'],
    ['POINT M (1 2 3)', 'measure'],
    ['POINT (1 2 3 4)', 'expected ")"'],
    ['LINESTRING (1 2, 1 2 3)', 'differ'],
    ['POLYGON ((0 0, 1 0, 1 1, 0 1))', 'does not end where it begins'],
    ['POLYGON ((0 0, 1 1, 0 0))', 'needs at least 4'],
    ['CIRCLE (1 2)', 'expected the name of a geometry'],
    [`${'GEOMETRYCOLLECTION ('.repeat(20)}POINT (1 2)${')'.repeat(20)}`, 'nested at most 16'],
  ]
  test.each([...wkt])('WKT %s', (text, why) => {
    expect(() => parseWkt(text)).toThrow(why)
  })

  const json: readonly unknown[] = [
    null,
    1,
    [],
    {},
    'x',
    '[[',
    { type: 'Point' },
    { type: 'Point', coordinates: [1] },
    { type: 'Point', coordinates: ['1', '2'] },
    { type: 'Point', coordinates: [null, 2] },
    { type: 'Point', coordinates: [Infinity, 2] },
    { type: 'LineString', coordinates: [[1, 2]] },
    { type: 'LineString', coordinates: [[1, 2], [1, 2, 3]] },
    { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 1]]] },
    { type: 'Feature', geometry: { type: 'Point', coordinates: [1, 2] } },
    { type: 'GeometryCollection' },
    { type: 'GeometryCollection', geometries: [{}] },
    { type: 'toString', coordinates: [] },
  ]
  test('GeoJSON', () => {
    for (const value of json) expect(() => geoJsonToGeometry(value)).toThrow(GeometryError)
  })

  test('more positions than a geometry may have, in every encoding', () => {
    const positions = Array.from({ length: 100_001 }, (_, i) => [i, i])
    const shape: Shape = { type: 'LineString', coordinates: positions }
    const why = 'at most 100000 positions'
    expect(() => decodeWkb(encodeWkb({ shape, srid: null }))).toThrow(why)
    expect(() => parseWkt(formatWkt(shape))).toThrow(why)
    expect(() => geoJsonToGeometry(shape)).toThrow(why)
    expect([...positionsOf(decodeWkb(encodeWkb({ shape: { type: 'LineString', coordinates: positions.slice(1) }, srid: null })).shape)].length).toBe(100_000)
  })
})

/** `ST_…`: geometry in SQL, stored as WKB, or EWKB when it has an SRID. Reading arguments and forming results; what they do is in ../geometry/. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { shapeOfGeoJsonText } from '../geometry/geojson.ts'
import { dimensionOf, type Envelope, envelopeShape, type Geometry, GeometryError, type Shape, type ShapeType } from '../geometry/geometry.ts'
import { areaOf, lengthOf, perimeterOf } from '../geometry/measures.ts'
import { type Operand, Operands } from '../geometry/operand.ts'
import { buffer, type Overlay, overlay, type Summary, summary } from '../geometry/overlays.ts'
import { distanceOf, holds, isValid, isWithin, type Relation } from '../geometry/relations.ts'
import { decodeWkb, encodeWkb } from '../geometry/wkb.ts'
import { formatWkt, parseWkt } from '../geometry/wkt.ts'
import { blobOf, integerOf, numberOf, type SqlFunction, SqlFunctionError, sqlFunction, textOf } from './sql-function.ts'

/** Characters of a WKT text. */
export const wktCharsMax = 4 * 1024 * 1024
const sridMax = 999_999

/** One set for each connection: it remembers the last geometries that it read. */
export function geometryFunctions(): readonly SqlFunction[] {
  const operands = new Operands()
  return [...constructors(), ...accessors(operands), ...relations(operands), ...measures(operands), ...overlays(operands), ...outputs(operands)]
}

function constructors(): readonly SqlFunction[] {
  const fromText = (type: ShapeType | null) => (args: readonly SqlValue[]) => stored(shapeOfText(textOf(args, 0), type), args, 1)
  const point = (args: readonly SqlValue[]) => stored({ type: 'Point', coordinates: [finiteOf(args, 0), finiteOf(args, 1)] }, args, 2)
  return [
    ...withSrid('ST_GeomFromText', 1, fromText(null)),
    ...withSrid('ST_PointFromText', 1, fromText('Point')),
    ...withSrid('ST_LineFromText', 1, fromText('LineString')),
    ...withSrid('ST_PolygonFromText', 1, fromText('Polygon')),
    ...withSrid('ST_GeomFromGeoJSON', 1, args => stored(shapeOfGeoJsonText(textOf(args, 0)), args, 1)),
    ...withSrid('ST_GeomFromWKB', 1, args => reSrid(decodeWkb(blobOf(args, 0)), args, 1)),
    ...withSrid('ST_Point', 2, point),
    sqlFunction('ST_MakePoint', 2, point),
    sqlFunction('ST_MakePoint', 3, args => stored({ type: 'Point', coordinates: [0, 1, 2].map(i => finiteOf(args, i)) }, args, 3)),
    ...withSrid('ST_MakeEnvelope', 4, args => stored(envelopeShape(boxOf(args)), args, 4)),
    sqlFunction('ST_SetSRID', 2, args => reSrid(decodeWkb(blobOf(args, 0)), args, 1)),
  ]
}

function accessors(operands: Operands): readonly SqlFunction[] {
  const of = (name: string, read: (operand: Operand) => SqlValue | boolean) => sqlFunction(name, 1, args => read(operands.of(blobOf(args, 0), 0)))
  const edge = (name: string, side: keyof Envelope) => of(name, operand => operand.envelope?.[side] ?? null)
  return [
    of('ST_X', operand => pointOf(operand)?.[0] ?? null),
    of('ST_Y', operand => pointOf(operand)?.[1] ?? null),
    of('ST_Z', operand => pointOf(operand)?.[2] ?? null),
    of('ST_SRID', ({ geometry }) => BigInt(geometry.srid ?? 0)),
    of('ST_GeometryType', ({ geometry }) => geometry.shape.type),
    of('ST_Dimension', ({ geometry }) => BigInt(topologicalDimension(geometry.shape))),
    of('ST_CoordDim', ({ geometry }) => BigInt(dimensionOf(geometry.shape))),
    of('ST_NPoints', operand => BigInt(operand.positions)),
    of('ST_IsEmpty', operand => operand.envelope === null),
    edge('ST_XMin', 'xmin'),
    edge('ST_YMin', 'ymin'),
    edge('ST_XMax', 'xmax'),
    edge('ST_YMax', 'ymax'),
    of('ST_Envelope', ({ envelope, geometry }) => encodeWkb({ shape: envelope === null ? geometry.shape : envelopeShape(envelope), srid: geometry.srid })),
    sqlFunction('ST_IsValid', 1, ([value]) => isValidValue(operands, value), { onNull: 'true' }),
  ]
}

function relations(operands: Operands): readonly SqlFunction[] {
  const of = (name: string, decide: (a: Operand, b: Operand) => boolean) => sqlFunction(name, 2, args => decide(...pair(operands, args)))
  const same = (name: string, relation: Relation) => of(name, (a, b) => holds(relation, a, b))
  return [
    same('ST_Intersects', 'intersects'),
    of('ST_Disjoint', (a, b) => !holds('intersects', a, b)),
    same('ST_Contains', 'contains'),
    of('ST_Within', (a, b) => holds('contains', b, a)),
    same('ST_Covers', 'covers'),
    of('ST_CoveredBy', (a, b) => holds('covers', b, a)),
    same('ST_Equals', 'equals'),
    same('ST_Touches', 'touches'),
    same('ST_Crosses', 'crosses'),
    same('ST_Overlaps', 'overlaps'),
    sqlFunction('ST_DWithin', 3, args => isWithin(...pair(operands, args), finiteOf(args, 2))),
  ]
}

function measures(operands: Operands): readonly SqlFunction[] {
  const of = (name: string, measure: (shape: Shape) => number) => sqlFunction(name, 1, args => measure(operands.of(blobOf(args, 0), 0).geometry.shape))
  return [of('ST_Area', areaOf), of('ST_Length', lengthOf), of('ST_Perimeter', perimeterOf), sqlFunction('ST_Distance', 2, args => distanceOf(...pair(operands, args)))]
}

function overlays(operands: Operands): readonly SqlFunction[] {
  const two = (name: string, kind: Overlay) => sqlFunction(name, 2, args => encodeWkb(overlay(kind, ...pair(operands, args))))
  const one = (name: string, kind: Summary) => sqlFunction(name, 1, args => encodeWkb(summary(kind, operands.of(blobOf(args, 0), 0))))
  const buffered = (args: readonly SqlValue[]) => encodeWkb(buffer(operands.of(blobOf(args, 0), 0), finiteOf(args, 1), args.length > 2 ? integerOf(args, 2, 1, 32) : 8))
  return [
    two('ST_Union', 'union'),
    two('ST_Intersection', 'intersection'),
    two('ST_Difference', 'difference'),
    two('ST_SymDifference', 'symDifference'),
    one('ST_Centroid', 'getCentroid'),
    one('ST_PointOnSurface', 'getInteriorPoint'),
    one('ST_ConvexHull', 'convexHull'),
    sqlFunction('ST_Buffer', 2, buffered),
    sqlFunction('ST_Buffer', 3, buffered),
  ]
}

function outputs(operands: Operands): readonly SqlFunction[] {
  const of = (name: string, format: (geometry: Geometry) => SqlValue) => sqlFunction(name, 1, args => format(operands.of(blobOf(args, 0), 0).geometry))
  return [
    of('ST_AsText', ({ shape }) => formatWkt(shape)),
    of('ST_AsGeoJSON', ({ shape }) => JSON.stringify(shape)),
    of('ST_AsBinary', ({ shape }) => encodeWkb({ shape, srid: null })),
    of('ST_AsEWKB', encodeWkb),
  ]
}

/** The function, and the same with an SRID behind its arguments. */
function withSrid(name: string, arity: number, call: SqlFunction['call']): readonly SqlFunction[] {
  return [sqlFunction(name, arity, call), sqlFunction(name, arity + 1, call)]
}

/** The SRID is argument `sridAt`, if the call has it. */
function stored(shape: Shape, args: readonly SqlValue[], sridAt: number): Uint8Array {
  return reSrid({ shape, srid: null }, args, sridAt)
}

function reSrid(geometry: Geometry, args: readonly SqlValue[], sridAt: number): Uint8Array {
  return encodeWkb({ shape: geometry.shape, srid: args.length > sridAt ? integerOf(args, sridAt, 0, sridMax) : geometry.srid })
}

function shapeOfText(text: string, type: ShapeType | null): Shape {
  if (text.length > wktCharsMax) throw new SqlFunctionError(`the text of a geometry has at most ${wktCharsMax} characters`)
  const shape = parseWkt(text)
  if (type !== null && shape.type !== type) throw new GeometryError(`the text is a ${shape.type}, not a ${type}`)
  return shape
}

function boxOf(args: readonly SqlValue[]): Envelope {
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = [0, 1, 2, 3].map(i => finiteOf(args, i))
  return { xmin: Math.min(x1, x2), ymin: Math.min(y1, y2), xmax: Math.max(x1, x2), ymax: Math.max(y1, y2) }
}

function finiteOf(args: readonly SqlValue[], index: number): number {
  const number = numberOf(args, index)
  if (!Number.isFinite(number)) throw new SqlFunctionError(`argument ${index + 1} must be finite`)
  return number
}

function pair(operands: Operands, args: readonly SqlValue[]): [Operand, Operand] {
  return [operands.of(blobOf(args, 0), 0), operands.of(blobOf(args, 1), 1)]
}

/** Only a point has coordinates of its own. */
function pointOf({ geometry: { shape } }: Operand): readonly number[] | null {
  if (shape.type !== 'Point') throw new GeometryError(`the geometry is a ${shape.type}, not a Point`)
  return shape.coordinates
}

/** What is no geometry at all is not valid; one that is too large to be checked is refused. */
function isValidValue(operands: Operands, value: SqlValue | undefined): boolean {
  const operand = value instanceof Uint8Array ? readable(operands, value) : null
  return operand !== null && isValid(operand)
}

function readable(operands: Operands, bytes: Uint8Array): Operand | null {
  try {
    return operands.of(bytes, 0)
  } catch (error) {
    if (error instanceof GeometryError) return null
    throw error
  }
}

function topologicalDimension(shape: Shape): number {
  if (shape.type === 'GeometryCollection') return Math.max(0, ...shape.geometries.map(topologicalDimension))
  return shape.type.endsWith('Point') ? 0 : shape.type.endsWith('LineString') ? 1 : 2
}

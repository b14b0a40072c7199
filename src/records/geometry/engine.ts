/**
 * Topology of geometries by jsts: relations, overlays, buffers, validity. The only file that imports jsts (350 KB); it is itself loaded
 * by `require` when the first such function runs, so that depots without geometry never load it. Heights are lost in what it makes.
 */
import 'jsts/org/locationtech/jts/monkey.js'
import IndexedPointInAreaLocator from 'jsts/org/locationtech/jts/algorithm/locate/IndexedPointInAreaLocator.js'
import Coordinate from 'jsts/org/locationtech/jts/geom/Coordinate.js'
import GeometryFactory from 'jsts/org/locationtech/jts/geom/GeometryFactory.js'
import Location from 'jsts/org/locationtech/jts/geom/Location.js'
import { GeometryError, type Line, type Position, type Rings, type Shape } from './geometry.ts'

/** A geometry of jsts: what we use of it. */
export interface EngineGeometry {
  getGeometryType(): string
  getCoordinates(): readonly EngineCoordinate[]
  getNumGeometries(): number
  getGeometryN(index: number): EngineGeometry
  getExteriorRing(): EngineGeometry
  getNumInteriorRing(): number
  getInteriorRingN(index: number): EngineGeometry
  isEmpty(): boolean
  isValid(): boolean
  isSimple(): boolean
  getCentroid(): EngineGeometry
  getInteriorPoint(): EngineGeometry
  convexHull(): EngineGeometry
  buffer(distance: number, quadrantSegments: number): EngineGeometry
  distance(other: EngineGeometry): number
  isWithinDistance(other: EngineGeometry, distance: number): boolean
  union(other: EngineGeometry): EngineGeometry
  intersection(other: EngineGeometry): EngineGeometry
  difference(other: EngineGeometry): EngineGeometry
  symDifference(other: EngineGeometry): EngineGeometry
  intersects(other: EngineGeometry): boolean
  contains(other: EngineGeometry): boolean
  covers(other: EngineGeometry): boolean
  touches(other: EngineGeometry): boolean
  crosses(other: EngineGeometry): boolean
  overlaps(other: EngineGeometry): boolean
  equals(other: EngineGeometry): boolean
}

interface EngineCoordinate {
  readonly x: number
  readonly y: number
}

export type Place = 'inside' | 'boundary' | 'outside'

const factory = new GeometryFactory()

export function toEngine(shape: Shape): EngineGeometry {
  switch (shape.type) {
    case 'Point':
      return shape.coordinates.length === 0 ? factory.createPoint() : factory.createPoint(coordinate(shape.coordinates))
    case 'LineString':
      return lineString(shape.coordinates)
    case 'Polygon':
      return polygon(shape.coordinates)
    case 'MultiPoint':
      return factory.createMultiPoint(shape.coordinates.map(position => toEngine({ type: 'Point', coordinates: position })))
    case 'MultiLineString':
      return geometry(factory.createMultiLineString(shape.coordinates.map(lineString)))
    case 'MultiPolygon':
      return geometry(factory.createMultiPolygon(shape.coordinates.map(polygon)))
    case 'GeometryCollection':
      return geometry(factory.createGeometryCollection(shape.geometries.map(toEngine)))
  }
}

export function fromEngine(made: EngineGeometry): Shape {
  const type = made.getGeometryType()
  switch (type) {
    case 'Point':
      return { type, coordinates: lineOf(made)[0] ?? [] }
    case 'LineString':
      return { type, coordinates: lineOf(made) }
    case 'LinearRing':
      return { type: 'LineString', coordinates: lineOf(made) }
    case 'Polygon':
      return { type, coordinates: ringsOf(made) }
    case 'MultiPoint':
      return { type, coordinates: membersOf(made).map(member => lineOf(member)[0] ?? []) }
    case 'MultiLineString':
      return { type, coordinates: membersOf(made).map(lineOf) }
    case 'MultiPolygon':
      return { type, coordinates: membersOf(made).map(ringsOf) }
    case 'GeometryCollection':
      return { type, geometries: membersOf(made).map(fromEngine) }
    default:
      throw new GeometryError(`no geometry: ${type}`)
  }
}

/** Tells where points lie in an area: indexed at the first question, so that many points are fast. (jsts' own prepared geometries do not work.) */
export function pointLocator(area: EngineGeometry): (position: Position) => Place {
  const locator = new IndexedPointInAreaLocator(area)
  return position => {
    const found: unknown = locator.locate(coordinate(position))
    return found === Location.INTERIOR ? 'inside' : found === Location.BOUNDARY ? 'boundary' : 'outside'
  }
}

function lineString(line: Line): EngineGeometry {
  return factory.createLineString(line.map(coordinate))
}

function polygon(rings: Rings): EngineGeometry {
  const [shell, ...holes] = rings.map(ring => factory.createLinearRing(ring.map(coordinate)))
  return shell === undefined ? factory.createPolygon() : factory.createPolygon(shell, holes)
}

function coordinate([x = NaN, y = NaN]: Position): Coordinate {
  return new Coordinate(x, y)
}

/** The types of jsts know less than its classes do: the methods come from its monkey.js. */
function geometry(made: unknown): EngineGeometry {
  return made as EngineGeometry
}

function lineOf(made: EngineGeometry): Position[] {
  return made.getCoordinates().map(({ x, y }) => [x, y])
}

function ringsOf(made: EngineGeometry): Line[] {
  if (made.isEmpty()) return []
  const holes = Array.from({ length: made.getNumInteriorRing() }, (_, i) => lineOf(made.getInteriorRingN(i)))
  return [lineOf(made.getExteriorRing()), ...holes]
}

function membersOf(made: EngineGeometry): EngineGeometry[] {
  return Array.from({ length: made.getNumGeometries() }, (_, i) => made.getGeometryN(i))
}

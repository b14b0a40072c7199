/** A geometry as we hold it: the shape of GeoJSON with an SRID beside it. Its limits and what makes it well formed; the encodings have files of their own. */

/** Two numbers, or three with height; none is the empty point. */
export type Position = readonly number[]
export type Line = readonly Position[]
export type Rings = readonly Line[]

export type Shape =
  | { readonly type: 'Point'; readonly coordinates: Position }
  | { readonly type: 'MultiPoint'; readonly coordinates: Line }
  | { readonly type: 'LineString'; readonly coordinates: Line }
  | { readonly type: 'MultiLineString'; readonly coordinates: Rings }
  | { readonly type: 'Polygon'; readonly coordinates: Rings }
  | { readonly type: 'MultiPolygon'; readonly coordinates: readonly Rings[] }
  | { readonly type: 'GeometryCollection'; readonly geometries: readonly Shape[] }

export interface Geometry {
  readonly shape: Shape
  /** Identifier of the reference system, such as 4326; null when none was given. */
  readonly srid: number | null
}

/** Corners of the box around a geometry. */
export interface Envelope {
  readonly xmin: number
  readonly ymin: number
  readonly xmax: number
  readonly ymax: number
}

/** Codes of WKB, by their place. */
export const shapeTypes = ['Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString', 'MultiPolygon', 'GeometryCollection'] as const
export type ShapeType = (typeof shapeTypes)[number]

/** Positions that one geometry may have. */
export const geometryPositionsMax = 100_000
/** Collections within collections. */
export const geometryDepthMax = 16

/** The input is no geometry. The message is for whoever sent it. */
export class GeometryError extends Error {}

/** Refuses what no reader of geometries would take: open rings, lines of one point, positions of several dimensions, more than the limits. */
export function checkShape(shape: Shape): Shape {
  const count = { positions: 0, dimension: 0 }
  checkNested(shape, count, 0)
  return shape
}

/** Every position of `shape`, in order. */
export function* positionsOf(shape: Shape): Generator<Position> {
  switch (shape.type) {
    case 'Point':
      if (shape.coordinates.length > 0) yield shape.coordinates
      return
    case 'LineString':
    case 'MultiPoint':
      return yield* shape.coordinates
    case 'Polygon':
    case 'MultiLineString':
      for (const line of shape.coordinates) yield* line
      return
    case 'MultiPolygon':
      for (const rings of shape.coordinates) for (const ring of rings) yield* ring
      return
    case 'GeometryCollection':
      for (const member of shape.geometries) yield* positionsOf(member)
  }
}

/** 3 when positions have a height. */
export function dimensionOf(shape: Shape): 2 | 3 {
  for (const position of positionsOf(shape)) return position.length > 2 ? 3 : 2
  return 2
}

/** Null of an empty geometry. */
export function envelopeOf(shape: Shape): Envelope | null {
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x = 0, y = 0] of positionsOf(shape)) {
    if (x < xmin) xmin = x
    if (x > xmax) xmax = x
    if (y < ymin) ymin = y
    if (y > ymax) ymax = y
  }
  return xmin === Infinity ? null : { xmin, ymin, xmax, ymax }
}

/** The envelope as a geometry: a polygon, or a line or point where it has no area. */
export function envelopeShape({ xmin, ymin, xmax, ymax }: Envelope): Shape {
  if (xmin === xmax && ymin === ymax) return { type: 'Point', coordinates: [xmin, ymin] }
  if (xmin === xmax || ymin === ymax) return { type: 'LineString', coordinates: [[xmin, ymin], [xmax, ymax]] }
  return { type: 'Polygon', coordinates: [[[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax], [xmin, ymin]]] }
}

/** The parts of a multi-geometry or a collection; any other geometry is its only part. */
export function membersOf(shape: Shape): readonly Shape[] {
  switch (shape.type) {
    case 'MultiPoint':
      return shape.coordinates.map(coordinates => ({ type: 'Point', coordinates }))
    case 'MultiLineString':
      return shape.coordinates.map(coordinates => ({ type: 'LineString', coordinates }))
    case 'MultiPolygon':
      return shape.coordinates.map(coordinates => ({ type: 'Polygon', coordinates }))
    case 'GeometryCollection':
      return shape.geometries
    default:
      return [shape]
  }
}

interface Count {
  positions: number
  dimension: number
}

function checkNested(shape: Shape, count: Count, depth: number): void {
  if (depth > geometryDepthMax) throw new GeometryError(`collections are nested more than ${geometryDepthMax} deep`)
  switch (shape.type) {
    case 'Point':
      return shape.coordinates.length === 0 ? undefined : checkPosition(shape.coordinates, count)
    case 'MultiPoint':
      return checkPositions(shape.coordinates, count)
    case 'LineString':
      return checkLine(shape.coordinates, count)
    case 'MultiLineString':
      return shape.coordinates.forEach(line => checkLine(line, count))
    case 'Polygon':
      return checkRings(shape.coordinates, count)
    case 'MultiPolygon':
      return shape.coordinates.forEach(rings => checkRings(rings, count))
    case 'GeometryCollection':
      shape.geometries.forEach(member => checkNested(member, count, depth + 1))
  }
}

function checkRings(rings: Rings, count: Count): void {
  for (const ring of rings) {
    checkPositions(ring, count)
    const [first, last] = [ring[0], ring.at(-1)]
    if (first === undefined || last === undefined) continue
    if (ring.length < 4) throw new GeometryError(`a ring has ${ring.length} positions, it needs at least 4`)
    if (first[0] !== last[0] || first[1] !== last[1]) throw new GeometryError('a ring does not end where it begins')
  }
}

function checkLine(line: Line, count: Count): void {
  if (line.length === 1) throw new GeometryError('a line has 1 position, it needs at least 2')
  checkPositions(line, count)
}

function checkPositions(positions: Line, count: Count): void {
  for (const position of positions) checkPosition(position, count)
}

function checkPosition(position: Position, count: Count): void {
  if (position.length !== 2 && position.length !== 3) throw new GeometryError('a position has 2 or 3 numbers')
  if (!position.every(Number.isFinite)) throw new GeometryError('a coordinate is not a finite number')
  if (count.dimension !== 0 && count.dimension !== position.length) throw new GeometryError('positions differ in their number of coordinates')
  count.dimension = position.length
  count.positions++
  if (count.positions > geometryPositionsMax) throw new GeometryError(`a geometry has at most ${geometryPositionsMax} positions`)
}

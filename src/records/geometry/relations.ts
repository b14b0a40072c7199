/** How two geometries lie to each other. Boxes and single points are decided here, everything else by the engine. SRIDs are not looked at, as TrailBase does. */
import { assertAffordable, envelopesMeet } from './crossings.ts'
import { Operand } from './operand.ts'
import { type Envelope, envelopeOf, GeometryError, type Position, type Rings } from './geometry.ts'

export type Relation = 'intersects' | 'contains' | 'covers' | 'touches' | 'crosses' | 'overlaps' | 'equals'

/** Positions of a geometry that is compared with another, or checked for validity. */
export const relationPositionsMax = 20_000
/** Pairs of close segments of a comparison: about a quarter of a second. */
const relationPairsMax = 100_000

/** Polygons of one geometry whose boxes meet: the check of as many takes about a quarter of a second. */
const meetingPolygonsMax = 500
/** Pairs of parts of two collections. */
const partPairsMax = 20_000

/** `contains(a, b)`: b lies within a and not only on its boundary; `covers`: b lies within a. Nothing holds of an empty geometry. */
export function holds(relation: Relation, a: Operand, b: Operand): boolean {
  if (a.envelope === null || b.envelope === null || !mayHold(relation, a.envelope, b.envelope)) return relation === 'equals' && a.envelope === b.envelope
  const atPoint = pointRelation(relation, a, b)
  if (atPoint !== null) return atPoint
  if (a.isCollection || b.isCollection) return holdsOfCollections(relation, a, b)
  assertComparable(a, b)
  return a.made[relation](b.made)
}

/** Null when one of them is empty. */
export function distanceOf(a: Operand, b: Operand): number | null {
  if (a.envelope === null || b.envelope === null) return null
  if (a.point !== null && b.point !== null) return pointDistance(a.point, b.point)
  assertMeasurable(a, b)
  return a.made.distance(b.made)
}

export function isWithin(a: Operand, b: Operand, distance: number): boolean {
  if (a.envelope === null || b.envelope === null) return false
  if (boxDistance(a.envelope, b.envelope) > distance) return false
  const measured = distanceOf(a, b)
  return measured !== null && measured <= distance
}

/** By the rules of OGC: rings do not cross, holes are inside, lines have a length. An empty geometry is valid. */
export function isValid(operand: Operand): boolean {
  const { shape } = operand.geometry
  if (shape.type === 'Point' || shape.type === 'MultiPoint') return true
  assertSize(operand)
  assertAffordable(operand, operand, relationPairsMax)
  const { srid } = operand.geometry
  if (shape.type === 'GeometryCollection') return shape.geometries.every(member => isValid(new Operand({ shape: member, srid })))
  if (shape.type !== 'MultiPolygon') return operand.made.isValid()
  return groupsThatMeet(shape.coordinates).every(coordinates => {
    if (coordinates.length > meetingPolygonsMax) throw new GeometryError(`more than ${meetingPolygonsMax} polygons of one geometry lie among each other`)
    return new Operand({ shape: { type: 'MultiPolygon', coordinates }, srid }).made.isValid()
  })
}

/** The engine compares every polygon with every other, which for thousands takes seconds; those whose boxes do not meet cannot disturb each other. */
function groupsThatMeet(polygons: readonly Rings[]): readonly (readonly Rings[])[] {
  const boxed = polygons.flatMap(rings => {
    const box = envelopeOf({ type: 'Polygon', coordinates: rings })
    return box === null ? [] : [{ rings, box }]
  })
  boxed.sort((a, b) => a.box.xmin - b.box.xmin)
  let open: Group[] = []
  const all = new Set<Group>()
  for (const { rings, box } of boxed) {
    // What ended left of here meets nothing that follows.
    open = open.filter(group => group.box.xmax >= box.xmin)
    const met = open.filter(group => envelopesMeet(group.box, box))
    const group: Group = { polygons: [rings, ...met.flatMap(each => each.polygons)], box: met.reduce((sum, each) => around(sum, each.box), box) }
    for (const each of met) all.delete(each)
    open = [...open.filter(each => !met.includes(each)), group]
    all.add(group)
  }
  return [...all].map(group => group.polygons)
}

interface Group {
  readonly polygons: readonly Rings[]
  readonly box: Envelope
}

function around(a: Envelope, b: Envelope): Envelope {
  return { xmin: Math.min(a.xmin, b.xmin), ymin: Math.min(a.ymin, b.ymin), xmax: Math.max(a.xmax, b.xmax), ymax: Math.max(a.ymax, b.ymax) }
}

/** Whether the boxes leave the relation possible. */
function mayHold(relation: Relation, a: Envelope, b: Envelope): boolean {
  if (relation === 'contains' || relation === 'covers') return boxContains(a, b)
  return relation === 'equals' ? boxContains(a, b) && boxContains(b, a) : envelopesMeet(a, b)
}

/** The relation of an area and a point; null when they are not that. */
function pointRelation(relation: Relation, a: Operand, b: Operand): boolean | null {
  if (a.point !== null && b.point !== null) return a.point[0] === b.point[0] && a.point[1] === b.point[1] && !['touches', 'crosses', 'overlaps'].includes(relation)
  const [area, point] = a.isArea ? [a, b.point] : [b, a.point]
  if (!area.isArea || point === null) return null
  const place = area.placeOf(point)
  if (relation === 'intersects') return place !== 'outside'
  if (relation === 'touches') return place === 'boundary'
  if (relation === 'contains') return area === a && place === 'inside'
  return relation === 'covers' && area === a && place !== 'outside'
}

/** `intersects` of collections is that of their parts; what the other relations mean of them is not defined. */
function holdsOfCollections(relation: Relation, a: Operand, b: Operand): boolean {
  if (relation !== 'intersects') throw new GeometryError('of a GEOMETRYCOLLECTION only ST_Intersects, ST_Disjoint and distances are known')
  const [parts, others] = [partsOf(a), partsOf(b)]
  if (parts.length * others.length > partPairsMax) throw new GeometryError('the collections have too many parts to be compared')
  return parts.some(part => others.some(other => holds('intersects', part, other)))
}

function partsOf(operand: Operand): readonly Operand[] {
  const { shape, srid } = operand.geometry
  return shape.type === 'GeometryCollection' ? shape.geometries.map(member => new Operand({ shape: member, srid })) : [operand]
}

function assertComparable(a: Operand, b: Operand): void {
  assertSize(a)
  assertSize(b)
  assertAffordable(a, b, relationPairsMax)
}

/** A distance looks at every pair of segments. */
function assertMeasurable(a: Operand, b: Operand): void {
  if (a.positions * b.positions > 10_000_000) throw new GeometryError('the geometries have too many positions for a distance')
}

function assertSize(operand: Operand): void {
  if (operand.positions > relationPositionsMax) throw new GeometryError(`a geometry that is compared or checked has at most ${relationPositionsMax} positions`)
}

function boxContains(a: Envelope, b: Envelope): boolean {
  return a.xmin <= b.xmin && a.ymin <= b.ymin && a.xmax >= b.xmax && a.ymax >= b.ymax
}

function boxDistance(a: Envelope, b: Envelope): number {
  return Math.hypot(Math.max(0, a.xmin - b.xmax, b.xmin - a.xmax), Math.max(0, a.ymin - b.ymax, b.ymin - a.ymax))
}

function pointDistance([x1 = 0, y1 = 0]: Position, [x2 = 0, y2 = 0]: Position): number {
  return Math.hypot(x2 - x1, y2 - y1)
}

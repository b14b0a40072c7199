/** New geometries out of given ones: union, intersection, difference, buffer, hull, centre. Their SRID is that of the first; heights are lost. */
import { assertAffordable } from './crossings.ts'
import type { EngineGeometry } from './engine.ts'
import { type Geometry, GeometryError } from './geometry.ts'
import { engine, type Operand } from './operand.ts'

export type Overlay = 'union' | 'intersection' | 'difference' | 'symDifference'

/** Positions of each geometry of an overlay. */
const overlayPositionsMax = 10_000
/** Pairs of close segments of an overlay: about half a second. */
const overlayPairsMax = 3_000
const bufferPositionsMax = 2_000
/** Segments by which a quarter of a circle is drawn. */
const quadrantSegmentsMax = 32
/** Positions of a geometry whose hull or centre is asked for. */
const summaryPositionsMax = 100_000

export function overlay(kind: Overlay, a: Operand, b: Operand): Geometry {
  assertPlain(a, overlayPositionsMax)
  assertPlain(b, overlayPositionsMax)
  assertAffordable(a, b, overlayPairsMax)
  return resultOf(a, a.made[kind](b.made))
}

/** Everything within `distance`; a negative one shrinks an area. `quadrantSegments` is 8 unless said. */
export function buffer(operand: Operand, distance: number, quadrantSegments: number): Geometry {
  assertPlain(operand, bufferPositionsMax)
  if (!(quadrantSegments >= 1 && quadrantSegments <= quadrantSegmentsMax)) throw new GeometryError(`quarter circles have 1 to ${quadrantSegmentsMax} segments`)
  assertAffordable(operand, operand, overlayPairsMax)
  return resultOf(operand, operand.made.buffer(distance, quadrantSegments))
}

export type Summary = 'getCentroid' | 'getInteriorPoint' | 'convexHull'

export function summary(kind: Summary, operand: Operand): Geometry {
  assertSize(operand, summaryPositionsMax)
  return resultOf(operand, operand.made[kind]())
}

function resultOf(operand: Operand, made: EngineGeometry): Geometry {
  return { shape: engine().fromEngine(made), srid: operand.geometry.srid }
}

function assertPlain(operand: Operand, positionsMax: number): void {
  if (operand.isCollection) throw new GeometryError('a GEOMETRYCOLLECTION has no overlay')
  assertSize(operand, positionsMax)
}

function assertSize(operand: Operand, positionsMax: number): void {
  if (operand.positions > positionsMax) throw new GeometryError(`a geometry has at most ${positionsMax} positions here`)
}

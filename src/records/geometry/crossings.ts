/** How much work two geometries may make: jsts looks at every pair of segments that come close, and nothing can interrupt it. */
import { type Envelope, GeometryError, type Line, membersOf, type Shape } from './geometry.ts'
import type { Operand } from './operand.ts'

/** Comparisons of two segments before an answer is refused: about 50 ms. */
const comparisonsMax = 10_000_000
/** Geometries whose segments make fewer pairs than this are always cheap. */
const pairsChecked = 10_000

/** Refuses with a GeometryError when more than `closePairsMax` pairs of segments come close: those that jsts would intersect. */
export function assertAffordable(a: Operand, b: Operand, closePairsMax: number): void {
  if (a.positions * b.positions <= pairsChecked || a.envelope === null || b.envelope === null) return
  const segments = [...segmentsOf(a.geometry.shape, 0, b.envelope), ...(a === b ? [] : segmentsOf(b.geometry.shape, 1, a.envelope))]
  segments.sort((one, other) => one.xmin - other.xmin)
  const work = { comparisons: 0, close: 0 }
  segments.forEach((segment, i) => {
    compareFollowing(segments, segment, i, a === b, work)
    if (work.close > closePairsMax || work.comparisons > comparisonsMax) throw new GeometryError('the geometries cross each other too often')
  })
}

interface Segment extends Envelope {
  /** Which of the two geometries it is of. */
  readonly side: number
}

function compareFollowing(segments: readonly Segment[], segment: Segment, index: number, within: boolean, work: { comparisons: number; close: number }): void {
  for (let i = index + 1; i < segments.length; i++) {
    const other = segments[i]
    if (other === undefined || other.xmin > segment.xmax) return
    work.comparisons++
    if ((within || other.side !== segment.side) && other.ymin <= segment.ymax && other.ymax >= segment.ymin) work.close++
  }
}

/** Segments of `shape` that touch `area`, by their boxes. */
function segmentsOf(shape: Shape, side: number, area: Envelope): Segment[] {
  return linesOf(shape).flatMap(line => {
    const found: Segment[] = []
    for (let i = 1; i < line.length; i++) {
      const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = [line[i - 1], line[i]]
      const segment = { side, xmin: Math.min(x1, x2), xmax: Math.max(x1, x2), ymin: Math.min(y1, y2), ymax: Math.max(y1, y2) }
      if (envelopesMeet(segment, area)) found.push(segment)
    }
    return found
  })
}

export function envelopesMeet(a: Envelope, b: Envelope): boolean {
  return a.xmin <= b.xmax && b.xmin <= a.xmax && a.ymin <= b.ymax && b.ymin <= a.ymax
}

function linesOf(shape: Shape): readonly Line[] {
  switch (shape.type) {
    case 'Point':
    case 'MultiPoint':
      return []
    case 'LineString':
      return [shape.coordinates]
    case 'Polygon':
    case 'MultiLineString':
      return shape.coordinates
    default:
      return membersOf(shape).flatMap(linesOf)
  }
}

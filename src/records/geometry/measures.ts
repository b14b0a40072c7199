/** Area and length of a geometry in the units of its coordinates: plane geometry, whatever the SRID. */
import { type Line, membersOf, type Shape } from './geometry.ts'

/** 0 of what has no area. */
export function areaOf(shape: Shape): number {
  if (shape.type === 'Polygon') return shape.coordinates.reduce((sum, ring, i) => (i === 0 ? ringArea(ring) : sum - ringArea(ring)), 0)
  return isGroup(shape) ? sum(membersOf(shape).map(areaOf)) : 0
}

/** Length of lines; 0 of areas, whose boundary has a perimeter. */
export function lengthOf(shape: Shape): number {
  if (shape.type === 'LineString') return lineLength(shape.coordinates)
  return isGroup(shape) ? sum(membersOf(shape).map(lengthOf)) : 0
}

/** Length of the rings of areas, holes included. */
export function perimeterOf(shape: Shape): number {
  if (shape.type === 'Polygon') return sum(shape.coordinates.map(lineLength))
  return isGroup(shape) ? sum(membersOf(shape).map(perimeterOf)) : 0
}

function isGroup(shape: Shape): boolean {
  return shape.type.startsWith('Multi') || shape.type === 'GeometryCollection'
}

/** Relative to the first position, so that places far from the origin lose no digits. */
function ringArea(ring: Line): number {
  const [[x0 = 0, y0 = 0] = []] = ring
  let twice = 0
  for (let i = 1; i < ring.length; i++) {
    const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = [ring[i - 1], ring[i]]
    twice += (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
  }
  return Math.abs(twice) / 2
}

function lineLength(line: Line): number {
  let length = 0
  for (let i = 1; i < line.length; i++) {
    const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = [line[i - 1], line[i]]
    length += Math.hypot(x2 - x1, y2 - y1)
  }
  return length
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** A geometry as an argument of a function, with all that is worked out of it kept: over many rows one side is usually the same bytes again. */
import { lazily } from '../../lib/lazily.ts'
import type { EngineGeometry, Place } from './engine.ts'
import { type Envelope, envelopeOf, type Geometry, positionsOf, type Position } from './geometry.ts'
import { decodeWkb } from './wkb.ts'

type Engine = typeof import('./engine.ts')

/** Loads jsts when it is first called. `require`, because a SQL function cannot wait. */
export const engine: () => Engine = lazily(() => require('./engine.ts') as Engine)

export class Operand {
  readonly geometry: Geometry
  readonly envelope: Envelope | null
  readonly positions: number
  readonly #made = lazily(() => engine().toEngine(this.geometry.shape))
  readonly #locate = lazily(() => engine().pointLocator(this.#made()))

  constructor(geometry: Geometry) {
    this.geometry = geometry
    this.envelope = envelopeOf(geometry.shape)
    this.positions = geometry.shape.type === 'Point' ? geometry.shape.coordinates.length / 2 : countOf(positionsOf(geometry.shape))
  }

  get isArea(): boolean {
    return this.geometry.shape.type === 'Polygon' || this.geometry.shape.type === 'MultiPolygon'
  }

  get isCollection(): boolean {
    return this.geometry.shape.type === 'GeometryCollection'
  }

  /** The position of a point that has one. */
  get point(): Position | null {
    const { shape } = this.geometry
    return shape.type === 'Point' && shape.coordinates.length > 0 ? shape.coordinates : null
  }

  get made(): EngineGeometry {
    return this.#made()
  }

  /** Only of an area. */
  placeOf(position: Position): Place {
    return this.#locate()(position)
  }
}

/** Remembers the last operand of each argument, by its bytes. One for each connection. */
export class Operands {
  readonly #last = new Map<number, { readonly bytes: Uint8Array; readonly operand: Operand }>()

  /** `place`: which argument it is. Refuses with a GeometryError what is no geometry. */
  of(bytes: Uint8Array, place: number): Operand {
    const last = this.#last.get(place)
    if (last !== undefined && last.bytes.length === bytes.length && Buffer.compare(last.bytes, bytes) === 0) return last.operand
    const operand = new Operand(decodeWkb(bytes))
    this.#last.set(place, { bytes: bytes.slice(), operand })
    return operand
  }
}

function countOf(values: Iterable<unknown>): number {
  let count = 0
  for (const _ of values) count++
  return count
}

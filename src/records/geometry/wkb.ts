/** WKB and EWKB: how a geometry is stored in a BLOB. Both byte orders and both ways to tell height are read; what is written is little-endian EWKB, with the SRID when there is one. */
import { checkShape, dimensionOf, type Geometry, geometryDepthMax, GeometryError, geometryPositionsMax, membersOf, type Position, type Shape, type ShapeType, shapeTypes } from './geometry.ts'

/** Refuses with a GeometryError whatever is not exactly one well-formed geometry. Positions with a measure (M) are not supported. */
export function decodeWkb(bytes: Uint8Array): Geometry {
  const reader = new WkbReader(bytes)
  const { shape, srid } = reader.geometry(0)
  reader.assertEnd()
  return { shape: checkShape(shape), srid }
}

export function encodeWkb({ shape, srid }: Geometry): Uint8Array {
  const writer = new WkbWriter(sizeOf(shape) + (srid === null ? 0 : 4), dimensionOf(shape))
  writer.geometry(shape, srid)
  return writer.bytes
}

const heightFlag = 0x8000_0000
const measureFlag = 0x4000_0000
const sridFlag = 0x2000_0000

interface Header {
  readonly type: ShapeType
  readonly dimension: 2 | 3
  readonly srid: number | null
  readonly little: boolean
}

class WkbReader {
  readonly #view: DataView
  #at = 0
  #positions = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  geometry(depth: number): Geometry {
    if (depth > geometryDepthMax) throw new GeometryError(`collections are nested more than ${geometryDepthMax} deep`)
    const header = this.#header()
    return { shape: this.#shape(header, depth), srid: header.srid }
  }

  assertEnd(): void {
    if (this.#at !== this.#view.byteLength) throw new GeometryError('there are bytes behind the geometry')
  }

  #header(): Header {
    this.#need(5)
    const order = this.#view.getUint8(this.#at)
    if (order > 1) throw new GeometryError('not WKB: it does not begin with a byte order')
    const little = order === 1
    const word = this.#view.getUint32(this.#at + 1, little)
    this.#at += 5
    const code = word & 0x0fff_ffff
    const [iso, type] = [Math.floor(code / 1000), shapeTypes[(code % 1000) - 1]]
    if (type === undefined || iso > 3) throw new GeometryError(`not a known kind of geometry: ${code}`)
    if ((word & measureFlag) !== 0 || iso >= 2) throw new GeometryError('positions with a measure (M) are not supported')
    const dimension = (word & heightFlag) !== 0 || iso === 1 ? 3 : 2
    return { type, dimension, srid: (word & sridFlag) === 0 ? null : this.#int(little), little }
  }

  #shape(header: Header, depth: number): Shape {
    const { type } = header
    switch (type) {
      case 'Point':
        return { type, coordinates: this.#point(header) }
      case 'LineString':
        return { type, coordinates: this.#line(header) }
      case 'Polygon':
        return { type, coordinates: this.#list(header, 4, () => this.#line(header)) }
      case 'MultiPoint':
        return { type, coordinates: this.#list(header, 21, () => this.#member('Point', depth).coordinates) }
      case 'MultiLineString':
        return { type, coordinates: this.#list(header, 9, () => this.#member('LineString', depth).coordinates) }
      case 'MultiPolygon':
        return { type, coordinates: this.#list(header, 9, () => this.#member('Polygon', depth).coordinates) }
      case 'GeometryCollection':
        return { type, geometries: this.#list(header, 9, () => this.geometry(depth + 1).shape) }
    }
  }

  #member<Type extends ShapeType>(type: Type, depth: number): Extract<Shape, { type: Type }> {
    const { shape } = this.geometry(depth + 1)
    if (!isOfType(shape, type)) throw new GeometryError(`a multi-geometry of ${type} holds a ${shape.type}`)
    return shape
  }

  /** `bytesMin`: what an entry takes at least, so that a count cannot ask for more than there is. */
  #list<Entry>({ little }: Header, bytesMin: number, read: () => Entry): Entry[] {
    this.#need(4)
    const count = this.#view.getUint32(this.#at, little)
    this.#at += 4
    this.#need(count * bytesMin)
    return Array.from({ length: count }, read)
  }

  #line(header: Header): Position[] {
    return this.#list(header, header.dimension * 8, () => this.#position(header))
  }

  /** A point without a place has NaN for coordinates. */
  #point(header: Header): Position {
    const position = this.#position(header)
    return position.every(Number.isNaN) ? [] : position
  }

  #position({ dimension, little }: Header): Position {
    this.#positions++
    if (this.#positions > geometryPositionsMax) throw new GeometryError(`a geometry has at most ${geometryPositionsMax} positions`)
    this.#need(dimension * 8)
    const [at, view] = [this.#at, this.#view]
    this.#at += dimension * 8
    const [x, y] = [view.getFloat64(at, little), view.getFloat64(at + 8, little)]
    return dimension === 2 ? [x, y] : [x, y, view.getFloat64(at + 16, little)]
  }

  #int(little: boolean): number {
    this.#need(4)
    this.#at += 4
    return this.#view.getInt32(this.#at - 4, little)
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#view.byteLength) throw new GeometryError('the geometry ends too early')
  }
}

function isOfType<Type extends ShapeType>(shape: Shape, type: Type): shape is Extract<Shape, { type: Type }> {
  return shape.type === type
}

function sizeOf(shape: Shape): number {
  const positionBytes = dimensionOf(shape) * 8
  return bytesOf(shape, positionBytes)
}

function bytesOf(shape: Shape, positionBytes: number): number {
  switch (shape.type) {
    case 'Point':
      return 5 + positionBytes
    case 'LineString':
      return 9 + shape.coordinates.length * positionBytes
    case 'Polygon':
      return shape.coordinates.reduce((sum, ring) => sum + 4 + ring.length * positionBytes, 9)
    default:
      return membersOf(shape).reduce((sum, member) => sum + bytesOf(member, positionBytes), 9)
  }
}

class WkbWriter {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #dimension: 2 | 3
  #at = 0

  constructor(size: number, dimension: 2 | 3) {
    this.bytes = new Uint8Array(size)
    this.#view = new DataView(this.bytes.buffer)
    this.#dimension = dimension
  }

  geometry(shape: Shape, srid: number | null): void {
    this.#header(shape.type, srid)
    switch (shape.type) {
      case 'Point':
        return this.#position(shape.coordinates)
      case 'LineString':
        return this.#line(shape.coordinates)
      case 'Polygon':
        this.#uint(shape.coordinates.length)
        return shape.coordinates.forEach(ring => this.#line(ring))
      default:
        this.#members(membersOf(shape))
    }
  }

  #header(type: ShapeType, srid: number | null): void {
    this.bytes[this.#at] = 1
    this.#at++
    this.#uint((shapeTypes.indexOf(type) + 1 + (this.#dimension === 3 ? heightFlag : 0) + (srid === null ? 0 : sridFlag)) >>> 0)
    if (srid === null) return
    this.#view.setInt32(this.#at, srid, true)
    this.#at += 4
  }

  #members(members: readonly Shape[]): void {
    this.#uint(members.length)
    for (const member of members) this.geometry(member, null)
  }

  #line(positions: readonly Position[]): void {
    this.#uint(positions.length)
    for (const position of positions) this.#position(position)
  }

  #position(position: Position): void {
    for (let i = 0; i < this.#dimension; i++) {
      this.#view.setFloat64(this.#at, position[i] ?? NaN, true)
      this.#at += 8
    }
  }

  #uint(value: number): void {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }
}

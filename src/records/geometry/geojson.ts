/** GeoJSON geometries (RFC 7946) to and from what is stored: what a geometry column is in JSON. Features are made where lists are answered. */
import { parseJsonText } from '../functions/json-text.ts'
import { checkShape, geometryDepthMax, GeometryError, geometryPositionsMax, type Position, type Shape } from './geometry.ts'
import { decodeWkb, encodeWkb } from './wkb.ts'

/** Characters of a geometry as text. */
export const geoJsonCharsMax = 4 * 1024 * 1024

/** The stored geometry as GeoJSON. Refuses with a GeometryError what is not WKB. */
export function geometryToGeoJson(wkb: Uint8Array): Shape {
  return decodeWkb(wkb).shape
}

/** What is stored for a GeoJSON geometry, or one as text. Refuses with a GeometryError whatever is not one. */
export function geoJsonToGeometry(value: unknown): Uint8Array {
  return encodeWkb({ shape: typeof value === 'string' ? shapeOfGeoJsonText(value) : shapeOfGeoJson(value), srid: null })
}

/** Unknown members are left out, as RFC 7946 wants of a reader. */
export function shapeOfGeoJson(value: unknown): Shape {
  return checkShape(new GeoJsonReader().shape(value, 0))
}

/** The same of text. */
export function shapeOfGeoJsonText(text: string): Shape {
  const value = parseJsonText(text, geoJsonCharsMax)
  if (value === undefined) throw new GeometryError(`the text is not JSON of at most ${geoJsonCharsMax} characters`)
  return shapeOfGeoJson(value)
}

class GeoJsonReader {
  #positions = 0

  shape(value: unknown, depth: number): Shape {
    if (depth > geometryDepthMax) throw new GeometryError(`collections are nested more than ${geometryDepthMax} deep`)
    if (typeof value !== 'object' || value === null) throw new GeometryError('a GeoJSON geometry is an object')
    const type: unknown = Reflect.get(value, 'type')
    if (type === 'GeometryCollection') {
      const geometries = arrayOf(Reflect.get(value, 'geometries'), '"geometries"')
      return { type, geometries: geometries.map(member => this.shape(member, depth + 1)) }
    }
    return this.#plain(type, Reflect.get(value, 'coordinates'))
  }

  #plain(type: unknown, coordinates: unknown): Shape {
    switch (type) {
      case 'Point':
        return { type, coordinates: Array.isArray(coordinates) && coordinates.length === 0 ? [] : this.#position(coordinates) }
      case 'LineString':
      case 'MultiPoint':
        return { type, coordinates: this.#line(coordinates) }
      case 'Polygon':
      case 'MultiLineString':
        return { type, coordinates: this.#lines(coordinates) }
      case 'MultiPolygon':
        return { type, coordinates: arrayOf(coordinates, '"coordinates"').map(rings => this.#lines(rings)) }
      default:
        throw new GeometryError('"type" names no GeoJSON geometry')
    }
  }

  #lines(value: unknown): Position[][] {
    return arrayOf(value, '"coordinates"').map(line => this.#line(line))
  }

  #line(value: unknown): Position[] {
    return arrayOf(value, '"coordinates"').map(position => this.#position(position))
  }

  /** Numbers beyond the third are left out (RFC 7946 §3.1.1). */
  #position(value: unknown): Position {
    this.#positions++
    if (this.#positions > geometryPositionsMax) throw new GeometryError(`a geometry has at most ${geometryPositionsMax} positions`)
    const numbers = arrayOf(value, 'a position').slice(0, 3)
    if (numbers.length < 2) throw new GeometryError('a position has 2 or 3 numbers')
    return numbers.map(finite)
  }
}

/** An exact integer (bigint) is taken too: bodies are parsed that way. */
function finite(value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) throw new GeometryError('a coordinate is not a finite number')
  return number
}

function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new GeometryError(`${what} must be an array`)
  return value
}

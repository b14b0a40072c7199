/** WKT: geometries as people and filters write them. SRIDs are not part of it. */
import { checkShape, dimensionOf, geometryDepthMax, GeometryError, geometryPositionsMax, membersOf, type Position, type Shape, type ShapeType, shapeTypes } from './geometry.ts'

/** Refuses with a GeometryError, which names the place, whatever is not exactly one geometry. */
export function parseWkt(text: string): Shape {
  const reader = new WktReader(text)
  const shape = reader.shape(0)
  reader.assertEnd()
  return checkShape(shape)
}

/** Such as `POINT (12.5 41.9)`, with `Z` where positions have a height. */
export function formatWkt(shape: Shape): string {
  const height = dimensionOf(shape) === 3 ? ' Z' : ''
  return `${shape.type.toUpperCase()}${height} ${bodyOf(shape, height)}`
}

const words = { EMPTY: /EMPTY\b/iy, Z: /Z\b/iy, M: /Z?M\b/iy }
const typesByWord = new Map<string, ShapeType>(shapeTypes.map(type => [type.toUpperCase(), type]))

class WktReader {
  readonly #text: string
  #at = 0
  #positions = 0

  constructor(text: string) {
    this.#text = text
  }

  shape(depth: number): Shape {
    if (depth > geometryDepthMax) this.#refuse(`collections nested at most ${geometryDepthMax} deep`)
    const type = this.#type()
    switch (type) {
      case 'Point':
        return { type, coordinates: this.#word('EMPTY') ? [] : this.#enclosed(() => this.#position()) }
      case 'LineString':
        return { type, coordinates: this.#line() }
      case 'MultiPoint':
        return { type, coordinates: this.#list(() => (this.#peek() === '(' ? this.#enclosed(() => this.#position()) : this.#position())) }
      case 'Polygon':
      case 'MultiLineString':
        return { type, coordinates: this.#list(() => this.#line()) }
      case 'MultiPolygon':
        return { type, coordinates: this.#list(() => this.#list(() => this.#line())) }
      case 'GeometryCollection':
        return { type, geometries: this.#list(() => this.shape(depth + 1)) }
    }
  }

  assertEnd(): void {
    this.#skipSpace()
    if (this.#at !== this.#text.length) this.#refuse('the end')
  }

  #type(): ShapeType {
    const word = this.#match(/[a-z]+/iy)?.toUpperCase() ?? ''
    const type = typesByWord.get(word) ?? typesByWord.get(word.replace(/Z$/, ''))
    if (type === undefined) return this.#refuse('the name of a geometry')
    if (this.#word('M')) this.#refuse('positions without a measure (M)')
    this.#word('Z')
    return type
  }

  #line(): Position[] {
    return this.#list(() => this.#position())
  }

  #list<Entry>(read: () => Entry): Entry[] {
    if (this.#word('EMPTY')) return []
    return this.#enclosed(() => {
      const entries = [read()]
      while (this.#mark(',')) entries.push(read())
      return entries
    })
  }

  #enclosed<Content>(read: () => Content): Content {
    if (!this.#mark('(')) this.#refuse('"("')
    const content = read()
    if (!this.#mark(')')) this.#refuse('")"')
    return content
  }

  #position(): Position {
    this.#positions++
    if (this.#positions > geometryPositionsMax) this.#refuse(`at most ${geometryPositionsMax} positions`)
    const position = [this.#number(), this.#number()]
    if (/[-+.\d]/.test(this.#peek())) position.push(this.#number())
    return position
  }

  #number(): number {
    const text = this.#match(/[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?(?![\w.])/iy)
    return text === null ? this.#refuse('a number') : Number(text)
  }

  #word(word: keyof typeof words): boolean {
    return this.#match(words[word]) !== null
  }

  #mark(mark: string): boolean {
    if (this.#peek() !== mark) return false
    this.#at++
    return true
  }

  #peek(): string {
    this.#skipSpace()
    return this.#text.charAt(this.#at)
  }

  #match(pattern: RegExp): string | null {
    this.#skipSpace()
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? null
    this.#at += found?.length ?? 0
    return found
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++
  }

  #refuse(expected: string): never {
    const found = this.#text.slice(this.#at, this.#at + 20)
    throw new GeometryError(`WKT: expected ${expected} at character ${this.#at + 1}, found ${found === '' ? 'the end' : `"${found}"`}`)
  }
}

function bodyOf(shape: Shape, height: string): string {
  switch (shape.type) {
    case 'Point':
      return shape.coordinates.length === 0 ? 'EMPTY' : `(${shape.coordinates.join(' ')})`
    case 'LineString':
      return listOf(shape.coordinates, position => position.join(' '))
    case 'MultiPoint':
      return listOf(shape.coordinates, position => `(${position.join(' ')})`)
    case 'Polygon':
      return listOf(shape.coordinates, ring => listOf(ring, position => position.join(' ')))
    case 'GeometryCollection':
      return listOf(shape.geometries, member => `${member.type.toUpperCase()}${height} ${bodyOf(member, height)}`)
    default:
      return listOf(membersOf(shape), member => bodyOf(member, height))
  }
}

function listOf<Entry>(entries: readonly Entry[], format: (entry: Entry) => string): string {
  return entries.length === 0 ? 'EMPTY' : `(${entries.map(format).join(', ')})`
}

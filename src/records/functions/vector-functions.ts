/** Vectors in SQL: BLOBs of little-endian 32-bit floats, as sqlite-vec has them. Every function takes a BLOB or a JSON array of numbers. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { type SqlFunction, SqlFunctionError, sqlFunction } from './sql-function.ts'

/** Elements of one vector. */
export const vectorElementsMax = 8192
/** A number of JSON in a vector takes no more. */
const vectorCharsMax = vectorElementsMax * 32

export function vectorFunctions(): readonly SqlFunction[] {
  return [
    sqlFunction('vec_f32', 1, args => packed(vectorOf(args, 0))),
    sqlFunction('vec_length', 1, args => BigInt(vectorOf(args, 0).length)),
    sqlFunction('vec_to_json', 1, args => `[${Array.from(vectorOf(args, 0), shortest).join(',')}]`),
    sqlFunction('vec_normalize', 1, args => packed(normalized(vectorOf(args, 0)))),
    sqlFunction('vec_add', 2, args => packed(combined(args, (a, b) => a + b))),
    sqlFunction('vec_sub', 2, args => packed(combined(args, (a, b) => a - b))),
    sqlFunction('vec_distance_l1', 2, args => total(args, (a, b) => Math.abs(a - b))),
    sqlFunction('vec_distance_l2', 2, args => Math.sqrt(total(args, (a, b) => (a - b) ** 2))),
    sqlFunction('vec_distance_cosine', 2, cosineDistance),
  ]
}

function vectorOf(args: readonly SqlValue[], index: number): Float32Array {
  const value = args[index] ?? null
  const vector = value instanceof Uint8Array ? unpacked(value) : parsed(value)
  if (vector.length === 0) throw new SqlFunctionError('a vector has at least one element')
  if (vector.length > vectorElementsMax) throw new SqlFunctionError(`a vector has at most ${vectorElementsMax} elements`)
  if (!vector.every(Number.isFinite)) throw new SqlFunctionError('an element of a vector is not a finite number')
  return vector
}

function unpacked(blob: Uint8Array): Float32Array {
  if (blob.length % 4 !== 0) throw new SqlFunctionError(`a vector has 4 bytes for each element, not ${blob.length} in all`)
  if (blob.length > vectorElementsMax * 4) throw new SqlFunctionError(`a vector has at most ${vectorElementsMax} elements`)
  // Every machine that Bun runs on is little-endian. A copy, because the bytes may not be aligned.
  return new Float32Array(blob.slice().buffer)
}

function parsed(value: SqlValue): Float32Array {
  if (typeof value !== 'string') throw new SqlFunctionError('a vector must be a BLOB or a JSON array of numbers')
  if (value.length > vectorCharsMax) throw new SqlFunctionError(`the text of a vector has at most ${vectorCharsMax} characters`)
  const elements = jsonArray(value)
  if (!elements.every(element => typeof element === 'number')) throw new SqlFunctionError('a vector must be a JSON array of numbers')
  return Float32Array.from(elements)
}

function jsonArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value)) return value
  } catch {
    // Refused below with what is not an array.
  }
  throw new SqlFunctionError('a vector must be a JSON array of numbers')
}

function packed(vector: Float32Array): Uint8Array {
  if (!vector.every(Number.isFinite)) throw new SqlFunctionError('an element of the result is not a finite number')
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
}

/** The shortest decimal that is this 32-bit float again. */
function shortest(element: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(element.toPrecision(digits)))
    if (Math.fround(Number(text)) === element) return text
  }
  return String(Number(element.toPrecision(9)))
}

function normalized(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, element) => sum + element * element, 0))
  if (length === 0) throw new SqlFunctionError('a vector of zeros has no direction')
  return vector.map(element => element / length)
}

function combined(args: readonly SqlValue[], combine: (a: number, b: number) => number): Float32Array {
  const [a, b] = pairOf(args)
  return a.map((element, i) => combine(element, b[i] ?? NaN))
}

function total(args: readonly SqlValue[], measure: (a: number, b: number) => number): number {
  const [a, b] = pairOf(args)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += measure(a[i] ?? NaN, b[i] ?? NaN)
  return sum
}

/** 0 for the same direction, 2 for the opposite one; NULL when either is all zeros. */
function cosineDistance(args: readonly SqlValue[]): number | null {
  const [a, b] = pairOf(args)
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x = NaN, y = NaN] = [a[i], b[i]]
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return aa === 0 || bb === 0 ? null : Math.max(0, 1 - dot / Math.sqrt(aa * bb))
}

function pairOf(args: readonly SqlValue[]): readonly [Float32Array, Float32Array] {
  const [a, b] = [vectorOf(args, 0), vectorOf(args, 1)]
  if (a.length !== b.length) throw new SqlFunctionError(`the vectors have ${a.length} and ${b.length} elements`)
  return [a, b]
}

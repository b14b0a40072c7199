/** Vectors against a naive reckoning in 64-bit floats. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { connection, refusalOf, valueOf } from './connection.ts'

const db = connection()
const element = fc.float({ noNaN: true, min: -1000, max: 1000 })
const pair = fc.integer({ min: 1, max: 40 }).chain(size => fc.tuple(vector(size), vector(size)))

function vector(size: number): fc.Arbitrary<number[]> {
  return fc.array(element, { minLength: size, maxLength: size })
}

const blob = (elements: readonly number[]) => new Uint8Array(Float32Array.from(elements).buffer)
const floats = (value: unknown) => Array.from(new Float32Array((value as Uint8Array).slice().buffer))
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

test('text and BLOB are each other’s', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 50 }), elements => {
      const plain = elements.map(value => value + 0)
      expect(floats(valueOf(db, 'vec_f32(?1)', JSON.stringify(plain)))).toEqual(plain)
      expect(floats(valueOf(db, 'vec_f32(vec_to_json(?1))', blob(plain)))).toEqual(plain)
      expect(valueOf(db, 'vec_length(?1)', blob(plain))).toBe(BigInt(plain.length))
    }),
  )
})

test('distances are those of a naive reckoning', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const [l1, l2] = [sum(a.map((x, i) => Math.abs(x - (b[i] ?? 0)))), Math.sqrt(sum(a.map((x, i) => (x - (b[i] ?? 0)) ** 2)))]
      const lengths = Math.sqrt(sum(a.map(x => x * x))) * Math.sqrt(sum(b.map(x => x * x)))
      expect(Number(valueOf(db, 'vec_distance_l1(?1, ?2)', blob(a), JSON.stringify(b)))).toBeCloseTo(l1, 6)
      expect(Number(valueOf(db, 'vec_distance_l2(?1, ?2)', blob(a), blob(b)))).toBeCloseTo(l2, 6)
      const cosine = valueOf(db, 'vec_distance_cosine(?1, ?2)', blob(a), blob(b))
      if (lengths > 1e-6) expect(Number(cosine)).toBeCloseTo(1 - sum(a.map((x, i) => x * (b[i] ?? 0))) / lengths, 6)
      expect(floats(valueOf(db, 'vec_add(?1, ?2)', blob(a), blob(b)))).toEqual(a.map((x, i) => Math.fround(x + (b[i] ?? 0))))
      expect(floats(valueOf(db, 'vec_sub(?1, ?2)', blob(a), blob(b)))).toEqual(a.map((x, i) => Math.fround(x - (b[i] ?? 0))))
    }),
  )
})

test('a normalized vector has length 1', () => {
  fc.assert(
    fc.property(vector(8).filter(elements => elements.some(x => Math.abs(x) > 1e-3)), elements => {
      expect(Math.sqrt(sum(floats(valueOf(db, 'vec_normalize(?1)', blob(elements))).map(x => x * x)))).toBeCloseTo(1, 5)
    }),
  )
})

test('zeros, sizes and what is not finite', () => {
  expect(valueOf(db, `vec_distance_cosine('[0, 0]', '[1, 0]')`)).toBeNull()
  expect(refusalOf(db, 'vec_f32(?1)', new Uint8Array(8193 * 4))).toBe('vec_f32: a vector has at most 8192 elements')
  expect(refusalOf(db, 'vec_f32(?1)', JSON.stringify(Array(8193).fill(1)))).toBe('vec_f32: a vector has at most 8192 elements')
  expect(refusalOf(db, 'vec_f32(?1)', blob([1, Infinity]))).toBe('vec_f32: an element of a vector is not a finite number')
  expect(refusalOf(db, `vec_f32('[1e39]')`)).toBe('vec_f32: an element of a vector is not a finite number')
  expect(refusalOf(db, `vec_f32('[]')`)).toBe('vec_f32: a vector has at least one element')
  expect(refusalOf(db, 'vec_f32(?1)', '['.repeat(262_145))).toBe('vec_f32: the text of a vector has at most 262144 characters')
  expect(refusalOf(db, 'vec_f32(?1)', '['.repeat(262_144))).toBe('vec_f32: a vector must be a JSON array of numbers')
})

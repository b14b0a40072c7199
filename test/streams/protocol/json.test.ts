/** Framing of JSON bodies against JSON.parse, and where values end. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { arrayOf, endOfValues, frameJson } from '../../../src/streams/protocol/json.ts'

function framed(text: string | Uint8Array, emptyArray: 'allowed' | 'refused' = 'refused'): string {
  const result = frameJson(typeof text === 'string' ? Buffer.from(text) : text, emptyArray)
  return result.kind === 'record' ? Buffer.from(result.bytes).toString() : result.refusal.code
}

test.each([
  ['1', '1,'],
  [' {"a" : 1.0} \n', ' {"a" : 1.0} \n,'],
  ['[1, 2]', '1, 2,'],
  ['\n[ [1,2] ] ', ' [1,2] ,'],
  ['"[x]"', '"[x]",'],
  ['[]', 'empty_array'],
  [' [ ] ', 'empty_array'],
  ['', 'invalid_json'],
  ['{', 'invalid_json'],
  ['1 2', 'invalid_json'],
  ['\ufeff1', 'invalid_json'],
  ['['.repeat(200_000), 'invalid_json'],
] as const)('%j is framed as %j', (text, expected) => {
  expect(framed(text)).toBe(expected)
})

test('bytes that are no UTF-8 are refused, an empty array is allowed where it is', () => {
  expect(framed(new Uint8Array([0x22, 0xff, 0x22]))).toBe('invalid_json')
  expect(framed('[]', 'allowed')).toBe('')
})

test('any run of framed bodies reads as the array of their values, and every value has its end', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 4 }), { maxLength: 5 }), bodies => {
      const parts = bodies.map(body => {
        const result = frameJson(Buffer.from(JSON.stringify(body, null, body.length % 3)), 'refused')
        if (result.kind !== 'record') throw result.refusal
        return result.bytes
      })
      const all = Buffer.concat(parts)
      const values = bodies.flat()
      const plain = (value: unknown) => JSON.stringify(value)
      expect(plain(JSON.parse(Buffer.from(arrayOf(parts, all.byteLength)).toString()))).toBe(plain(JSON.parse(plain(values))))
      for (let count = 0; count <= values.length; count++) {
        const end = endOfValues(all, count)
        if (end === null) throw new Error(`value ${count} has no end`)
        expect(JSON.parse(`[${all.subarray(0, Math.max(0, end - 1)).toString()}]`).length).toBe(count)
      }
      expect(endOfValues(all, values.length + 1)).toBeNull()
    }),
    { numRuns: 300, seed: 4437 },
  )
})

/** Integers of 64 bits through JSON and back. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { exactJsonText, parseExactJson } from '../../../src/records/body/exact-json.ts'

const parse = (text: string) => parseExactJson(new TextEncoder().encode(text))

describe('parseExactJson', () => {
  test('keeps integers beyond 2^53 and leaves other numbers alone', () => {
    expect(parse('{"a":9223372036854775807,"b":-9223372036854775808,"c":1.5,"d":3,"e":1234567890123456.5}')).toEqual({
      a: 9223372036854775807n,
      b: -9223372036854775808n,
      c: 1.5,
      d: 3,
      e: 1234567890123456.5,
    })
  })

  test('takes __proto__ as a key like others', () => {
    const value = parse('{"__proto__":{"x":1}}')
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test.each(['', '{', '{"a":}', '\u00a01', 'nan', '{"a":1}x'])('refuses %p', text => {
    expect(() => parse(text)).toThrow('invalid_json')
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(() => parseExactJson(new Uint8Array([0x22, 0xff, 0x22]))).toThrow('invalid_json')
  })

  test('a bomb of brackets around a long number is refused, not a crash', () => {
    expect(() => parse(`${'['.repeat(100_000)}1234567890123456789${']'.repeat(100_000)}`)).toThrow('invalid_json')
  })
})

describe('exactJsonText', () => {
  test('writes what was parsed: any integer of 64 bits at any place', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), number => {
        const text = `{"deep":[{"n":${number}}]}`
        expect(exactJsonText(parse(text))).toBe(text)
      }),
    )
  })

  test('refuses a value nested deeper than the limit', () => {
    let value: unknown = 1
    for (let i = 0; i < 65; i++) value = [value]
    expect(() => exactJsonText(value)).toThrow('invalid_record')
  })
})

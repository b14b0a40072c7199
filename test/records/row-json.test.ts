/** Values and rows as JSON text: exact, well formed, and without what a client must not see. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import type { SqlValue } from '../../src/lib/sql-value.ts'
import { linkKey, rowText, valueText, type FieldSpec, type Rendering } from '../../src/records/row-json.ts'

setDefaultTimeout(60_000)

const text = (rendering: Rendering, value: SqlValue) => valueText(rendering)(value)

describe('a value', () => {
  const cases: readonly (readonly [Rendering, SqlValue, string])[] = [
    ['plain', null, 'null'],
    ['plain', 9223372036854775807n, '9223372036854775807'],
    ['plain', -9223372036854775808n, '-9223372036854775808'],
    ['plain', 1, '1.0'],
    ['plain', -0, '-0.0'],
    ['plain', 0.1, '0.1'],
    ['plain', 1e21, '1e+21'],
    ['plain', 5e-324, '5e-324'],
    ['plain', Infinity, 'null'],
    ['plain', -Infinity, 'null'],
    ['plain', NaN, 'null'],
    ['plain', 'a"\\\n\u0000\u2028é🙂', JSON.stringify('a"\\\n\u0000\u2028é🙂')],
    ['plain', 'lone \ud800 surrogate', '"lone \\ud800 surrogate"'],
    ['plain', Uint8Array.of(), '""'],
    ['plain', Uint8Array.of(0xfb, 0xff), '"-_8="'],
    ['plain', Uint8Array.of(0xfb), '"-w=="'],
    ['json', '{"a": 1.50, "big": 12345678901234567890}', '{"a": 1.50, "big": 12345678901234567890}'],
    ['json', 'null', 'null'],
    ['json', '{"__proto__": 1}', '{"__proto__": 1}'],
    ['json', 'not json', '"not json"'],
    ['json', '', '""'],
    ['json', '1,"x":2', '"1,\\"x\\":2"'],
    ['json', '"\ud800"', '"\ufffd"'],
    ['json', null, 'null'],
    ['json', 7n, '7'],
    ['file', '{"id":"internal","filename":"a.png"}', '{"filename":"a.png"}'],
    ['files', '[{"id":"internal","filename":"a.png"},{"filename":"b"}]', '[{"filename":"a.png"},{"filename":"b"}]'],
    ['file', '{"id":"internal"', 'null'],
    ['file', '"internal"', 'null'],
    ['files', '["internal",null]', '[null,null]'],
    ['file', null, 'null'],
    ['geometry', Uint8Array.of(1, 2, 3), 'null'],
    ['geometry', null, 'null'],
    ['geometry', Uint8Array.fromHex('0101000000000000000000f03f0000000000000040'), '{"type":"Point","coordinates":[1,2]}'],
  ]
  for (const [rendering, value, expected] of cases) test(`${rendering} → ${JSON.stringify(expected).slice(0, 40)}`, () => expect(text(rendering, value)).toBe(expected))

  test('of any kind is JSON that goes through UTF-8 unharmed', () => {
    const values = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.double(), fc.string({ unit: 'binary' }), fc.uint8Array(), fc.constant(null))
    const renderings = fc.constantFrom<Rendering>('plain', 'json', 'file', 'files', 'geometry')
    fc.assert(
      fc.property(values, renderings, (value, rendering) => {
        const json = text(rendering, value)
        const through = Buffer.from(json).toString()
        expect(through).toBe(json)
        const parsed: unknown = JSON.parse(json)
        if (rendering === 'plain' && typeof value === 'string') expect(parsed).toBe(value)
        if (rendering === 'plain' && typeof value === 'bigint') expect(BigInt(json)).toBe(value)
        if (rendering === 'plain' && typeof value === 'number' && Number.isFinite(value)) expect(parsed).toBe(value)
        if (value instanceof Uint8Array && rendering === 'plain') expect(new Uint8Array(Buffer.from(String(parsed), 'base64url'))).toEqual(new Uint8Array(value))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a row', () => {
  const field = (name: string, index: number, more: Partial<FieldSpec> = {}): FieldSpec => ({ name, index, rendering: 'plain', expand: null, ...more })

  test('is an object with the fields in their order', () => {
    expect(rowText([field('b', 1), field('a"', 0)])([1n, 'x'], [])).toBe('{"b":"x","a\\"":1}')
    expect(rowText([])([], [])).toBe('{}')
  })

  test('has foreign keys as objects, with their row when it was read', () => {
    const linked = [{ collation: 'NOCASE', texts: new Map([[linkKey('Ann', 'NOCASE'), ['{"id":"Ann"}']]]) }]
    const row = rowText([field('p', 0, { expand: { kind: 'parent', arm: 0 } }), field('q', 0, { expand: { kind: 'parent', arm: null } })])
    expect(row(['ANN'], linked)).toBe('{"p":{"id":"ANN","data":{"id":"Ann"}},"q":{"id":"ANN"}}')
    expect(row(['Bob'], linked)).toBe('{"p":{"id":"Bob"},"q":{"id":"Bob"}}')
    expect(row([null], linked)).toBe('{"p":null,"q":null}')
    expect(rowText([field('c', 0, { expand: { kind: 'children', arm: 0 } })])(['ann'], linked)).toBe('{"c":[{"id":"Ann"}]}')
    expect(rowText([field('c', 0, { expand: { kind: 'children', arm: 0 } })])([null], linked)).toBe('{"c":[]}')
  })

  test('has sums that 64 bits do not hold', () => {
    expect(rowText([field('s', 0, { rendering: 'sum' })])([4294967295n, 4294967294n], [])).toBe('{"s":18446744073709551614}')
    expect(rowText([field('s', 0, { rendering: 'sum' })])([-1n, 4294967295n], [])).toBe('{"s":-1}')
    expect(rowText([field('s', 0, { rendering: 'sum' })])([null, null], [])).toBe('{"s":null}')
  })
})

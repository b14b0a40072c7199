/** JSON checks: the words of JSON Schema, schemas that are none, and texts made to hurt (field.md S7). */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { connection, contextOf, refusalOf, valueOf } from './connection.ts'

const db = connection(contextOf({ tree: { $ref: '#/$defs/node', $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, additionalProperties: false } } } }))
const fits = (schema: unknown, value: unknown) => valueOf(db, 'jsonschema_matches(?1, ?2)', JSON.stringify(schema), JSON.stringify(value)) === 1n
const refusal = (schema: unknown, value: unknown = 1) => refusalOf(db, 'jsonschema_matches(?1, ?2)', JSON.stringify(schema), JSON.stringify(value))

describe('JSON Schema', () => {
  // [schema, a value that fits, a value that does not]
  const cases: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ type: 'integer', minimum: 0 }, 3, -1],
    [{ type: ['null', 'string'] }, null, 1],
    [{ $ref: '#/$defs/a', $defs: { a: { type: 'string' } } }, 'x', 1],
    [{ $ref: '#/$defs/a~1b%20c', $defs: { 'a/b c': { type: 'string' } } }, 'x', 1],
    [{ $ref: '#there', $defs: { a: { $anchor: 'there', type: 'string' } } }, 'x', 1],
    [{ $id: 'https://example.com/root', $ref: 'part', $defs: { a: { $id: 'part', type: 'string' } } }, 'x', 1],
    [{ type: 'object', properties: { next: { $ref: '#' } }, additionalProperties: false }, { next: { next: {} } }, { next: { last: 1 } }],
    [{ format: 'email' }, 'a@b.cd', 'a'],
    [{ format: 'date-time' }, '2026-11-22T10:00:00Z', 'today'],
    [{ format: 'uuid' }, '01950408-de17-7f13-8ef5-66d90b890bfd', 'x'],
    [{ format: 'ipv4' }, '192.0.2.1', '300.0.0.1'],
    [{ pattern: '^a+$' }, 'aa', 'b'],
    [{ pattern: '\\p{L}' }, 'é', '1'],
    [{ properties: { pattern: { type: 'string', pattern: '^x' } } }, { pattern: 'x' }, { pattern: 'y' }],
    [{ $defs: { p: { pattern: '^x' } }, items: { $ref: '#/$defs/p' } }, ['x', 1], ['y']],
    [{ patternProperties: { '^x-': { type: 'number' } }, additionalProperties: false }, { 'x-a': 1 }, { y: 1 }],
    [{ oneOf: [{ type: 'string' }, { type: 'integer' }] }, 1, 1.5],
    [{ anyOf: [{ pattern: '^a' }, { pattern: '^b' }] }, 'b', 'c'],
    [{ not: { pattern: '^a' } }, 'b', 'a'],
    [{ allOf: [{ properties: { a: true } }], unevaluatedProperties: false }, { a: 1 }, { b: 1 }],
    [{ prefixItems: [{ type: 'string' }], items: false }, ['x'], ['x', 1]],
    [{ contains: { const: 1 }, minContains: 2 }, [1, 1], [1]],
    [{ dependentRequired: { a: ['b'] } }, { a: 1, b: 1 }, { a: 1 }],
    [{ if: { type: 'string' }, then: { minLength: 2 }, else: { minimum: 2 } }, 2, 'x'],
    [{ uniqueItems: true }, [{ a: 1, b: 2 }, { a: 2 }], [{ a: 1, b: 2 }, { b: 2, a: 1 }]],
    [{ maxLength: 1 }, '😀', 'ab'],
    [{ enum: [{ a: [1] }] }, { a: [1] }, { a: [2] }],
    [{ propertyNames: { maxLength: 2 } }, { ab: 1 }, { abc: 1 }],
    [{ required: ['toString', '__proto__'] }, JSON.parse('{"toString":1,"__proto__":1}'), {}],
    [{ $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false }, ['x'], ['x', 1]],
    [{ '~refine': 'nothing to us', type: 'string' }, 'x', 1],
    [true, 1, undefined],
  ]
  for (const [schema, good, bad] of cases) {
    test(JSON.stringify(schema).slice(0, 80), () => {
      expect(fits(schema, good)).toBe(true)
      if (bad !== undefined) expect(fits(schema, bad)).toBe(false)
    })
  }

  test('names with meanings of their own in JavaScript', () => {
    const schema = '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"string"}},"additionalProperties":false}'
    const check = (text: string) => valueOf(db, 'jsonschema_matches(?1, ?2)', schema, text)
    expect([check('{"__proto__":"x","constructor":"y"}'), check('{"__proto__":1}'), check('{"constructor":1}'), check('{"toString":1}')]).toEqual([1n, 0n, 0n, 0n])
  })

  test('what is no schema is refused, with its place', () => {
    expect(refusal({ type: 'strin' })).toBe('jsonschema_matches: not a valid JSON Schema: /type must be equal to one of the allowed values')
    expect(refusal({ properties: { a: { minimum: 'x' } } })).toStartWith('jsonschema_matches: not a valid JSON Schema: /properties/a/minimum')
    expect(refusal([])).toBe('jsonschema_matches: a JSON Schema is an object or a boolean')
    expect(refusal({ pattern: '(' })).toStartWith('jsonschema_matches: ')
    expect(refusal({ $ref: '#/$defs/none' })).toBe('jsonschema_matches: $ref "#/$defs/none" leads nowhere')
    expect(refusal({ $ref: '#none' })).toBe('jsonschema_matches: $ref "#none" leads nowhere')
    expect(refusal({ items: { $ref: 'https://example.com/x.json' } })).toBe('jsonschema_matches: $ref "https://example.com/x.json" leads out of the schema')
    expect(refusal({ $schema: 'https://example.com/mine' })).toBe('jsonschema_matches: $schema is not known: https://example.com/mine')
    expect(refusal({ $ref: '#' })).toBe('jsonschema_matches: the check of this schema comes to no end')
    expect(refusal({ patternProperties: { '^(a+)+$': true } })).toContain('may repeat at most twice')
    expect(refusalOf(db, `jsonschema_matches('{', '1')`)).toStartWith('jsonschema_matches: the schema is not JSON')
  })
})

describe('built-in schemas', () => {
  const check = (name: string, value: unknown, ...types: string[]) => valueOf(db, `jsonschema(?1, ?2${types.length === 0 ? '' : ', ?3'})`, name, JSON.stringify(value), ...types) === 1n
  const [png, gif, unknown] = [{ filename: 'a.png', mime_type: 'image/png' }, { filename: 'a.gif', mime_type: 'image/gif' }, { filename: 'a' }]

  test('files', () => {
    expect(check('std.FileUpload', { id: 'x', original_filename: null, content_type: 'text/plain', ...png })).toBe(true)
    for (const wrong of [{}, { filename: 1 }, { ...png, more: 1 }, [png], 'x', null]) expect(check('std.FileUpload', wrong)).toBe(false)
    expect([check('std.FileUploads', []), check('std.FileUploads', [png, gif]), check('std.FileUploads', png)]).toEqual([true, true, false])
  })

  test('with types', () => {
    const allowed = 'image/png, image/jpeg'
    expect([png, gif, unknown].map(file => check('std.FileUpload', file, allowed))).toEqual([true, false, false])
    expect([[png], [png, gif], []].map(files => check('std.FileUploads', files, allowed))).toEqual([true, false, true])
    expect(check('std.FileUpload', gif, 'text/plain, image/*')).toBe(true)
    expect(check('std.FileUpload', { filename: 'a', mime_type: 'image/p' }, allowed)).toBe(false)
    expect(check('std.KeyValue', { a: 'b' }, 'anything')).toBe(true)
  })

  test('maps of text', () => {
    expect([{}, { a: 'b' }, { a: 1 }, []].map(value => check('std.KeyValue', value))).toEqual([true, true, false, false])
  })
})

test('is_json takes what JSON.stringify writes', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 20 }), text => valueOf(db, 'is_json(?1)', text) === (/\\ud[89a-f]/i.test(text) ? valueOf(db, 'is_json(?1)', text) : 1n)))
})

describe('texts made to hurt', () => {
  /** The copies of the longest text that SQLite and the function hold take 70 MB; the object that it describes would take 83 more. `heapUsed` moves only with a collection. */
  const residentBytesMax = 110 * 1024 * 1024
  const bombs: Readonly<Record<string, string>> = {
    'depth 100,000': '['.repeat(100_000) + ']'.repeat(100_000),
    'depth 1,000,000, not closed': '{"a":'.repeat(200_000),
    'a million keys': `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
    'beyond numbers': '[1e400]',
    'half a pair': '"\\ud800"',
    'half a pair as a name': '{"\\udc00":1}',
    'not closed': '{"a":1',
    'two values': '1 2',
    'a comma too many': '[1,]',
    nothing: '',
    comment: '/* x */ 1',
    NaN: 'NaN',
  }
  for (const [name, text] of Object.entries(bombs)) {
    test(name, () => {
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      const startedAt = performance.now()
      expect(valueOf(db, 'is_json(?1)', text)).toBe(0n)
      expect(valueOf(db, `jsonschema('tree', ?1)`, text)).toBe(0n)
      expect(performance.now() - startedAt).toBeLessThan(5000)
      expect(process.memoryUsage.rss() - before).toBeLessThan(residentBytesMax)
    })
  }

  test('brackets within text are no depth', () => {
    const text = JSON.stringify({ 'a"[': `\\"${'[{'.repeat(500)}` })
    expect([valueOf(db, 'is_json(?1)', text), valueOf(db, 'is_json(?1)', `[${text}]`)]).toEqual([1n, 1n])
  })

  test('the same name twice is JSON, the last counts', () => {
    expect(valueOf(db, `jsonschema_matches('{"properties":{"a":{"type":"string"}}}', '{"a":1,"a":"x"}')`)).toBe(1n)
  })

  test('a format that is looked at in quadratic time', () => {
    const startedAt = performance.now()
    const text = `http://${'a-'.repeat(200_000)}`
    expect([fits({ items: { format: 'uri' } }, [text]), fits({ format: 'uri' }, 'http://a/b'), fits({ format: 'markdown' }, 'x'.repeat(10_000))]).toEqual([false, true, true])
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  test('names that are long, against patterns of names', () => {
    const schema = { patternProperties: { '^a*a*$': true }, additionalProperties: false }
    const startedAt = performance.now()
    expect([fits(schema, { aaa: 1 }), fits(schema, { aab: 1 }), fits(schema, { [`${'a'.repeat(100_000)}b`]: 1 })]).toEqual([true, false, false])
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  test('a deep value against a schema that refers to itself', () => {
    const deep = (depth: number) => '{"next":'.repeat(depth) + '{}' + '}'.repeat(depth)
    expect([valueOf(db, `jsonschema('tree', ?1)`, deep(127)), valueOf(db, `jsonschema('tree', ?1)`, deep(128))]).toEqual([1n, 0n])
  })
})

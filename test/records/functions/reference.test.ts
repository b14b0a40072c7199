/** docs/sql-functions.md against the functions: each is in it, each example gives what it says, NULL does what it says; and no value crashes any of them. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { NamedSchemas } from '../../../src/records/functions/named-schemas.ts'
import { sqlFunctions } from '../../../src/records/functions/register.ts'
import { SqlFunctionError } from '../../../src/records/functions/sql-function.ts'
import { connection, contextOf, valueOf } from './connection.ts'

interface Entry {
  readonly name: string
  readonly arity: number
  readonly deterministic: boolean
  readonly ofNull: string
  readonly example: string
  readonly gives: string
}

const page = readFileSync('docs/sql-functions.md', 'utf8')
const entries = page.split('\n').flatMap((line): Entry[] => {
  const found = /^\| `(\w+)\(([^)]*)\)`( °)? \| .* \| ([^|]*) \| `(.*)` \| `(.*)` \|$/.exec(line)
  if (found === null) return []
  const [, name = '', args = '', mark, ofNull = '', example = '', gives = ''] = found
  return [{ name, arity: args === '' ? 0 : args.split(',').length, deterministic: mark === undefined, ofNull, example, gives }]
})
const functions = sqlFunctions(contextOf(), new NamedSchemas(new Map()))
const db = connection()

describe('docs/sql-functions.md', () => {
  test('has every function once, and only them', () => {
    const named = (list: readonly { name: string; arity: number; deterministic: boolean }[]) => list.map(({ name, arity, deterministic }) => `${name}/${arity}${deterministic ? '' : ' °'}`).toSorted()
    expect(named(entries)).toEqual(named(functions))
    expect(entries.length).toBeGreaterThan(80)
  })

  for (const { name, arity, example, gives } of entries) {
    test(`${name}/${arity}: ${example.slice(0, 60)}`, () => {
      expect(String(valueOf(db, `quote(${example})`))).toBe(gives)
    })
  }

  test('says what NULL gives', () => {
    for (const { name, arity, ofNull } of entries.filter(entry => entry.arity > 0)) {
      const args = Array.from({ length: arity }, () => 'NULL').join(', ')
      expect([name, valueOf(db, `${name}(${args})`)]).toEqual([name, ofNull === '1' ? 1n : null])
    }
    expect(valueOf(db, `regexp('a', NULL)`)).toBe(1n)
    expect(valueOf(db, `jsonschema('std.KeyValue', '{}', NULL)`)).toBe(1n)
  })
})

test('whatever a function is given, it answers or refuses by name', () => {
  const value = fc.oneof(fc.constant(null), fc.double(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.string({ unit: 'binary' }), fc.json(), fc.uint8Array({ maxLength: 40 }))
  const cheap = functions.filter(({ name }) => name !== 'hash_password')
  const call = fc.constantFrom(...cheap).chain(({ name, arity }) => fc.tuple(fc.constant(name), fc.array(value, { minLength: arity, maxLength: arity })))
  fc.assert(
    fc.property(call, ([name, args]) => {
      try {
        valueOf(db, `${name}(${args.map((_, i) => `?${i + 1}`).join(', ')})`, ...args)
      } catch (error) {
        expect(error).toBeInstanceOf(SqlFunctionError)
        expect((error as Error).message).toStartWith(`${name}: `)
        expect((error as SqlFunctionError).errno).toBe(1)
      }
    }),
    { numRuns: 3000 },
  )
})

test('arguments of the wrong type are refused by name, checks are 0', () => {
  const wrong: Readonly<Record<string, string>> = {
    "uuid_text('x')": 'uuid_text: argument 1 must be a BLOB, it is TEXT',
    "uuid_text(x'00')": 'uuid_text: a UUID has 16 bytes, not 1',
    "uuid_parse(x'00')": 'uuid_parse: argument 1 must be TEXT, it is a BLOB',
    "regexp('a', x'00')": 'regexp: argument 2 must be TEXT, it is a BLOB',
    'base64(1)': 'base64: the argument must be a BLOB or TEXT',
    "base64('+/8')": 'base64: the text is not padded base64 of this alphabet',
    "base64_url_safe('+/8=')": 'base64_url_safe: the text is not padded base64 of this alphabet',
    "hash_password('')": 'hash_password: a password has 1 to 1024 characters',
    "jsonschema('nope', '{}')": 'jsonschema: there is no schema "nope"',
    "vec_f32('[\"1\"]')": 'vec_f32: a vector must be a JSON array of numbers',
    "vec_f32(x'000000')": 'vec_f32: a vector has 4 bytes for each element, not 3 in all',
    'vec_f32(1)': 'vec_f32: a vector must be a BLOB or a JSON array of numbers',
    "vec_add('[1]', '[1, 2]')": 'vec_add: the vectors have 1 and 2 elements',
    "vec_normalize('[0]')": 'vec_normalize: a vector of zeros has no direction',
    "ST_Point('1', 2)": 'ST_Point: argument 1 must be a number, it is TEXT',
    'ST_Point(1, 2, -1)': 'ST_Point: argument 3 must be an integer from 0 to 999999',
    'ST_Point(9e999, 2)': 'ST_Point: argument 1 must be finite',
    "ST_X('x')": 'ST_X: argument 1 must be a BLOB, it is TEXT',
    'ST_X(ST_MakeEnvelope(0, 0, 1, 1))': 'ST_X: the geometry is a Polygon, not a Point',
    "ST_PointFromText('LINESTRING (0 0, 1 1)')": 'ST_PointFromText: the text is a LineString, not a Point',
  }
  const refusals = Object.fromEntries(Object.keys(wrong).map(expression => [expression, messageOf(expression)]))
  expect(refusals).toEqual(wrong)
  for (const check of ["is_uuid('x')", "is_uuid_v4(x'00')", 'is_email(1)', "is_json(x'00')", "jsonschema('std.KeyValue', 1)", "ST_IsValid('x')", "ST_IsValid(x'0101')"]) {
    expect([check, valueOf(db, check)]).toEqual([check, 0n])
  }
})

function messageOf(expression: string): string {
  try {
    return String(valueOf(db, expression))
  } catch (error) {
    return (error as Error).message
  }
}

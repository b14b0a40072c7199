/** The text format: what is read, what is refused where, and that printing round-trips. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { listTree, messageTree, SyntaxFault, textTree, type FieldTree, type MessageTree, type Tree } from '../../src/ops/config-tree.ts'
import { printTextproto } from '../../src/ops/textproto-printer.ts'
import { parseTextproto } from '../../src/ops/textproto.ts'

describe('scalars', () => {
  const cases: readonly (readonly [text: string, value: unknown])[] = [
    ['"plain"', 'plain'],
    ["'single \"quoted\"'", 'single "quoted"'],
    [String.raw`"\a\b\f\n\r\t\v\\\'\"\?"`, '\x07\b\f\n\r\t\v\\\'"?'],
    [String.raw`"\101\7\x41\u00e9\U0001F600"`, 'A\x07Aé😀'],
    [String.raw`"\303" '\xa9'`, 'é'],
    ['"one"  # a comment between\n  \'two\'', 'onetwo'],
    ['""', ''],
    ['"# no comment"', '# no comment'],
    ['0', 0],
    ['-17', -17],
    ['- 17', -17],
    ['0x1F', 31],
    ['0755', 493],
    ['-0xff', -255],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1.', 1],
    ['1e3', 1000],
    ['2.5E-1f', 0.25],
    ['10f', 10],
    ['inf', Infinity],
    ['-Infinity', -Infinity],
    ['nan', NaN],
    ['9007199254740993', 9007199254740993n],
    ['18446744073709551615', 18446744073709551615n],
    ['-9223372036854775808', -9223372036854775808n],
    ['true', 'word true'],
    ['READ', 'word READ'],
    ['constructor', 'word constructor'],
  ]
  test.each(cases)('%s', (text, value) => {
    expect(simplify(parseTextproto(`field: ${text}`))).toEqual({ field: [value] })
  })
})

test('messages, lists, map entries, separators and comments', () => {
  const tree = parseTextproto(`# config.Config
email { smtp_port: 587; otp_template < subject: "{{ CODE }}" >, }
auth: {
  oauth_providers: [{ key: "github" value { provider_id: GITHUB } }]
  oauth_providers { key: "gitlab" value: { provider_id: GITLAB } } # repeated
}
acl_world: [READ, CREATE] empty: [] none {}
record_apis [{ name: "posts" }, { name: "events" }]
`)
  expect(simplify(tree)).toEqual({
    email: [{ smtp_port: [587], otp_template: [{ subject: ['{{ CODE }}'] }] }],
    auth: [
      {
        oauth_providers: [
          [{ key: ['github'], value: [{ provider_id: ['word GITHUB'] }] }],
          { key: ['gitlab'], value: [{ provider_id: ['word GITLAB'] }] },
        ],
      },
    ],
    acl_world: [['word READ', 'word CREATE']],
    empty: [[]],
    none: [{}],
    record_apis: [[{ name: ['posts'] }, { name: ['events'] }]],
  })
})

test('positions are lines and columns of the file', () => {
  const tree = parseTextproto('\ufeffa: 1\r\n  section {\n\tkey:   "v"\n}')
  const section = tree.fields[1]
  expect(section?.at).toEqual({ line: 2, column: 3 })
  const inner = section?.value.kind === 'message' ? section.value.fields[0] : undefined
  expect([inner?.at, inner?.value.at]).toEqual([{ line: 3, column: 2 }, { line: 3, column: 9 }])
})

describe('refusals name the place', () => {
  const cases: readonly (readonly [text: string, at: string, message: RegExp])[] = [
    ['a: ', '1:4', /expected a value, got the end of the file/],
    ['a 1', '1:3', /expected ":" after "a"/],
    ['a: "x', '1:4', /not closed/],
    ['a: "x\n"', '1:4', /not closed/],
    ['a {\n b: 1\n', '3:1', /expected }, got the end/],
    ['a { b: 1 ]', '1:10', /expected a field name, got "]"/],
    ['a < b: 1 }', '1:10', /expected a field name/],
    ['a: [1 2]', '1:7', /expected "," or "]", got "2"/],
    ['a: [1,]', '1:7', /expected a value, got "]"/],
    ['a: [[1]]', '1:5', /holds no lists/],
    ['a: 089', '1:4', /"089" is not a number/],
    ['a: 1foo', '1:4', /"1foo" is not a number/],
    ['a: 0xg', '1:4', /"0xg" is not a number/],
    ['a: 1.2.3', '1:4', /is not a number/],
    ['a: 18446744073709551616', '1:4', /64 bits/],
    ['a: -9223372036854775809', '1:4', /64 bits/],
    ['a: -"x"', '1:5', /expected a number, got a string/],
    ['a: -foo', '1:5', /expected a number/],
    [String.raw`a: "ok \q"`, '1:8', /unknown escape/],
    [String.raw`a: "\777"`, '1:5', /larger than a byte/],
    [String.raw`a: "\ud800"`, '1:5', /names no character/],
    [String.raw`a: "\U00110000"`, '1:5', /names no character/],
    [String.raw`a: "\xff"`, '1:4', /not valid UTF-8/],
    ['[com.example.ext]: 1', '1:1', /extensions/],
    ['a: 1 @', '1:6', /unexpected character "@"/],
    ['}', '1:1', /expected a field name/],
    [`${'a {'.repeat(70)}`, '1:195', /more than 64 levels/],
  ]
  test.each(cases)('%s', (text, at, message) => {
    const fault = faultOf(text)
    expect(`${fault.at.line}:${fault.at.column}`).toBe(at)
    expect(fault.message).toMatch(message)
  })
})

test('a deep file of nothing but openings is refused, not a stack overflow', () => {
  expect(faultOf('a:[{'.repeat(100_000)).message).toMatch(/levels deep/)
  expect(faultOf('a{'.repeat(100_000)).message).toMatch(/levels deep/)
})

test('what is printed parses to the same tree', () => {
  fc.assert(
    fc.property(messages, message => {
      const printed = printTextproto(message)
      expect(simplify(parseTextproto(printed))).toEqual(simplify(message))
      expect(printTextproto(parseTextproto(printed))).toBe(printed)
    }),
    { numRuns: 300 },
  )
})

test('any text is a tree or a SyntaxFault', () => {
  const pieces = fc.constantFrom('a', ':', '{', '}', '[', ']', '<', '>', ',', '"', "'", '\\', '#', '\n', '-', '0', '9', '.', 'x', ' ', 'é', '"s"', 'b: 1 ')
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), parts => {
      try {
        parseTextproto(parts.join(''))
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxFault)
      }
    }),
    { numRuns: 500 },
  )
})

test('comments are printed behind fields, and what is commented out is not read back', () => {
  const at = { line: 0, column: 0 }
  const text = printTextproto({
    kind: 'message',
    at,
    fields: [
      { name: 'a', at, value: { kind: 'number', value: 1, at }, comment: 'env\nA' },
      { name: 'secret', at, value: { kind: 'text', value: 'x\ny', at }, commentedOut: true },
    ],
  })
  expect(text).toBe('a: 1  # env A\n# secret: "x\\ny"\n')
  expect(simplify(parseTextproto(text))).toEqual({ a: [1] })
})

const nowhere = { line: 0, column: 0 }
const names = fc.stringMatching(/^[a-z_][a-z0-9_]{0,10}$/)
const words = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/).filter(word => !/^(?:INF|INFINITY|NAN)$/.test(word))
const scalars: fc.Arbitrary<Tree> = fc.oneof(
  fc.string({ unit: 'binary' }).map((value): Tree => ({ kind: 'text', value, at: nowhere })),
  fc.double().map((value): Tree => ({ kind: 'number', value, at: nowhere })),
  fc.integer().map((value): Tree => ({ kind: 'number', value, at: nowhere })),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
    .filter(value => value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER))
    .map((value): Tree => ({ kind: 'number', value, at: nowhere })),
  words.map((value): Tree => ({ kind: 'word', value, at: nowhere })),
)
const { messages } = fc.letrec<{ messages: MessageTree; values: Tree }>(tie => ({
  values: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    tie('messages'),
    fc.array(fc.oneof(scalars, tie('messages')), { maxLength: 4 }).map((items): Tree => ({ kind: 'list', items, at: nowhere })),
  ),
  messages: fc
    .array(fc.record({ name: names, value: tie('values') }), { maxLength: 5 })
    .map((fields): MessageTree => ({ kind: 'message', fields: fields.map((field): FieldTree => ({ ...field, at: nowhere })), at: nowhere })),
}))

/** The tree without positions: names with all their values in order. Words are told from strings. */
function simplify(tree: Tree): unknown {
  if (tree.kind === 'word') return `word ${tree.value}`
  if (tree.kind === 'list') return tree.items.map(simplify)
  if (tree.kind !== 'message') return tree.value
  const simple: Record<string, unknown[]> = {}
  for (const field of tree.fields) (simple[field.name] ??= []).push(simplify(field.value))
  return simple
}

function faultOf(text: string): SyntaxFault {
  try {
    parseTextproto(text)
  } catch (error) {
    if (error instanceof SyntaxFault) return error
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was accepted`)
}

test('long lists and texts of several lines get lines of their own, and read back', () => {
  const at = nowhere
  const words = Array.from({ length: 12 }, (_, i) => textTree(`https://host-${i}.example.org`))
  const tree = messageTree([{ name: 'a', at, value: messageTree([{ name: 'list', at, value: listTree(words) }, { name: 'text', at, value: textTree('one\n\ntwo\n') }]) }])
  const text = printTextproto(tree)
  expect(text).toContain('  list: [\n    "https://host-0.example.org",\n')
  expect(text).toEndWith('  text:\n    "one\\n"\n    "\\n"\n    "two\\n"\n}\n')
  expect(printTextproto(parseTextproto(text))).toBe(text)
})

/** JSON with comments: the same tree as the text format, faults with their place. */
import { expect, test } from 'bun:test'
import { parseJson } from '../../src/ops/config-json.ts'
import { SyntaxFault, type Tree } from '../../src/ops/config-tree.ts'
import { parseTextproto } from '../../src/ops/textproto.ts'

test('both grammars make the same tree', () => {
  const json = parseJson(`\ufeff{
  // the section
  "server": { "bind_address": "0.0.0.0:80", "deep": { "on": true, "off": false } },
  "numbers": [1, -2.5, 1e3, 18446744073709551615], /* all of them */
  "list": [{ "name": "a\\u00e9\\n" }, {}],
}`)
  const textproto = parseTextproto(`
server { bind_address: "0.0.0.0:80" deep { on: true off: false } }
numbers: [1, -2.5, 1e3, 18446744073709551615]
list: [{ name: "aé\\n" }, {}]`)
  expect(withoutPlaces(json)).toEqual(withoutPlaces(textproto))
})

test('positions', () => {
  const field = parseJson('{\n  "a": {\n    "b": "x" } }').fields[0]
  const inner = field?.value.kind === 'message' ? field.value.fields[0] : undefined
  expect([field?.at, inner?.at, inner?.value.at]).toEqual([
    { line: 2, column: 3 },
    { line: 3, column: 5 },
    { line: 3, column: 10 },
  ])
})

const faults: readonly (readonly [text: string, at: string, message: RegExp])[] = [
  ['{"a": }', '1:7', /value expected/],
  ['{"a": 1 "b": 2}', '1:9', /comma expected/],
  ['{\n"a": 1', '2:7', /close brace expected/],
  ['{"a": tru}', '1:7', /invalid symbol/],
  ['[1]', '1:1', /expected an object/],
  ['', '1:1', /value expected|expected an object/],
  ['{} {}', '1:4', /end of file expected/],
  [`${'{"a":'.repeat(80)}1${'}'.repeat(80)}`, '1:326', /more than 64 levels/],
]

test.each(faults)('%s is refused at %s', (text, at, message) => {
  let fault: unknown
  try {
    parseJson(text)
  } catch (error) {
    fault = error
  }
  expect(fault).toBeInstanceOf(SyntaxFault)
  if (!(fault instanceof SyntaxFault)) return
  expect(fault.message).toMatch(message)
  expect(`${fault.at.line}:${fault.at.column}`).toBe(at)
})

function withoutPlaces(tree: Tree): unknown {
  if (tree.kind === 'list') return tree.items.map(withoutPlaces)
  if (tree.kind === 'message') return tree.fields.map(field => [field.name, withoutPlaces(field.value)])
  return { kind: tree.kind, value: tree.value }
}

/** JSON with comments to the same plain tree as textproto.ts makes, with positions. */
import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser'
import { LineTable, nestingDepthMax, SyntaxFault, type FieldTree, type MessageTree, type Tree } from './config-tree.ts'

/** Reads a whole file: one object; comments and trailing commas are allowed. Throws `SyntaxFault`. */
export function parseJson(source: string): MessageTree {
  const text = source.startsWith('\ufeff') ? ` ${source.slice(1)}` : source
  const lines = new LineTable(text)
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const first = errors[0]
  if (first !== undefined) throw new SyntaxFault(describe(first, text), lines.position(first.offset))
  if (root?.type !== 'object') throw new SyntaxFault('expected an object', lines.position(root?.offset ?? 0))
  return new Reader(text, lines).message(root, 0)
}

class Reader {
  readonly #text: string
  readonly #lines: LineTable

  constructor(text: string, lines: LineTable) {
    this.#text = text
    this.#lines = lines
  }

  message(node: Node, depth: number): MessageTree {
    const fields = (node.children ?? []).flatMap(property => this.#field(property, depth))
    return { kind: 'message', fields, at: this.#lines.position(node.offset) }
  }

  #field(property: Node, depth: number): readonly FieldTree[] {
    const [key, value] = property.children ?? []
    if (key === undefined || value === undefined) return []
    return [{ name: String(key.value), at: this.#lines.position(key.offset), value: this.#value(value, depth + 1) }]
  }

  #value(node: Node, depth: number): Tree {
    const at = this.#lines.position(node.offset)
    if (depth > nestingDepthMax) throw new SyntaxFault(`nested more than ${nestingDepthMax} levels deep`, at)
    if (node.type === 'object') return this.message(node, depth)
    if (node.type === 'array') {
      return { kind: 'list', items: (node.children ?? []).map(item => this.#value(item, depth + 1)), at }
    }
    if (node.type === 'string') return { kind: 'text', value: String(node.value), at }
    if (node.type === 'number') return { kind: 'number', value: this.#number(node), at }
    return { kind: 'word', value: String(node.value), at }
  }

  #number(node: Node): number | bigint {
    const digits = this.#text.slice(node.offset, node.offset + node.length)
    const value = Number(digits)
    return /^-?[0-9]+$/.test(digits) && !Number.isSafeInteger(value) ? BigInt(digits) : value
  }
}

function describe(error: ParseError, text: string): string {
  const words = printParseErrorCode(error.error).replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  const found = text.slice(error.offset, error.offset + Math.min(error.length, 20))
  return found === '' ? words : `${words} at ${JSON.stringify(found)}`
}

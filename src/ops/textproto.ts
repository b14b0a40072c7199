/** Protobuf text format, tokens to a plain tree. Knows no schema: which names exist is config-layer.ts; writing is textproto-printer.ts. */
import { nestingDepthMax, SyntaxFault, type FieldTree, type MessageTree, type Position, type Tree } from './config-tree.ts'
import { decodeText } from './textproto-escapes.ts'
import { Lexer, negate, type Token } from './textproto-lexer.ts'

/** Reads a whole file. Throws `SyntaxFault` with the position of the first fault. */
export function parseTextproto(text: string): MessageTree {
  const reader = new Reader(new Lexer(text))
  return { kind: 'message', fields: reader.fields('end of file', 0), at: { line: 1, column: 1 } }
}

class Reader {
  readonly #lexer: Lexer
  #token: Token

  constructor(lexer: Lexer) {
    this.#lexer = lexer
    this.#token = lexer.next()
  }

  /** Fields up to `closer`, which is taken too. */
  fields(closer: string, depth: number): readonly FieldTree[] {
    const fields: FieldTree[] = []
    while (!this.#closes(closer)) {
      fields.push(this.#field(depth))
      if (!this.#take(',')) this.#take(';')
    }
    return fields
  }

  #closes(closer: string): boolean {
    if (this.#token.kind === 'end') {
      if (closer === 'end of file') return true
      throw new SyntaxFault(`expected ${closer}, got the end of the file`, this.#token.at)
    }
    return this.#take(closer)
  }

  #field(depth: number): FieldTree {
    const token = this.#token
    if (token.kind === 'symbol' && token.value === '[') {
      throw new SyntaxFault('extensions and Any messages are not read here; expected a field name', token.at)
    }
    if (token.kind !== 'word') throw new SyntaxFault(`expected a field name, got ${describe(token)}`, token.at)
    this.#advance()
    const hasColon = this.#take(':')
    const next = this.#token
    const value = this.#value(depth)
    if (!hasColon && !isMessages(value)) throw new SyntaxFault(`expected ":" after "${token.value}"`, next.at)
    return { name: token.value, at: token.at, value }
  }

  #value(depth: number): Tree {
    const token = this.#token
    if (token.kind !== 'symbol') return this.#scalar()
    if (depth >= nestingDepthMax) throw new SyntaxFault(`nested more than ${nestingDepthMax} levels deep`, token.at)
    if (this.#take('{')) return { kind: 'message', fields: this.fields('}', depth + 1), at: token.at }
    if (this.#take('<')) return { kind: 'message', fields: this.fields('>', depth + 1), at: token.at }
    if (this.#take('[')) return { kind: 'list', items: this.#items(depth + 1), at: token.at }
    return this.#scalar()
  }

  #items(depth: number): readonly Tree[] {
    const items: Tree[] = []
    if (this.#take(']')) return items
    for (;;) {
      const at = this.#token.at
      const item = this.#value(depth)
      if (item.kind === 'list') throw new SyntaxFault('a list holds no lists', at)
      items.push(item)
      if (this.#take(']')) return items
      if (!this.#take(',')) throw new SyntaxFault(`expected "," or "]", got ${describe(this.#token)}`, this.#token.at)
    }
  }

  #scalar(): Tree {
    const token = this.#token
    const minus = this.#take('-')
    const value = this.#token
    if (value.kind === 'number') {
      this.#advance()
      return { kind: 'number', value: minus ? negate(value.value, token.at) : value.value, at: token.at }
    }
    if (value.kind === 'word') {
      this.#advance()
      const special = specialNumbers.get(value.value.toLowerCase())
      if (special !== undefined) return { kind: 'number', value: minus ? -special : special, at: token.at }
      if (!minus) return { kind: 'word', value: value.value, at: token.at }
    }
    if (value.kind === 'text' && !minus) return { kind: 'text', value: this.#text(value.at), at: token.at }
    throw new SyntaxFault(`expected a ${minus ? 'number' : 'value'}, got ${describe(value)}`, value.at)
  }

  #text(at: Position): string {
    const bytes: number[] = []
    while (this.#token.kind === 'text') {
      for (const byte of this.#token.bytes) bytes.push(byte)
      this.#advance()
    }
    return decodeText(bytes, at)
  }

  #take(symbol: string): boolean {
    if (this.#token.kind !== 'symbol' || this.#token.value !== symbol) return false
    this.#advance()
    return true
  }

  #advance(): void {
    this.#token = this.#lexer.next()
  }
}

const specialNumbers: ReadonlyMap<string, number> = new Map([['inf', Infinity], ['infinity', Infinity], ['nan', NaN]])

function isMessages(value: Tree): boolean {
  return value.kind === 'message' || (value.kind === 'list' && value.items.every(item => item.kind === 'message'))
}

function describe(token: Token): string {
  if (token.kind === 'end') return 'the end of the file'
  if (token.kind === 'text') return 'a string'
  return `"${token.value}"`
}

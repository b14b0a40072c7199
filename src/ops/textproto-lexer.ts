/** Protobuf text format, letters to tokens. What tokens mean together is textproto.ts. */
import { LineTable, SyntaxFault, type Position } from './config-tree.ts'
import { readEscapes } from './textproto-escapes.ts'

export type Token =
  | { readonly kind: 'word'; readonly value: string; readonly at: Position }
  | { readonly kind: 'number'; readonly value: number | bigint; readonly at: Position }
  /** Bytes, because adjacent strings are joined before they are read as UTF-8. */
  | { readonly kind: 'text'; readonly bytes: readonly number[]; readonly at: Position }
  | { readonly kind: 'symbol'; readonly value: string; readonly at: Position }
  | { readonly kind: 'end'; readonly at: Position }

/** Turns `text` into tokens, one at a time. Throws `SyntaxFault`. */
export class Lexer {
  readonly #text: string
  readonly #lines: LineTable
  #offset = 0

  constructor(text: string) {
    this.#text = text
    this.#lines = new LineTable(text)
    if (text.startsWith('\ufeff')) this.#offset = 1
  }

  next(): Token {
    this.#skipBlank()
    const at = this.#lines.position(this.#offset)
    const letter = this.#text[this.#offset]
    if (letter === undefined) return { kind: 'end', at }
    if (letter === '"' || letter === "'") return { kind: 'text', bytes: this.#quoted(letter), at }
    const word = this.#match(/[A-Za-z_][A-Za-z0-9_]*/y)
    if (word !== null) return { kind: 'word', value: word, at }
    const number = this.#match(/(?:0[xX][0-9A-Za-z_]*|\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*)/y)
    if (number !== null) return { kind: 'number', value: readNumber(number, at), at }
    if (!'{}[]<>:,;-./'.includes(letter)) throw new SyntaxFault(`unexpected character ${JSON.stringify(letter)}`, at)
    this.#offset++
    return { kind: 'symbol', value: letter, at }
  }

  #skipBlank(): void {
    this.#match(/(?:[ \t\r\n\f\v]+|#[^\n]*)*/y)
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#offset
    const found = pattern.exec(this.#text)?.[0] ?? null
    if (found !== null) this.#offset += found.length
    return found
  }

  #quoted(quote: string): readonly number[] {
    const start = this.#offset
    let end = start + 1
    while (this.#text[end] !== quote) {
      const letter = this.#text[end]
      if (letter === undefined || letter === '\n') {
        throw new SyntaxFault('the string is not closed on its line', this.#lines.position(start))
      }
      // A backslash takes the next character with it, so that \" does not end the string.
      end += letter === '\\' && this.#text[end + 1] !== '\n' ? 2 : 1
    }
    this.#offset = end + 1
    return readEscapes(this.#text.slice(start + 1, end), offset => this.#lines.position(start + 1 + offset))
  }
}

const int64Min = -(2n ** 63n)
const uint64Max = 2n ** 64n - 1n

/** The magnitude alone: a minus is a token of its own. Whole numbers beyond 64 bits are refused. */
function readNumber(text: string, at: Position): number | bigint {
  if (/^(?:0|[1-9][0-9]*|0[xX][0-9a-fA-F]+)$/.test(text)) return readInteger(BigInt(text), at)
  if (/^0[0-7]+$/.test(text)) return readInteger(BigInt(`0o${text.slice(1)}`), at)
  if (/^(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eEfF]))(?:[eE][+-]?[0-9]+)?[fF]?$/.test(text)) {
    return Number(text.replace(/[fF]$/, ''))
  }
  throw new SyntaxFault(`"${text}" is not a number`, at)
}

function readInteger(value: bigint, at: Position): number | bigint {
  if (value > uint64Max) throw new SyntaxFault('the number does not fit into 64 bits', at)
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

/** The number with its sign turned round. */
export function negate(value: number | bigint, at: Position): number | bigint {
  if (typeof value === 'bigint' && -value < int64Min) throw new SyntaxFault('the number does not fit into 64 bits', at)
  return -value
}

/** The plain tree that both readers of configuration files make, with positions. What the names mean is config-layer.ts. */

/** Counted from 1; a column is one UTF-16 code unit, as editors count. */
export interface Position {
  readonly line: number
  readonly column: number
}

export type Tree = TextTree | NumberTree | WordTree | ListTree | MessageTree

export interface TextTree {
  readonly kind: 'text'
  readonly value: string
  readonly at: Position
}
/** Whole numbers beyond 2^53 are bigint, so that no digit is lost. */
export interface NumberTree {
  readonly kind: 'number'
  readonly value: number | bigint
  readonly at: Position
}
/** An identifier: `true`, `false` or the name of an enum's value. */
export interface WordTree {
  readonly kind: 'word'
  readonly value: string
  readonly at: Position
}
export interface ListTree {
  readonly kind: 'list'
  readonly items: readonly Tree[]
  readonly at: Position
}
/** A message. A name may occur several times: that is how the text format repeats a field. */
export interface MessageTree {
  readonly kind: 'message'
  readonly fields: readonly FieldTree[]
  readonly at: Position
}
export interface FieldTree {
  readonly name: string
  readonly at: Position
  readonly value: Tree
  /** Printed behind the field as a comment; readers drop comments. */
  readonly comment?: string
  /** Printed as a comment altogether: what must not be read back, for instance a masked secret. */
  readonly commentedOut?: boolean
}

/** A file that does not fit its grammar. Nothing behind `at` was read. */
export class SyntaxFault extends Error {
  override name = 'SyntaxFault'
  constructor(
    message: string,
    readonly at: Position,
  ) {
    super(message)
  }
}

/** Where trees come from that nobody wrote: printed values. */
export const nowhere: Position = { line: 0, column: 0 }

/** Deepest nesting of messages and lists that is read. */
export const nestingDepthMax = 64

export function textTree(value: string): TextTree {
  return { kind: 'text', value, at: nowhere }
}

export function numberTree(value: number | bigint): NumberTree {
  return { kind: 'number', value, at: nowhere }
}

export function wordTree(value: string): WordTree {
  return { kind: 'word', value, at: nowhere }
}

export function listTree(items: readonly Tree[]): ListTree {
  return { kind: 'list', items, at: nowhere }
}

export function messageTree(fields: readonly FieldTree[]): MessageTree {
  return { kind: 'message', fields, at: nowhere }
}

/** Finds the position of character `offset` in a text. */
export class LineTable {
  readonly #starts: number[] = [0]

  constructor(text: string) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1)
  }

  position(offset: number): Position {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 }
  }
}

/** INSERT statements with literal values to rows: what `headwater export` and `sqlite3 .dump` write. It runs no SQL: `headwater sql` does. */
import type { TableShape } from '../admin/tables-shape.ts'
import { closingOf, foldName, isName, isOperator, isWord, splitTokens, SqlTextError, tokenize, type Token } from '../records/catalog/sql-tokens.ts'
import type { SqlValue } from '../lib/sql-value.ts'
import { literalOf } from './table-import-literal.ts'
import { LineError, rowCharactersMax, shown, type ImportRow, type RowReader } from './table-import-rows.ts'

/** What may stand around the INSERTs, and says nothing about rows. */
const ignored = ['BEGIN', 'COMMIT', 'END', 'PRAGMA']

/** Statements before `fromLine` are not looked at. */
export class SqlReader implements RowReader {
  readonly #shape: TableShape
  readonly #fromLine: number
  readonly #heads = new Map<string, readonly string[]>()
  #rest = ''
  /** How far `rest` was looked at, and what is open there. */
  #at = 0
  #open: string | null = null
  #line = 1

  constructor(shape: TableShape, fromLine = 1) {
    this.#shape = shape
    this.#fromLine = fromLine
  }

  *push(text: string): Iterable<ImportRow> {
    this.#rest += text
    let from = 0
    for (let end = this.#nextEnd(); end !== null; end = this.#nextEnd()) {
      yield* this.#take(this.#rest.slice(from, end - 1))
      from = end
    }
    this.#rest = this.#rest.slice(from)
    this.#at -= from
    if (this.#rest.length > rowCharactersMax) throw new LineError(this.#line, 'the statement does not end')
  }

  *end(): Iterable<ImportRow> {
    yield* this.#take(this.#rest)
    this.#rest = ''
  }

  /** Place behind the next semicolon outside of quotes and comments, or null when it has not come yet. */
  #nextEnd(): number | null {
    const text = this.#rest
    // The last character may be the first half of a mark.
    while (this.#at < text.length - 1 || (this.#open === null && text[this.#at] === ';')) {
      if (this.#open !== null) {
        const end = text.indexOf(this.#open, this.#at)
        if (end < 0) {
          this.#at = Math.max(this.#at, text.length - this.#open.length + 1)
          return null
        }
        this.#at = end + this.#open.length
        this.#open = null
        continue
      }
      marks.lastIndex = this.#at
      const mark = marks.exec(text)
      if (mark === null) {
        this.#at = Math.max(this.#at, text.length - 1)
        return null
      }
      this.#at = mark.index + mark[0].length
      if (mark[0] === ';') return this.#at
      this.#open = closers[mark[0]] ?? null
    }
    return null
  }

  *#take(text: string): Iterable<ImportRow> {
    const blank = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0] ?? ''
    const line = this.#line + lineFeeds(blank)
    this.#line += lineFeeds(text)
    if (line < this.#fromLine || blank.length === text.length) return
    const tokens = tokensOf(text, line)
    if (isWord(tokens[0], ...ignored)) return
    yield* this.#insert(tokens, text, line)
  }

  *#insert(tokens: readonly Token[], text: string, line: number): Iterable<ImportRow> {
    const into = tokens.findIndex(token => isWord(token, 'INTO'))
    if (!isWord(tokens[0], 'INSERT', 'REPLACE') || into < 0) return refuse(line, `only INSERT … VALUES is imported, not ${shown(text.trim())}; \`headwater sql\` runs SQL`)
    const at = isOperator(tokens[into + 2], '.') ? into + 3 : into + 1
    const name = tokens[at]
    if (!isName(name) || foldName(name.value) !== foldName(this.#shape.name)) return refuse(line, `the statement is for ${shown(name?.text ?? '')}, not for the table "${this.#shape.name}"`)
    const hasColumns = isOperator(tokens[at + 1], '(')
    const close = hasColumns ? closingOf(tokens, at + 1) : at
    const columns = this.#columns(hasColumns ? tokens.slice(at + 2, close) : [], line)
    if (!isWord(tokens[close + 1], 'VALUES')) return refuse(line, 'VALUES is expected behind the columns')
    for (const group of splitTokens(tokens.slice(close + 2), token => isOperator(token, ','))) yield { line, columns, values: rowOf(group, columns.length, line) }
  }

  #columns(tokens: readonly Token[], line: number): readonly string[] {
    const id = tokens.map(({ text }) => text).join('')
    const known = this.#heads.get(id)
    if (known !== undefined) return known
    const { columns, name } = this.#shape
    const named = tokens.length === 0 ? columns : splitTokens(tokens, token => isOperator(token, ',')).map(([token]) => {
      const found = columns.find(column => foldName(column.name) === foldName(token?.value ?? ''))
      return found ?? refuse(line, `the table "${name}" has no column ${shown(token?.value ?? '')}`)
    })
    const names = named.map(column => column.name)
    this.#heads.set(id, names)
    return names
  }
}

const marks = /;|'|"|`|\[|--|\/\*/g
/** A doubled quote inside a string closes it and opens it again, which comes to the same. */
const closers: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']', '--': '\n', '/*': '*/' }

function lineFeeds(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}

function tokensOf(text: string, line: number): readonly Token[] {
  try {
    return tokenize(text)
  } catch (error) {
    if (error instanceof SqlTextError) return refuse(line, error.message)
    throw error
  }
}

function rowOf(group: readonly Token[], count: number, line: number): readonly SqlValue[] {
  if (!isOperator(group[0], '(') || closingOf(group, 0) !== group.length - 1) return refuse(line, 'values in parentheses are expected')
  const values = splitTokens(group.slice(1, -1), token => isOperator(token, ',')).map(tokens => literalOf(tokens, line))
  return values.length === count ? values : refuse(line, `${count} values are needed, there are ${values.length}`)
}

function refuse(line: number, message: string): never {
  throw new LineError(line, message)
}

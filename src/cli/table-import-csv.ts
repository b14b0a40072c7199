/** CSV (RFC 4180) to rows. An empty field is NULL, a quoted empty one the empty text; otherwise the column's type says what a field is. */
import type { ShapeColumn, TableShape } from '../admin/tables-shape.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import { blobOfText } from '../records/body/column-value.ts'
import type { SqlValue } from '../lib/sql-value.ts'
import { integerOf, LineError, realOf, rowCharactersMax, shown, type ImportRow, type RowReader } from './table-import-rows.ts'

interface Field {
  readonly text: string
  readonly isQuoted: boolean
}

/** The first record names the columns. Lines end with LF or CR LF. Records before `fromLine` are not looked at. */
export class CsvReader implements RowReader {
  readonly #shape: TableShape
  readonly #fromLine: number
  #rest = ''
  #line = 1
  #columns: readonly ShapeColumn[] | null = null
  #names: readonly string[] = []

  constructor(shape: TableShape, fromLine = 1) {
    this.#shape = shape
    this.#fromLine = fromLine
  }

  *push(text: string): Iterable<ImportRow> {
    this.#rest = this.#rest === '' ? text : this.#rest + text
    yield* this.#rows(false)
    if (this.#rest.length > rowCharactersMax) throw new LineError(this.#line, 'the record does not end; a quote is open')
  }

  *end(): Iterable<ImportRow> {
    yield* this.#rows(true)
    if (this.#rest !== '') throw new LineError(this.#line, 'the last field is not closed with a quote')
    if (this.#columns === null) throw new LineError(1, 'the first line names the columns; the file is empty')
  }

  *#rows(isEnd: boolean): Iterable<ImportRow> {
    let at = 0
    while (at < this.#rest.length) {
      const record = recordAt(this.#rest, at, isEnd, this.#line)
      if (record === null) break
      const line = this.#line
      this.#line += linesIn(this.#rest, at, record.end)
      at = record.end
      const row = this.#take(record.fields, line)
      if (row !== null) yield row
    }
    this.#rest = this.#rest.slice(at)
  }

  #take(fields: readonly Field[], line: number): ImportRow | null {
    if (this.#columns === null) {
      this.#columns = fields.map(({ text }) => columnOf(this.#shape, text, line))
      this.#names = this.#columns.map(({ name }) => name)
      return null
    }
    const columns = this.#columns
    if (line < this.#fromLine) return null
    // A blank line between records of several columns is nothing.
    if (fields.length === 1 && fields[0]?.text === '' && columns.length > 1) return null
    if (fields.length !== columns.length) throw new LineError(line, `${columns.length} fields are needed, there are ${fields.length}`)
    return { line, columns: this.#names, values: columns.map((column, i) => cellValue(this.#shape, column, fields[i] ?? { text: '', isQuoted: false }, line)) }
  }
}

function columnOf({ columns, name: table }: TableShape, name: string, line: number): ShapeColumn {
  const found = columns.find(column => foldName(column.name) === foldName(name.trim()))
  if (found === undefined) throw new LineError(line, `the table "${table}" has no column ${shown(name)}; the first line names the columns: ${columns.map(column => column.name).join(',')}`)
  return found
}

const quote = 34
const comma = 44
const lineFeed = 10
const carriageReturn = 13

/** The record that begins at `from`; null when the text ends before it does. */
function recordAt(text: string, from: number, isEnd: boolean, line: number): { readonly fields: readonly Field[]; readonly end: number } | null {
  const fields: Field[] = []
  let at = from
  for (;;) {
    const isQuoted = text.charCodeAt(at) === quote
    const end = isQuoted ? closingQuote(text, at) : fieldEnd(text, at)
    if (end === null || (end >= text.length && !isEnd)) return null
    fields.push(isQuoted ? { text: text.slice(at + 1, end - 1).replaceAll('""', '"'), isQuoted } : plainField(text.slice(at, end), line))
    const next = lineEndAt(text, end)
    if (next !== null && (next < text.length || isEnd || text.charCodeAt(next - 1) === lineFeed)) return { fields, end: next }
    if (next !== null) return null
    if (text.charCodeAt(end) !== comma) {
      if (end + 1 >= text.length && !isEnd) return null
      throw new LineError(line, `a comma or the end of the line is expected behind the closing quote, not ${shown(text.slice(end, end + 10))}`)
    }
    at = end + 1
  }
}

function plainField(text: string, line: number): Field {
  if (text.includes('"')) throw new LineError(line, `a field with a quote in it begins with one: ${shown(text)}`)
  return { text, isQuoted: false }
}

/** Place behind the quote that closes the one at `open`; null when none does yet. */
function closingQuote(text: string, open: number): number | null {
  for (let at = open + 1; ; at += 2) {
    at = text.indexOf('"', at)
    if (at < 0) return null
    if (text.charCodeAt(at + 1) !== quote) return at + 1
  }
}

function fieldEnd(text: string, from: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === comma || code === lineFeed || (code === carriageReturn && (at + 1 === text.length || text.charCodeAt(at + 1) === lineFeed))) break
  }
  return at
}

/** Place behind the line end at `at`, or the end of the text; null when something else is there. */
function lineEndAt(text: string, at: number): number | null {
  if (at >= text.length) return at
  if (text.charCodeAt(at) === lineFeed) return at + 1
  if (text.charCodeAt(at) !== carriageReturn) return null
  return text.charCodeAt(at + 1) === lineFeed ? at + 2 : at + 1 === text.length ? at + 1 : null
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

function cellValue(shape: TableShape, column: ShapeColumn, { text, isQuoted }: Field, line: number): SqlValue {
  if (text === '' && !isQuoted) return null
  switch (column.type) {
    case 'TEXT':
      return text
    case 'INTEGER':
      return integerOf(text) ?? (shape.isStrict ? null : realOf(text)) ?? wrong(column, 'an integer of 64 bits', text, line)
    case 'REAL':
      // An integer beyond a double's would lose digits where a table takes both.
      return (shape.isStrict ? null : integerOf(text)) ?? realOf(text) ?? wrong(column, 'a number', text, line)
    case 'BLOB':
      return text === '' ? new Uint8Array(0) : (blobOfText(text) ?? wrong(column, column.isUuid ? 'a UUID' : 'base64', text, line))
    case 'ANY':
      return isQuoted ? text : (integerOf(text) ?? realOf(text) ?? text)
  }
}

function wrong(column: ShapeColumn, expected: string, text: string, line: number): never {
  throw new LineError(line, `column "${column.name}": expected ${expected}, got ${shown(text)}`)
}

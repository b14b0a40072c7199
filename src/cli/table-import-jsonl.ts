/** JSON lines to rows: an object a line, whose names are columns. What it leaves out gets the column's default. */
import type { ShapeColumn, TableShape } from '../admin/tables-shape.ts'
import { foldName } from '../records/catalog/sql-tokens.ts'
import { blobOfText } from '../records/body/column-value.ts'
import type { SqlValue } from '../lib/sql-value.ts'
import { integerOf, LineError, rowCharactersMax, shown, type ImportRow, type RowReader } from './table-import-rows.ts'

/**
 * Numbers: `1` is an integer and `1.0` is not. A string in a BLOB column is base64 or a UUID; `{"$blob": base64}` and `{"$text": …}` say the type
 * where the column does not. Other objects and arrays are stored as their JSON text, true and false as 1 and 0. Lines before `fromLine` are not looked at.
 */
export class JsonLinesReader implements RowReader {
  readonly #shape: TableShape
  readonly #fromLine: number
  readonly #columns: ReadonlyMap<string, ShapeColumn>
  /** By the names as they came: those of the table. */
  readonly #heads = new Map<string, readonly ShapeColumn[]>()
  readonly #names = new Map<readonly ShapeColumn[], readonly string[]>()
  #parts: string[] = []
  #length = 0
  #line = 1

  constructor(shape: TableShape, fromLine = 1) {
    this.#shape = shape
    this.#fromLine = fromLine
    this.#columns = new Map(shape.columns.map(column => [foldName(column.name), column]))
  }

  *push(text: string): Iterable<ImportRow> {
    let from = 0
    for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
      yield* this.#take(text.slice(from, to))
      from = to + 1
    }
    this.#parts.push(text.slice(from))
    this.#length += text.length - from
    if (this.#length > rowCharactersMax) throw new LineError(this.#line, 'the line is too long')
  }

  *end(): Iterable<ImportRow> {
    yield* this.#take('')
  }

  *#take(last: string): Iterable<ImportRow> {
    const text = this.#parts.length === 0 ? last : this.#parts.join('') + last
    this.#parts = []
    this.#length = 0
    const line = this.#line++
    if (line < this.#fromLine || text.trim() === '') return
    const object = objectOf(text, line)
    const columns = this.#head(Object.keys(object), line)
    const values = Object.values(object).map((value, i) => (columns[i] === undefined ? null : valueOf(columns[i], value, line)))
    yield { line, columns: this.#names.get(columns) ?? [], values }
  }

  #head(keys: readonly string[], line: number): readonly ShapeColumn[] {
    const id = keys.join('\n')
    const known = this.#heads.get(id)
    if (known !== undefined) return known
    const columns = keys.map(key => {
      const column = this.#columns.get(foldName(key))
      if (column === undefined) throw new LineError(line, `the table "${this.#shape.name}" has no column ${shown(key)}`)
      return column
    })
    if (columns.length === 0) throw new LineError(line, 'the object has no columns')
    this.#heads.set(id, columns)
    this.#names.set(columns, columns.map(({ name }) => name))
    return columns
  }
}

/** Where a number's digits matter: integers, so that 1 and 1.0 differ and no digit is lost. */
function objectOf(text: string, line: number): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text, exactly)
  } catch {
    throw new LineError(line, `the line is not valid JSON: ${shown(text)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new LineError(line, 'each line is an object, {"column": value}')
  return value as Readonly<Record<string, unknown>>
}

/** ECMAScript "JSON.parse source text access". */
function exactly(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? ''
  return typeof value === 'number' && /^-?\d+$/.test(source) ? BigInt(source) : value
}

function valueOf(column: ShapeColumn, value: unknown, line: number): SqlValue {
  if (value === null) return null
  // Beyond 64 bits an integer is a REAL, as in SQLite, which also makes the nearest double of one in a REAL column.
  if (typeof value === 'bigint') return integerOf(String(value)) ?? Number(value)
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'string') return column.type === 'BLOB' ? bytesOf(column, value, line) : value
  const [[name, inner] = ['', null], ...more] = Object.entries(value as object)
  if (more.length === 0 && name === '$text' && typeof inner === 'string') return inner
  if (more.length === 0 && name === '$blob' && typeof inner === 'string') return bytesOf(column, inner, line)
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? rawNumber(each) : each))
}

function bytesOf(column: ShapeColumn, text: string, line: number): Uint8Array {
  if (text === '') return new Uint8Array(0)
  const bytes = blobOfText(text)
  if (bytes === null) throw new LineError(line, `column "${column.name}": expected base64 or a UUID, got ${shown(text)}`)
  return bytes
}

function rawNumber(value: bigint): unknown {
  return (JSON as JSON & { rawJSON(text: string): unknown }).rawJSON(value.toString())
}

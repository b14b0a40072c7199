/** Rows as the JSON text of records: one closure per column, compiled from plain data, so that reader threads can do it. Reading the rows is query/. */
import type { SqlRow, SqlValue } from '../lib/sql-value.ts'
import type { Column } from './catalog/relation.ts'
import { geometryToGeoJson } from './geometry/geojson.ts'
import { base64Url } from './record-id.ts'

/** `plain` by the stored type; `json` stored text is the JSON; `file` and `files` without the internal id; `sum` two halves of an exact sum. */
export type Rendering = 'plain' | 'json' | 'file' | 'files' | 'geometry' | 'sum'

/** One member of the record's object. */
export interface FieldSpec {
  readonly name: string
  /** Position of its value in the row. Of `children`: the value they refer to. */
  readonly index: number
  readonly rendering: Rendering
  /** A foreign key that can be expanded answers as an object even when it is not (`arm` null), trailbase-api.md §5.2. */
  readonly expand: null | { readonly kind: 'parent'; readonly arm: number | null } | { readonly kind: 'children'; readonly arm: number }
}

/** Rows of another relation that belong to rows of this one, as JSON texts by linkKey. */
export interface LinkedTexts {
  readonly collation: string
  readonly texts: ReadonlyMap<string, readonly string[]>
}

export type RowText = (row: SqlRow, linked: readonly LinkedTexts[]) => string
export type ValueText = (value: SqlValue) => string

export function renderingOf(column: Column): Rendering {
  switch (column.format.kind) {
    case 'json':
    case 'file':
    case 'files':
    case 'geometry':
      return column.format.kind
    default:
      return 'plain'
  }
}

/** The fields of rows that hold just `columns`, in that order, none of them expanded. */
export function plainFields(columns: readonly Column[]): readonly FieldSpec[] {
  return columns.map((column, index) => ({ name: column.name, index, rendering: renderingOf(column), expand: null }))
}

/** A function that gives the object of a row, from `{` to `}`. */
export function rowText(fields: readonly FieldSpec[]): RowText {
  const members = fields.map((field, i) => ({ head: `${i === 0 ? '' : ','}${JSON.stringify(field.name)}:`, text: fieldText(field) }))
  return (row, linked) => {
    let text = '{'
    for (const member of members) text += member.head + member.text(row, linked)
    return `${text}}`
  }
}

function fieldText({ index, rendering, expand }: FieldSpec): RowText {
  if (rendering === 'sum') return row => sumText(row[index] ?? null, row[index + 1] ?? null)
  const text = valueText(rendering)
  if (expand === null) return row => text(row[index] ?? null)
  return expand.kind === 'parent' ? parentText(index, text, expand.arm) : childrenText(index, expand.arm)
}

function parentText(index: number, text: ValueText, arm: number | null): RowText {
  return (row, linked) => {
    const value = row[index] ?? null
    if (value === null) return 'null'
    const data = arm === null ? undefined : textsOf(linked[arm], value)[0]
    return data === undefined ? `{"id":${text(value)}}` : `{"id":${text(value)},"data":${data}}`
  }
}

function childrenText(index: number, arm: number): RowText {
  return (row, linked) => `[${textsOf(linked[arm], row[index] ?? null).join(',')}]`
}

function textsOf(linked: LinkedTexts | undefined, value: SqlValue): readonly string[] {
  return (value === null ? undefined : linked?.texts.get(linkKey(value, linked.collation))) ?? []
}

/** Values that SQLite holds for equal under `collation` have one key. */
export function linkKey(value: SqlValue, collation: string): string {
  if (value instanceof Uint8Array) return `b${value.toHex()}`
  if (typeof value !== 'string') return `n${value}`
  if (collation === 'NOCASE') return `t${value.replace(/[A-Z]/g, letter => letter.toLowerCase())}`
  return collation === 'RTRIM' ? `t${value.replace(/ +$/, '')}` : `t${value}`
}

/** A function that gives the JSON text of a value. */
export function valueText(rendering: Rendering): ValueText {
  switch (rendering) {
    case 'json':
      return value => (typeof value === 'string' ? storedJson(value) : plainText(value))
    case 'file':
    case 'files':
      return value => (typeof value === 'string' ? fileText(value) : 'null')
    case 'geometry':
      return value => (value instanceof Uint8Array ? geometryText(value) : 'null')
    default:
      return plainText
  }
}

function plainText(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return value.toString()
  // JSON.stringify writes lone surrogates as escapes, so the text stays UTF-8.
  if (typeof value === 'string') return JSON.stringify(value)
  return typeof value === 'number' ? realText(value) : `"${base64Url(value)}"`
}

/** With a fraction always, as typed clients expect of a REAL. JSON has no infinity. */
function realText(value: number): string {
  if (!Number.isFinite(value)) return 'null'
  if (!Number.isInteger(value)) return String(value)
  if (Object.is(value, -0)) return '-0.0'
  const text = String(value)
  return text.includes('e') ? text : `${text}.0`
}

/** Stored text goes out as it is: parsing would lose exact numbers. What is not JSON (a value from before its CHECK) is a string. */
function storedJson(text: string): string {
  try {
    JSON.parse(text)
    return text.isWellFormed() ? text : text.toWellFormed()
  } catch {
    return JSON.stringify(text)
  }
}

/** A file's description without the name of its object. What cannot be read shows nothing: it could hold the name. */
function fileText(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return JSON.stringify(Array.isArray(value) ? value.map(withoutId) : withoutId(value))
  } catch {
    return 'null'
  }
}

function withoutId(file: unknown): unknown {
  if (typeof file !== 'object' || file === null) return null
  const { id: _, ...shown } = file as Record<string, unknown>
  return shown
}

/** What is no geometry (a value from before its CHECK) is null. */
function geometryText(bytes: Uint8Array): string {
  try {
    return JSON.stringify(geometryToGeoJson(bytes))
  } catch {
    return 'null'
  }
}

/** The sum of 64-bit integers from the sums of their upper and lower 32 bits: exact where SQLite's `sum` overflows. */
function sumText(upper: SqlValue, lower: SqlValue): string {
  if (typeof upper !== 'bigint' || typeof lower !== 'bigint') return plainText(upper)
  return ((upper << 32n) + lower).toString()
}

/** The JSON text of a list from the rows of its statements. Runs in reader threads, so it works from plain data. */
import { fail } from '../../lib/errors.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import { recordIdText } from '../record-id.ts'
import { type FieldSpec, linkKey, type LinkedTexts, rowText, type RowText, valueText } from '../row-json.ts'
import { encodeCursor } from './cursor.ts'
import type { ArmSpec } from './expansion.ts'
import { bodyCharsMax, expandRowsMax } from './limits.ts'

/** How rows become a body; made by list-statement.ts. */
export interface ListSpec {
  readonly form: { readonly kind: 'records' } | { readonly kind: 'groups' } | FeatureForm
  readonly fields: readonly FieldSpec[]
  /** Empty: all rows are of the page and tell no number. */
  readonly arms: readonly ArmSpec[]
  readonly cursor: { readonly binding: string; readonly indexes: readonly number[] } | null
  /** What the statements give: `page` alone, `count` alone, or both in this order. */
  readonly parts: 'page' | 'count' | 'pageAndCount'
}

export interface FeatureForm {
  readonly kind: 'features'
  readonly idIndexes: readonly number[]
  readonly geometryIndex: number
}

/** The body. `rows` has the rows of each statement. Refuses `query_too_costly` when it gets too large. */
export function formList(spec: ListSpec, rows: readonly (readonly SqlRow[])[]): string {
  const counted = spec.parts === 'page' ? null : (rows.at(-1)?.[0]?.[0] ?? 0n)
  const all = spec.parts === 'count' ? [] : (rows[0] ?? [])
  const { page, linked } = formArms(spec.arms, all)
  const last = page.at(-1)
  const members: string[] = []
  if (spec.cursor !== null && last !== undefined) members.push(`"cursor":${JSON.stringify(cursorOf(spec.cursor, last))}`)
  // An empty page has a count even when nobody asked for it: TrailBase's clients rely on it (trailbase-api.md §5.3).
  if (counted !== null) members.push(`"total_count":${counted}`)
  else if (last === undefined && spec.form.kind !== 'groups') members.push('"total_count":0')
  return wrapped(spec, members, formPage(spec, page, linked))
}

function cursorOf({ binding, indexes }: NonNullable<ListSpec['cursor']>, row: SqlRow): string {
  return encodeCursor(binding, indexes.map(index => row[index] ?? null))
}

function wrapped(spec: ListSpec, members: readonly string[], items: string): string {
  switch (spec.form.kind) {
    case 'records':
      return `{${[...members, `"records":[${items}]`].join(',')}}`
    case 'groups':
      return `{${[...members, `"groups":[${items}]`].join(',')}}`
    case 'features':
      return `{${['"type":"FeatureCollection"', `"features":[${items}]`, ...members].join(',')}}`
  }
}

function formPage(spec: ListSpec, page: readonly SqlRow[], linked: readonly LinkedTexts[]): string {
  const text = spec.form.kind === 'features' ? featureText(spec.form, rowText(spec.fields)) : rowText(spec.fields)
  return texts(page, row => text(row, linked)).join(',')
}

function texts(rows: readonly SqlRow[], textOf: (row: SqlRow) => string): readonly string[] {
  let chars = 0
  return rows.map(row => {
    const text = textOf(row)
    chars += text.length
    return chars > bodyCharsMax ? fail('query_too_costly', { detail: `the records have more than ${bodyCharsMax} characters; ask for fewer` }) : text
  })
}

const geometryText = valueText('geometry')
const idText = valueText('plain')

function featureText({ idIndexes, geometryIndex }: FeatureForm, properties: RowText): RowText {
  return (row, linked) => {
    const key = idIndexes.map(index => row[index] ?? null)
    const id = key.length === 1 ? idText(key[0] ?? null) : JSON.stringify(recordIdText(key))
    return `{"type":"Feature","id":${id},"geometry":${geometryText(row[geometryIndex] ?? null)},"properties":${properties(row, linked)}}`
  }
}

/**
 * Splits rows into the page and what was expanded, and forms the texts of the latter; a deeper arm stands behind the one it hangs on.
 * Refuses `query_too_costly` for more than a page may bring along.
 */
export function formArms(arms: readonly ArmSpec[], rows: readonly SqlRow[]): { readonly page: readonly SqlRow[]; readonly linked: readonly LinkedTexts[] } {
  if (arms.length === 0) return { page: rows, linked: [] }
  const parts: SqlRow[][] = Array.from({ length: arms.length + 1 }, () => [])
  for (const row of rows) parts[Number(row[0])]?.push(row)
  const linked: LinkedTexts[] = arms.map(({ collation }) => ({ collation, texts: new Map() }))
  for (let i = arms.length - 1; i >= 0; i--) {
    const arm = arms[i]
    if (arm !== undefined) linked[i] = { collation: arm.collation, texts: armTexts(arm, parts[i + 1] ?? [], linked) }
  }
  return { page: parts[0] ?? [], linked }
}

function armTexts(arm: ArmSpec, rows: readonly SqlRow[], linked: readonly LinkedTexts[]): ReadonlyMap<string, readonly string[]> {
  if (rows.length > expandRowsMax) return fail('query_too_costly', { detail: `expand brings along more than ${expandRowsMax} records; ask for fewer` })
  const text = rowText(arm.fields)
  const formed = texts(rows, row => text(row, linked))
  const byLink = new Map<string, string[]>()
  for (const [i, row] of rows.entries()) {
    const key = linkKey(row[1] ?? null, arm.collation)
    const known = byLink.get(key)
    if (known === undefined) byLink.set(key, [formed[i] ?? ''])
    else known.push(formed[i] ?? '')
  }
  return byLink
}

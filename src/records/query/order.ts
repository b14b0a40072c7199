/** The order of a list: the columns it sorts by and the condition of the next page. */
import type { SqlRow } from '../../lib/sql-value.ts'
import { quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import type { Bindings } from './bindings.ts'
import { isFile } from './filter.ts'
import type { OrderItem } from './parse.ts'
import { refuseQuery } from './refuse.ts'

export interface OrderTerm {
  readonly column: Column
  readonly sql: string
  readonly descending: boolean
  readonly isNullable: boolean
}

export interface ListOrder {
  readonly sql: string
  /** Set when the order can be continued behind a row: its terms, and what a cursor is bound to. */
  readonly keyset: { readonly terms: readonly OrderTerm[]; readonly binding: string } | null
}

/** The hidden column by which FTS5 tells how well a row matches; the best is the smallest. */
export const rankName = 'rank'

/**
 * The order that `items` ask for; by default the key downwards, of a search the rank. The key is added behind the last item, so that equal rows have one order.
 * It can be continued when its first column is the first of the key (trailbase-api.md §5.3). Refuses `invalid_query`.
 */
export function listOrder(api: RecordApi, visible: ReadonlyMap<string, Column>, items: readonly OrderItem[], isMatch: boolean): ListOrder {
  const wanted = items.length === 0 && isMatch ? [{ name: rankName, descending: false }] : items
  const rank = wanted.find(({ name }) => name === rankName && isMatch && !visible.has(rankName))
  if (rank !== undefined) return rankOrder(rank, wanted)
  const named = wanted.map(({ name, descending }) => term(api, orderColumn(visible, name), descending))
  const downwards = named.at(-1)?.descending ?? true
  const rest = api.key.filter(column => !named.some(each => each.column.name === column.name)).map(column => term(api, column, downwards))
  const terms = [...named, ...rest]
  return { sql: terms.map(termSql).join(', '), keyset: keyset(api, terms) }
}

function rankOrder(rank: OrderItem, wanted: readonly OrderItem[]): ListOrder {
  if (wanted.length > 1) return refuseQuery('rank is an order by itself')
  return { sql: `_ROW_.${quoted(rankName)}${rank.descending ? ' DESC' : ''}`, keyset: null }
}

function orderColumn(visible: ReadonlyMap<string, Column>, name: string): Column {
  const column = visible.get(name)
  if (column === undefined) return refuseQuery(`there is no column "${name}" to order by`)
  return isFile(column) ? refuseQuery(`"${name}" holds files and gives no order`) : column
}

/** Key columns hold no NULL, said or not: tables of APIs are STRICT. */
function term(api: RecordApi, column: Column, descending: boolean): OrderTerm {
  const isKey = api.key.some(key => key.name === column.name)
  return { column, sql: `_ROW_.${quoted(column.name)}`, descending, isNullable: column.isNullable && !isKey }
}

function termSql({ sql, descending }: OrderTerm): string {
  return descending ? `${sql} DESC` : sql
}

function keyset(api: RecordApi, terms: readonly OrderTerm[]): ListOrder['keyset'] {
  const isKeyFirst = terms[0]?.column.name === api.key[0]?.name
  // A cursor can be read by who holds it.
  const isShown = terms.every(({ column }) => !column.isHidden)
  if (api.relation.kind === 'view' || !isKeyFirst || !isShown) return null
  const needed = api.key.length === 1 ? terms.slice(0, 1) : terms
  const binding = JSON.stringify([api.name, ...needed.map(({ column, descending }) => [column.name, descending])])
  return { terms: needed, binding }
}

/** The condition of the rows behind the one with `values`, in the order of `terms`. */
export function behindCondition(terms: readonly OrderTerm[], values: SqlRow, bindings: Bindings): string {
  const downwards = terms[0]?.descending === true
  const isUniform = terms.every((each, i) => each.descending === downwards && !each.isNullable && values[i] !== null)
  // One comparison of rows lets SQLite seek in the key's index.
  if (isUniform) return `(${terms.map(({ sql }) => sql).join(', ')}) ${downwards ? '<' : '>'} (${values.map(value => bindings.add(value)).join(', ')})`
  return mixedCondition(terms, values, bindings)
}

/** Behind at the first column, or equal there and behind at the next, and so on. NULL is smaller than everything. */
function mixedCondition(terms: readonly OrderTerm[], values: SqlRow, bindings: Bindings): string {
  const parameters = values.map(value => bindings.add(value))
  const alternatives = terms.map((each, i) => {
    const equal = terms.slice(0, i).map(({ sql }, j) => `${sql} IS ${parameters[j]}`)
    return `(${[...equal, after(each, values[i] === null, parameters[i] ?? 'NULL')].join(' AND ')})`
  })
  // The first column is of the key; what holds for all alternatives lets SQLite seek there.
  const [first] = terms
  const start = first === undefined ? '' : `${first.sql} ${first.descending ? '<=' : '>='} ${parameters[0]} AND `
  return `(${start}(${alternatives.join(' OR ')}))`
}

function after({ sql, descending, isNullable }: OrderTerm, isNull: boolean, parameter: string): string {
  // The parameter stays in the text, so that every bound value has a place.
  if (isNull) return descending ? `(${parameter} IS NOT NULL)` : `(${sql} IS NOT ${parameter})`
  if (!descending) return `${sql} > ${parameter}`
  return isNullable ? `(${sql} < ${parameter} OR ${sql} IS NULL)` : `${sql} < ${parameter}`
}

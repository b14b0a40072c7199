/** The query string of a list as one typed query. Whether the API allows what it asks is list-statement.ts. */
import { type Filter, filterOf } from './filter-tree.ts'
import { aggregatesMax, expandMax, fieldsMax, groupColumnsMax, matchCharsMax, orderColumnsMax } from './limits.ts'
import { type Parameter, parseQueryString } from './query-string.ts'
import { refuseExpansion, refuseQuery } from './refuse.ts'

export interface OrderItem {
  readonly name: string
  readonly descending: boolean
}

export const aggregateFunctions = ['count', 'sum', 'avg', 'min', 'max', 'distinct'] as const
export type AggregateFunction = (typeof aggregateFunctions)[number]

export interface Aggregate {
  readonly function: AggregateFunction
  /** null: `count`, which counts records. */
  readonly column: string | null
  /** As the client wrote it; the name in the answer, and what `order` may name. */
  readonly text: string
}

export interface ListQuery {
  readonly filter: Filter | null
  /** Empty: the order is the server's. */
  readonly order: readonly OrderItem[]
  /** null: the default. */
  readonly limit: bigint | null
  readonly offset: bigint
  readonly cursor: string | null
  readonly skipCursor: boolean
  /** Count all records that match. */
  readonly count: boolean
  readonly expand: readonly string[]
  /** null: all visible columns. */
  readonly fields: readonly string[] | null
  /** Empty without `group` too: records are listed, not groups. */
  readonly aggregates: readonly Aggregate[]
  readonly group: readonly string[]
  readonly match: string | null
  /** Geometry column of a FeatureCollection. */
  readonly geojson: string | null
}

/** Parses `raw` (trailbase-api.md §5.3, §6.1). Unknown parameters are ignored. Refuses `invalid_query`. */
export function parseListQuery(raw: string): ListQuery {
  const parameters = parseQueryString(raw)
  const text = (name: string) => single(parameters, name)
  const query: ListQuery = {
    filter: filterOf(parameters.filter(({ name }) => name === 'filter')),
    // TrailBase's client sends an empty text for an empty list of columns.
    order: names(text('order') || null, 'order', orderColumnsMax).map(orderItem),
    limit: natural(text('limit'), 'limit'),
    offset: natural(text('offset'), 'offset') ?? 0n,
    cursor: text('cursor'),
    skipCursor: flag(text('skip_cursor'), 'skip_cursor'),
    count: flag(text('count'), 'count'),
    expand: parseExpand(text('expand')),
    fields: parseFields(text('fields')),
    aggregates: names(text('aggregate'), 'aggregate', aggregatesMax).map(aggregate),
    group: unique(names(text('group'), 'group', groupColumnsMax), 'group'),
    match: match(text('match')),
    geojson: text('geojson'),
  }
  assertAggregate(query)
  return query
}

/** The parts of a list query that a read takes too. */
export interface ReadQuery {
  readonly expand: readonly string[]
  readonly fields: readonly string[] | null
}

/** Parses the query string of a read: `expand` and `fields`. Refuses `invalid_query`. */
export function parseReadQuery(raw: string): ReadQuery {
  if (raw === '') return { expand: [], fields: null }
  const parameters = parseQueryString(raw)
  return { expand: parseExpand(single(parameters, 'expand')), fields: parseFields(single(parameters, 'fields')) }
}

function single(parameters: readonly Parameter[], name: string): string | null {
  const found = parameters.filter(parameter => parameter.name === name)
  const [first] = found
  if (first === undefined) return null
  if (found.length > 1 || first.path.length > 0) return refuseQuery(`${name} is given once, as one text`)
  return first.value
}

function names(text: string | null, parameter: string, max: number): readonly string[] {
  if (text === null) return []
  const items = text.split(',').map(item => item.trim())
  if (items.includes('')) return refuseQuery(`${parameter} has an empty name`)
  if (items.length > max) return refuseQuery(`${parameter} names more than ${max}`)
  return items
}

function unique(items: readonly string[], parameter: string): readonly string[] {
  return new Set(items).size === items.length ? items : refuseQuery(`${parameter} names something twice`)
}

function orderItem(text: string): OrderItem {
  const name = text.replace(/^[-+]/, '')
  return name === '' ? refuseQuery('order has an empty name') : { name, descending: text.startsWith('-') }
}

function natural(text: string | null, parameter: string): bigint | null {
  if (text === null) return null
  return /^\d{1,18}$/.test(text) ? BigInt(text) : refuseQuery(`${parameter} is a whole number`)
}

const truth: ReadonlyMap<string, boolean> = new Map([
  ['true', true], ['TRUE', true], ['1', true], ['false', false], ['FALSE', false], ['0', false],
])

function flag(text: string | null, parameter: string): boolean {
  return text === null ? false : (truth.get(text) ?? refuseQuery(`${parameter} is true or false`))
}

function parseExpand(text: string | null): readonly string[] {
  if (text === null) return []
  const items = text.split(',').map(item => item.trim())
  if (items.includes('') || items.length > expandMax) return refuseExpansion(`expand names one to ${expandMax} columns`)
  return [...new Set(items)]
}

function parseFields(text: string | null): readonly string[] | null {
  return text === null ? null : unique(names(text, 'fields', fieldsMax), 'fields')
}

function aggregate(text: string): Aggregate {
  if (text === 'count') return { function: 'count', column: null, text }
  const [, name, column] = /^([a-z]+)\((.+)\)$/.exec(text) ?? []
  const found = aggregateFunctions.find(each => each === name && each !== 'count')
  if (found === undefined || column === undefined) return refuseQuery(`an aggregate is count or one of ${aggregateFunctions.slice(1).join(', ')} with a column in parentheses`)
  return { function: found, column, text }
}

function match(text: string | null): string | null {
  if (text !== null && text.length > matchCharsMax) return refuseQuery(`match has more than ${matchCharsMax} characters`)
  return text
}

function assertAggregate(query: ListQuery): void {
  if (query.aggregates.length === 0) {
    if (query.group.length > 0) refuseQuery('group goes with aggregate')
    return
  }
  unique(query.aggregates.map(({ text }) => text), 'aggregate')
  const others = query.cursor !== null || query.expand.length > 0 || query.fields !== null || query.geojson !== null
  if (others) refuseQuery('aggregate goes without cursor, expand, fields and geojson')
}

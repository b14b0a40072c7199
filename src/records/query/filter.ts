/** A filter tree as a SQL condition over one relation: columns checked, values typed and bound. The same for lists, events and admin tables. */
import type { SqlValue } from '../../lib/sql-value.ts'
import type { Column } from '../catalog/relation.ts'
import { assertPattern } from '../functions/regular-expression.ts'
import { encodeWkb } from '../geometry/wkb.ts'
import { parseWkt } from '../geometry/wkt.ts'
import type { Bindings } from './bindings.ts'
import type { Filter, Operator } from './filter-tree.ts'
import { filterValues } from './filter-value.ts'
import { inValuesMax, patternCharsMax, patternSizeMax } from './limits.ts'
import { patternSize } from './pattern-size.ts'
import { refuseFilter } from './refuse.ts'

export interface FilterColumns {
  /** What a client may name: the visible columns. */
  readonly columns: ReadonlyMap<string, Column>
  /** SQL of a column's value. */
  readonly sqlOf: (column: Column) => string
}

type Test = Extract<Filter, { kind: 'test' }>

/** `filter` as a condition that may stand behind AND. Refuses `invalid_query` for what the columns do not allow. */
export function filterCondition(filter: Filter, source: FilterColumns, bindings: Bindings): string {
  if (filter.kind === 'test') return testCondition(filter, source, bindings)
  const parts = filter.parts.map(part => filterCondition(part, source, bindings))
  return `(${parts.join(filter.kind === 'all' ? ' AND ' : ' OR ')})`
}

function testCondition(test: Test, source: FilterColumns, bindings: Bindings): string {
  const column = source.columns.get(test.column)
  // A hidden or excluded column is refused in the words of one that does not exist.
  if (column === undefined) return refuseFilter(`there is no column "${test.column}"`)
  return operations[test.operator]({ test, column, sql: source.sqlOf(column), bindings })
}

interface Operand {
  readonly test: Test
  readonly column: Column
  readonly sql: string
  readonly bindings: Bindings
}

const operations: Readonly<Record<Operator, (operand: Operand) => string>> = {
  $eq: operand => membership(operand, values(operand, operand.test.value), ['=', 'IN']),
  $ne: operand => membership(operand, values(operand, operand.test.value), ['<>', 'NOT IN']),
  $gt: operand => comparison(operand, '>'),
  $gte: operand => comparison(operand, '>='),
  $lt: operand => comparison(operand, '<'),
  $lte: operand => comparison(operand, '<='),
  $is: nullness,
  $like: like,
  $re: pattern,
  $in: operand => membership(operand, listed(operand), ['=', 'IN']),
  $nin: operand => membership(operand, listed(operand), ['<>', 'NOT IN']),
  '@within': operand => spatial(operand, 'ST_Within'),
  '@intersects': operand => spatial(operand, 'ST_Intersects'),
  '@contains': operand => spatial(operand, 'ST_Contains'),
}

function membership({ sql, bindings }: Operand, found: readonly SqlValue[], [single, several]: readonly [string, string]): string {
  const [first] = found
  if (found.length === 1 && first !== undefined) return `${sql} ${single} ${bindings.add(first)}`
  return `${sql} ${several} (${found.map(value => bindings.add(value)).join(', ')})`
}

function comparison(operand: Operand, sign: string): string {
  const [value] = values(operand, operand.test.value)
  return `${operand.sql} ${sign} ${operand.bindings.add(value ?? null)}`
}

function nullness({ test, sql }: Operand): string {
  if (test.value === 'NULL') return `${sql} IS NULL`
  return test.value === '!NULL' ? `${sql} IS NOT NULL` : refuseFilter('$is takes NULL or !NULL')
}

function like(operand: Operand): string {
  return `${operand.sql} LIKE ${operand.bindings.add(patternText(operand))}`
}

/** Through the function `regexp`, for which NULL is a match (trailbase-api.md §6.2). */
function pattern(operand: Operand): string {
  const text = patternText(operand)
  if (patternSize(text) > patternSizeMax) return refuseFilter('the repeats of a pattern make it too large')
  if (!isRegex(text)) return refuseFilter('$re takes a regular expression of RE2')
  return `${operand.sql} REGEXP ${operand.bindings.add(text)}`
}

function patternText({ test, column }: Operand): string {
  const isText = (column.type === 'TEXT' || column.type === 'ANY') && !isFile(column)
  if (!isText) return refuseFilter(`${test.operator} is for columns of text`)
  return test.value.length <= patternCharsMax ? test.value : refuseFilter(`a pattern has more than ${patternCharsMax} characters`)
}

function isRegex(text: string): boolean {
  try {
    assertPattern(text)
    return true
  } catch {
    return false
  }
}

function spatial({ test, column, sql, bindings }: Operand, name: string): string {
  if (column.format.kind !== 'geometry') return refuseFilter(`${test.operator} is for columns of geometry`)
  const geometry = /[;']/.test(test.value) ? null : geometryOfText(test.value)
  return geometry === null ? refuseFilter(`${test.operator} takes WKT`) : `${name}(${sql}, ${bindings.add(geometry)})`
}

function geometryOfText(text: string): Uint8Array | null {
  try {
    return encodeWkb({ shape: parseWkt(text), srid: null })
  } catch {
    return null
  }
}

function listed(operand: Operand): readonly SqlValue[] {
  const texts = operand.test.value.split(',')
  if (texts.length > inValuesMax) return refuseFilter(`${operand.test.operator} has more than ${inValuesMax} values`)
  return texts.flatMap(text => values(operand, text))
}

function values({ test, column }: Operand, text: string): readonly SqlValue[] {
  // The stored text of a file has its internal id, which no answer shows.
  if (isFile(column)) return refuseFilter(`${test.operator} is not for files`)
  const found = filterValues(column, text)
  return found.length > 0 ? found : refuseFilter(`"${column.name}" takes values of type ${column.type}`)
}

/** Whether `filter` calls a function that refuses values which would take it too long. */
export function callsFunctions(filter: Filter | null): boolean {
  if (filter === null) return false
  if (filter.kind !== 'test') return filter.parts.some(callsFunctions)
  return filter.operator === '$re' || filter.operator.startsWith('@')
}

/** Whether the column holds what a client never sees as it is stored. */
export function isFile(column: Column): boolean {
  return column.format.kind === 'file' || column.format.kind === 'files'
}

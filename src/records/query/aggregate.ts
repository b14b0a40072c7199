/** Aggregates over groups of the rows that a list is about: which a client may ask for, and their SQL. */
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import { type FieldSpec, renderingOf } from '../row-json.ts'
import { isFile } from './filter.ts'
import type { Aggregate, ListQuery, OrderItem } from './parse.ts'
import { refuseQuery } from './refuse.ts'
import { columnSql } from './scan.ts'
import { named } from './selection.ts'
import { visibleColumns } from './visible-columns.ts'

export interface GroupShape {
  /** Text between SELECT and FROM. */
  readonly select: string
  /** `GROUP BY …`, or empty for one group of all rows. */
  readonly groupBy: string
  /** `ORDER BY …`, or empty. */
  readonly orderBy: string
  readonly fields: readonly FieldSpec[]
}

/** One member of a group's answer: its expressions, all of which order it. */
interface Member {
  readonly name: string
  readonly expressions: readonly string[]
  readonly rendering: FieldSpec['rendering']
}

/** Refuses `invalid_query`: columns must be visible, of a type the function takes; `order` names groups and aggregates of the same query. */
export function groupShape(api: RecordApi, query: ListQuery): GroupShape {
  const visible = visibleColumns(api)
  const groups = query.group.map(name => groupMember(visible, name))
  const members = [...groups, ...query.aggregates.map(aggregate => aggregateMember(visible, aggregate))]
  const columns = groups.flatMap(({ expressions }) => expressions)
  return {
    select: named(members.flatMap(({ expressions }) => expressions)),
    groupBy: columns.length === 0 ? '' : ` GROUP BY ${columns.join(', ')}`,
    orderBy: orderBy(members, columns, query.order),
    fields: fieldsOf(members),
  }
}

function groupMember(visible: ReadonlyMap<string, Column>, name: string): Member {
  const column = comparable(visible, name, 'group')
  return { name, expressions: [columnSql(column)], rendering: renderingOf(column) }
}

function aggregateMember(visible: ReadonlyMap<string, Column>, { function: name, column: columnName, text }: Aggregate): Member {
  if (columnName === null) return { name: text, expressions: ['count(*)'], rendering: 'plain' }
  const column = comparable(visible, columnName, 'aggregate')
  const sql = columnSql(column)
  const isNumber = column.type === 'INTEGER' || column.type === 'REAL'
  switch (name) {
    case 'count':
    case 'distinct':
      return { name: text, expressions: [`count(DISTINCT ${sql})`], rendering: 'plain' }
    case 'min':
    case 'max':
      return { name: text, expressions: [`${name}(${sql})`], rendering: renderingOf(column) }
    case 'sum':
    case 'avg':
      if (!isNumber) return refuseQuery(`${name} is for columns of numbers`)
      return { name: text, ...(name === 'sum' && column.type === 'INTEGER' ? exactSum(sql) : { expressions: [`${name}(${sql})`], rendering: 'plain' }) }
  }
}

/** Upper and lower 32 bits by themselves: SQLite's sum ends in an error where 64 bits do not suffice. */
function exactSum(sql: string): Pick<Member, 'expressions' | 'rendering'> {
  const lower = `sum(${sql} & 4294967295)`
  return { expressions: [`sum(${sql} >> 32) + (${lower} >> 32)`, `${lower} & 4294967295`], rendering: 'sum' }
}

function comparable(visible: ReadonlyMap<string, Column>, name: string, parameter: string): Column {
  const column = visible.get(name)
  if (column === undefined) return refuseQuery(`there is no column "${name}" for ${parameter}`)
  const isOpaque = isFile(column) || column.format.kind === 'geometry'
  return isOpaque ? refuseQuery(`"${name}" holds files or geometries, which are not compared`) : column
}

/** Groups in the order asked for, then by their columns, so that equal ones have one order. */
function orderBy(members: readonly Member[], columns: readonly string[], items: readonly OrderItem[]): string {
  const asked = items.flatMap(({ name, descending }) => {
    const member = members.find(each => each.name === name)
    if (member === undefined) return refuseQuery(`"${name}" is neither a group nor an aggregate of this query`)
    return member.expressions.map(sql => (descending ? `${sql} DESC` : sql))
  })
  const terms = [...asked, ...columns]
  return terms.length === 0 ? '' : ` ORDER BY ${terms.join(', ')}`
}

function fieldsOf(members: readonly Member[]): readonly FieldSpec[] {
  let index = 0
  return members.map(({ name, expressions, rendering }) => {
    const field: FieldSpec = { name, index, rendering, expand: null }
    index += expressions.length
    return field
  })
}

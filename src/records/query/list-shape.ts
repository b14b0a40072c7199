/** The part of a list's statements that does not depend on values: columns, order, expansions and the rule. Kept per API and shape of query. */
import { fail } from '../../lib/errors.ts'
import type { Column } from '../catalog/relation.ts'
import type { RecordApi } from '../record-api.ts'
import { groupShape } from './aggregate.ts'
import { type Arm, Expansion, pageName } from './expansion.ts'
import type { FeatureForm, ListSpec } from './list-body.ts'
import { type ListOrder, listOrder, rankName } from './order.ts'
import type { ListQuery } from './parse.ts'
import { refuseQuery } from './refuse.ts'
import { RowRules } from './row-rule.ts'
import { scanBase } from './scan.ts'
import { Selection } from './selection.ts'
import { rankColumn, visibleColumns } from './visible-columns.ts'

export interface ListShape {
  /** Text between SELECT and FROM. */
  readonly select: string
  /** Columns of `select`. */
  readonly width: number
  /** `FROM … WHERE …` up to what the query adds. */
  readonly base: string
  /** `GROUP BY …` or empty. */
  readonly groupBy: string
  /** `ORDER BY …` or empty. */
  readonly orderBy: string
  readonly keyset: ListOrder['keyset']
  readonly arms: readonly Arm[]
  /** `base` alone, and the whole with its arms, have the caller's id as ?1. */
  readonly baseUsesUser: boolean
  readonly usesUser: boolean
  readonly spec: Omit<ListSpec, 'parts'>
}

/** Shapes kept per API; clients choose them, so there is an end. */
const shapesMax = 256
const shapesByApi = new WeakMap<RecordApi, Map<string, ListShape>>()

/** Refuses `invalid_query` for names that the API does not show. */
export function listShape(api: RecordApi, query: ListQuery, isAdmin: boolean): ListShape {
  const shapes = shapesByApi.get(api) ?? new Map<string, ListShape>()
  shapesByApi.set(api, shapes)
  const { fields, order, expand, geojson, skipCursor, aggregates, group } = query
  const name = JSON.stringify([isAdmin, query.match !== null, fields, order, expand, geojson, skipCursor, aggregates, group])
  const known = shapes.get(name)
  if (known !== undefined) return known
  const shape = aggregates.length > 0 ? groupedShape(api, query, isAdmin) : pageShape(api, query, isAdmin)
  if (shapes.size >= shapesMax) shapes.clear()
  shapes.set(name, shape)
  return shape
}

function groupedShape(api: RecordApi, query: ListQuery, isAdmin: boolean): ListShape {
  const rules = new RowRules(isAdmin)
  const base = scanBase(api, rules.ofApi(api))
  const { fields, ...texts } = groupShape(api, query)
  const spec: ListShape['spec'] = { form: { kind: 'groups' }, fields, arms: [], cursor: null }
  return { ...texts, width: fields.length, base, keyset: null, arms: [], baseUsesUser: rules.usesUser, usesUser: rules.usesUser, spec }
}

function pageShape(api: RecordApi, query: ListQuery, isAdmin: boolean): ListShape {
  const rules = new RowRules(isAdmin)
  const base = scanBase(api, rules.ofApi(api))
  const baseUsesUser = rules.usesUser
  const order = listOrder(api, visibleColumns(api), query.order, query.match !== null)
  const selection = new Selection(query.expand.length > 0 ? 1 : 0)
  const expansion = new Expansion(target => rules.ofTarget(target))
  const form = query.geojson === null ? ({ kind: 'records' } as const) : featureForm(api, query.geojson, selection)
  const fields = expansion.fields(shownColumns(api, query), api.expand, query.expand, selection, pageName)
  const hasCursor = order.keyset !== null && !query.skipCursor
  const cursor = hasCursor ? { binding: order.keyset.binding, indexes: order.keyset.terms.map(({ column }) => selection.add(column)) } : null
  return {
    select: selection.sql('_ROW_'),
    width: selection.width,
    base,
    groupBy: '',
    orderBy: ` ORDER BY ${order.sql}`,
    keyset: order.keyset,
    arms: expansion.arms,
    baseUsesUser,
    usesUser: rules.usesUser,
    spec: { form, fields, arms: expansion.arms.map(arm => arm.spec), cursor },
  }
}

/** The columns of each record: the selected ones in the client's order, and those it wants expanded. */
function shownColumns(api: RecordApi, query: ListQuery): readonly Column[] {
  const selected = selectedColumns(api, query.fields, query.match !== null)
  const expanded = expandedColumns(api, query.expand).filter(column => !selected.includes(column))
  const all = [...selected, ...expanded]
  // A feature has its key and its geometry beside its properties.
  return query.geojson === null ? all : all.filter(column => column.name !== query.geojson && !api.key.some(key => key.name === column.name))
}

/** Refuses `invalid_query` for a column that the API does not show. */
export function selectedColumns(api: RecordApi, fields: readonly string[] | null, isMatch: boolean): readonly Column[] {
  if (fields === null) return api.visible
  const visible = visibleColumns(api)
  return fields.map(name => {
    const column = visible.get(name) ?? (isMatch && name === rankName ? rankColumn : undefined)
    return column ?? refuseQuery(`there is no column "${name}" to select`)
  })
}

/** The foreign keys that `expand` names, which answers then have whether or not they are selected. */
export function expandedColumns(api: RecordApi, expand: readonly string[]): readonly Column[] {
  const names = new Set(expand.flatMap(text => [text, text.split('.')[0] ?? text]))
  return api.visible.filter(column => names.has(column.name) && api.expand.get(column.name)?.kind === 'parent')
}

function featureForm(api: RecordApi, name: string, selection: Selection): FeatureForm {
  const column = visibleColumns(api).get(name)
  const isShown = api.key.every(key => !key.isHidden)
  if (column?.format.kind !== 'geometry' || !isShown) return fail('invalid_query', { detail: 'Invalid geometry column' })
  return { kind: 'features', idIndexes: api.key.map(key => selection.add(key)), geometryIndex: selection.add(column) }
}

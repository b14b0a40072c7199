/** The `filter[…]` parameters as one condition tree (trailbase-api.md §6.1). Nothing here knows an API; columns and types are filter.ts. */
import { conditionsMax, groupDepthMax } from './limits.ts'
import type { Parameter } from './query-string.ts'
import { refuseQuery } from './refuse.ts'

export const operators = [
  '$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$is', '$like', '$re', '$in', '$nin', '@within', '@intersects', '@contains',
] as const
export type Operator = (typeof operators)[number]

export type Filter =
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Filter[] }
  | { readonly kind: 'test'; readonly column: string; readonly operator: Operator; readonly value: string }

/** A column as the grammar spells it. */
const columnText = /^[\p{L}\p{N}._\- ]{1,128}$/u
const operatorSet: ReadonlySet<string> = new Set(operators)

/** What stands behind one bracket: deeper brackets, values, or both when the client mixed them. */
interface Node {
  readonly below: Map<string, Node>
  readonly values: string[]
}

/** The filter of `parameters` (those named `filter`), or null without one. Refuses `invalid_query`. */
export function filterOf(parameters: readonly Parameter[]): Filter | null {
  if (parameters.length > conditionsMax) return refuseQuery(`a filter has more than ${conditionsMax} conditions`)
  const root: Node = { below: new Map(), values: [] }
  for (const { path, value } of parameters) insert(root, path, value)
  if (root.values.length > 0) return refuseQuery('filter needs a column in brackets')
  return root.below.size === 0 ? null : level(root, 0)
}

function insert(root: Node, path: readonly string[], value: string): void {
  let node = root
  for (const part of path) {
    const next = node.below.get(part) ?? { below: new Map(), values: [] }
    node.below.set(part, next)
    node = next
  }
  node.values.push(value)
}

/** One level: columns and groups side by side, all of which must hold. */
function level(node: Node, depth: number): Filter {
  const parts = [...node.below].flatMap(([key, next]) => (key === '$and' || key === '$or' ? [group(key, next, depth + 1)] : column(key, next)))
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : { kind: 'all', parts }
}

function group(key: '$and' | '$or', node: Node, depth: number): Filter {
  if (depth > groupDepthMax) return refuseQuery(`a filter has more than ${groupDepthMax} levels of $and and $or`)
  if (node.values.length > 0) return refuseQuery(`${key} takes numbered conditions`)
  const parts = Array.from({ length: node.below.size }, (_, i) => {
    const next = node.below.get(String(i))
    if (next === undefined) return refuseQuery(`the conditions of ${key} are numbered from 0 without gaps`)
    if (next.values.length > 0 || next.below.size === 0) return refuseQuery(`${key} takes conditions, not values`)
    return level(next, depth)
  })
  return { kind: key === '$and' ? 'all' : 'any', parts }
}

function column(name: string, node: Node): readonly Filter[] {
  if (!columnText.test(name)) return refuseQuery('a filter names no column')
  const tests: Filter[] = node.values.map(value => ({ kind: 'test', column: name, operator: '$eq', value }))
  for (const [key, next] of node.below) {
    if (!isOperator(key)) return refuseQuery('a filter has an unknown operator')
    if (next.below.size > 0) return refuseQuery(`nothing may follow ${key}`)
    tests.push(...next.values.map((value): Filter => ({ kind: 'test', column: name, operator: key, value })))
  }
  return tests
}

function isOperator(text: string): text is Operator {
  return operatorSet.has(text)
}

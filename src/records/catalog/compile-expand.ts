/** The `expand` list of an API to what its records can bring along. Grammar: `column`, `name:table.fk_column`, `first.column`, each with `@api` behind it. */
import { hint, nearest } from '../../lib/suggest.ts'
import type { ExpandTarget, RecordApi } from '../record-api.ts'
import { composable } from '../rules.ts'
import type { Column, Relation } from './relation.ts'
import { sameName } from './sql-tokens.ts'

export interface ExpandContext {
  /** By `database.name`. */
  readonly relations: ReadonlyMap<string, Relation>
  /** Those that compiled so far as they could be. */
  readonly apis: ReadonlyMap<string, RecordApi>
  /** Names of all, for hints. */
  readonly configured: readonly string[]
}

type Problem = (text: string) => void

/** An entry taken apart. */
type Entry =
  | { readonly kind: 'parent'; readonly column: string; readonly guard: string | null }
  | { readonly kind: 'children'; readonly name: string; readonly table: string; readonly column: string; readonly guard: string | null }
  | { readonly kind: 'second'; readonly first: string; readonly column: string; readonly guard: string | null }

interface Found {
  readonly relation: Relation
  readonly column: Column
  readonly via: Column
}

/** The targets of `expand` by the name that clients use. What is wrong goes to `problem`, and is left out. */
export function expandTargets(expand: readonly string[], api: RecordApi, context: ExpandContext, problem: Problem): ReadonlyMap<string, ExpandTarget> {
  const targets = new Map<string, ExpandTarget>()
  const entries = expand.map(text => ({ text, entry: parseEntry(text, api) }))
  for (const { text, entry } of entries) {
    if (entry.kind === 'second') continue
    const say = (reason: string) => problem(`expand: "${text}": ${reason}`)
    const target = entry.kind === 'parent' ? parentTarget(entry, api.relation, api.columns, context, say) : childrenTarget(entry, api, context, say)
    if (target === null) continue
    if (targets.has(target.name)) say('it is listed twice')
    else targets.set(target.name, target)
  }
  for (const { text, entry } of entries) if (entry.kind === 'second') addSecondHop(entry, targets, context, reason => problem(`expand: "${text}": ${reason}`))
  return targets
}

/** A column's own name comes first, whatever signs it holds. */
function parseEntry(text: string, api: RecordApi): Entry {
  if (api.columns.some(column => column.name === text)) return { kind: 'parent', column: text, guard: null }
  const at = text.lastIndexOf('@')
  const guard = at < 0 ? null : text.slice(at + 1)
  const path = at < 0 ? text : text.slice(0, at)
  const children = /^([^:.]+):(.+)\.([^.]+)$/.exec(path)
  if (children !== null) return { kind: 'children', name: children[1] ?? '', table: children[2] ?? '', column: children[3] ?? '', guard }
  const dot = path.indexOf('.')
  if (dot > 0 && !api.columns.some(column => column.name === path)) return { kind: 'second', first: path.slice(0, dot), column: path.slice(dot + 1), guard }
  return { kind: 'parent', column: path, guard }
}

/** The row that a foreign key among `columns` of `relation` points to. */
function parentTarget(entry: { readonly column: string; readonly guard: string | null }, relation: Relation, columns: readonly Column[], context: ExpandContext, problem: Problem): ExpandTarget | null {
  const found = parentOf(entry.column, relation, columns, context, problem)
  if (found === null) return null
  if (entry.guard === null && found.relation.name.startsWith('_')) {
    problem(`"${found.relation.name}" is a table of the server; name the API that guards it: "${entry.column}@api"`)
    return null
  }
  const guard = entry.guard === null ? unguarded(found.relation) : guardOf(entry.guard, found.relation, context, problem)
  return guard === null ? null : { name: found.column.name, kind: 'parent', ...found, ...guard, next: new Map() }
}

function parentOf(name: string, relation: Relation, columns: readonly Column[], context: ExpandContext, problem: Problem): Found | null {
  const column = columns.find(candidate => candidate.name === name)
  if (column === undefined) {
    problem(`"${relation.name}" shows no column "${name}"${hint(nearest(name, columns.map(candidate => candidate.name)))}`)
    return null
  }
  if (column.isHidden) {
    problem('the column is hidden, because its name begins with "_"')
    return null
  }
  const other = column.reference === null ? undefined : relationNamed(relation.database, column.reference.table, context)
  if (column.reference === null || other === undefined) {
    problem(column.reference === null ? 'the column has no foreign key' : `its foreign key points to the table "${column.reference.table}", which does not exist`)
    return null
  }
  const [via] = other.key
  if (via === undefined || other.key.length !== 1 || !sameName(via.name, column.reference.column)) {
    problem(`its foreign key has to point to the primary key of "${other.name}", which has to be one column`)
    return null
  }
  return { relation: other, column, via }
}

function childrenTarget(entry: Entry & { readonly kind: 'children' }, api: RecordApi, context: ExpandContext, problem: Problem): ExpandTarget | null {
  const found = childrenOf(entry, api, context, problem)
  if (found === null) return null
  if (!/^[A-Za-z0-9_]+$/.test(entry.name) || entry.name.startsWith('_')) {
    problem(`"${entry.name}" is no name for the records: letters, digits and "_", which cannot come first`)
    return null
  }
  if (api.relation.columns.some(column => sameName(column.name, entry.name))) {
    problem(`"${entry.name}" is a column of this API already; choose another name`)
    return null
  }
  if (entry.guard === null) {
    problem(`records that point here need the API that guards them: "${entry.name}:${entry.table}.${entry.column}@api"`)
    return null
  }
  const guard = guardOf(entry.guard, found.relation, context, problem)
  return guard === null ? null : { name: entry.name, kind: 'children', ...found, ...guard, next: new Map() }
}

function childrenOf(entry: Entry & { readonly kind: 'children' }, api: RecordApi, context: ExpandContext, problem: Problem): Found | null {
  const relation = relationNamed(api.relation.database, entry.table, context)
  if (relation === undefined) {
    const names = [...context.relations.values()].filter(other => other.database === api.relation.database).map(other => other.name)
    problem(`there is no table "${entry.table}" in the database "${api.relation.database}"${hint(nearest(entry.table, names))}`)
    return null
  }
  const via = relation.columns.find(column => column.name === entry.column)
  const { reference } = via ?? { reference: null }
  const column = reference !== null && sameName(reference.table, api.relation.name) ? api.columns.find(candidate => sameName(candidate.name, reference.column)) : undefined
  if (via === undefined || column === undefined) {
    const why = via === undefined ? `"${relation.name}" has no column "${entry.column}"` : `"${relation.name}.${entry.column}" is no foreign key to "${api.relation.name}"`
    problem(`${why}${hint(nearest(entry.column, relation.columns.filter(candidate => candidate.reference?.table === api.relation.name).map(candidate => candidate.name)))}`)
    return null
  }
  return { relation, column, via }
}

function addSecondHop(entry: Entry & { readonly kind: 'second' }, targets: Map<string, ExpandTarget>, context: ExpandContext, problem: Problem): void {
  const first = targets.get(entry.first)
  if (first === undefined) {
    problem(`"${entry.first}" has to be in the list itself, before something behind it can be${hint(nearest(entry.first, targets.keys()))}`)
    return
  }
  if (entry.guard === null) {
    problem(`the second step needs the API that guards it: "${entry.first}.${entry.column}@api"`)
    return
  }
  const target = parentTarget(entry, first.relation, first.visible, context, problem)
  if (target !== null) targets.set(entry.first, { ...first, next: new Map([...first.next, [target.name, target]]) })
}

function relationNamed(database: string, name: string, context: ExpandContext): Relation | undefined {
  return context.relations.get(`${database}.${name}`) ?? [...context.relations.values()].find(other => other.database === database && sameName(other.name, name))
}

/** As TrailBase: every column that is not hidden. */
function unguarded(relation: Relation): Pick<ExpandTarget, 'visible' | 'readRule'> {
  return { visible: relation.columns.filter(column => !column.isHidden && column.isSecret !== true), readRule: null }
}

/** What `name` shows, to whom it shows it. Its ACL becomes a part of the rule: without a right to read there is nothing to see. */
function guardOf(name: string, relation: Relation, context: ExpandContext, problem: Problem): Pick<ExpandTarget, 'visible' | 'readRule'> | null {
  const api = context.apis.get(name)
  if (api === undefined) {
    const isBroken = context.configured.includes(name)
    problem(isBroken ? `the API "${name}" has problems of its own` : `there is no API "${name}"${hint(nearest(name, context.configured))}`)
    return null
  }
  if (api.relation !== relation) {
    problem(`the API "${name}" serves "${api.relation.name}", not "${relation.name}"`)
    return null
  }
  const isForUsers = api.acl.authenticated.has('read')
  if (!api.acl.world.has('read') && !isForUsers) {
    problem(`the API "${name}" lets nobody read; give it READ in acl_authenticated or acl_world`)
    return null
  }
  const parts = [...(api.acl.world.has('read') ? [] : ['_USER_.id IS NOT NULL']), ...(api.rules.read === null ? [] : [composable(api.rules.read)])]
  return { visible: api.visible, readRule: parts.length === 0 ? null : parts.join(' AND ') }
}

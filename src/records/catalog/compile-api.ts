/** One entry of record_apis to a RecordApi, and all that is wrong with it. What it may expand is compile-expand.ts, its rules are check-rule.ts. */
import { hint, nearest } from '../../lib/suggest.ts'
import type { RecordAction, RecordApi, RuleFacts } from '../record-api.ts'
import type { CatalogConfig, RecordApiConfig } from './api-config.ts'
import { checkRule } from './check-rule.ts'
import type { Column, Relation } from './relation.ts'
import type { ReadRows } from './schema-rows.ts'
import { sameName } from './sql-tokens.ts'

export interface CompileContext {
  readonly config: CatalogConfig
  /** By `database.name`. */
  readonly relations: ReadonlyMap<string, Relation>
  readonly read: ReadRows
}

export type Problem = (text: string) => void

export const ruleFields = {
  create: 'create_access_rule',
  read: 'read_access_rule',
  update: 'update_access_rule',
  delete: 'delete_access_rule',
  schema: 'schema_access_rule',
} as const satisfies Record<RecordAction, string>

const actions: readonly RecordAction[] = ['create', 'read', 'update', 'delete', 'schema']

/** The API without what it may expand; null when it has no relation to work with. */
export function compileApi(entry: RecordApiConfig, context: CompileContext, problem: Problem): RecordApi | null {
  checkName(entry.name, problem)
  const attached = attachedDatabases(entry, context, problem)
  const relation = relationOf(entry, context, problem)
  if (relation === null) return null
  for (const reason of relation.problems ?? []) problem(`table_name: "${entry.tableName}": ${reason}`)
  const columns = apiColumns(entry, relation, problem)
  if (entry.enableSubscriptions && relation.kind !== 'table') problem(`enable_subscriptions: "${entry.tableName}" is no table, and only tables have changes to follow`)
  if (!Number.isSafeInteger(entry.listingHardLimit) || entry.listingHardLimit < 1) problem('listing_hard_limit: must be a whole number from 1')
  const api: RecordApi = {
    name: entry.name,
    relation,
    columns,
    columnsByName: new Map(columns.map(column => [column.name, column])),
    visible: columns.filter(column => !column.isHidden),
    key: relation.key,
    acl: { world: new Set(entry.aclWorld), authenticated: new Set(entry.aclAuthenticated) },
    rules: { create: entry.createAccessRule, read: entry.readAccessRule, update: entry.updateAccessRule, delete: entry.deleteAccessRule, schema: entry.schemaAccessRule },
    facts: { create: null, read: null, update: null, delete: null, schema: null },
    conflict: entry.conflictResolution ?? 'abort',
    autofill: entry.autofillMissingUserIdColumns ? columns.filter(isUserReference) : [],
    enableSubscriptions: entry.enableSubscriptions,
    expand: new Map(),
    listLimitMax: entry.listingHardLimit,
    attached,
  }
  // Without a key no statement can be made of a rule, and the reason is told already.
  return relation.key.length === 0 ? api : { ...api, facts: ruleFacts(api, context, problem) }
}

function checkName(name: string, problem: Problem): void {
  if (!/^[A-Za-z0-9_]+$/.test(name)) problem('name: only letters A to Z, digits and "_" can stand in the name of an API')
}

function attachedDatabases(entry: RecordApiConfig, context: CompileContext, problem: Problem): readonly string[] {
  const known = context.config.databases
  for (const name of entry.attachedDatabases) {
    if (name !== 'main' && !known.includes(name)) problem(`attached_databases: "${name}" is not in databases${hint(nearest(name, known))}`)
  }
  return [...new Set(entry.attachedDatabases)].filter(name => name !== 'main')
}

/** The relation that `table_name` names: a name in main that has dots itself comes first. */
function relationOf(entry: RecordApiConfig, context: CompileContext, problem: Problem): Relation | null {
  const { tableName } = entry
  const dot = tableName.indexOf('.')
  const found = context.relations.get(`main.${tableName}`) ?? (dot > 0 ? context.relations.get(tableName) : undefined)
  if (found !== undefined) return found
  const database = dot > 0 ? tableName.slice(0, dot) : 'main'
  if (database !== 'main' && !context.config.databases.includes(database)) {
    problem(`table_name: the database "${database}" of "${tableName}" is not in databases${hint(nearest(database, context.config.databases))}`)
    return null
  }
  const names = [...context.relations.values()].map(relation => (relation.database === 'main' ? relation.name : `${relation.database}.${relation.name}`))
  problem(`table_name: there is no table or view "${tableName}" that can be an API${hint(nearest(tableName, names))}`)
  return null
}

/** The columns without the excluded ones. */
function apiColumns(entry: RecordApiConfig, relation: Relation, problem: Problem): readonly Column[] {
  const names = relation.columns.map(column => column.name)
  for (const name of entry.excludedColumns) {
    const column = relation.columns.find(candidate => candidate.name === name)
    if (column === undefined) problem(`excluded_columns: "${entry.tableName}" has no column "${name}"${hint(nearest(name, names))}`)
    else if (relation.key.includes(column)) problem(`excluded_columns: "${name}" belongs to the key, by which records are found`)
    else if (isNeeded(relation, column)) problem(`excluded_columns: "${name}" is NOT NULL without a default, so nobody could create a record; give it a DEFAULT`)
  }
  const columns = relation.columns.filter(column => !entry.excludedColumns.includes(column.name))
  for (const column of columns.filter(candidate => candidate.isSecret)) {
    problem(`excluded_columns: "${column.name}" holds a secret of the accounts (\`_user\`) and must be excluded`)
  }
  return columns
}

function isNeeded(relation: Relation, column: Column): boolean {
  return relation.kind === 'table' && !column.isNullable && column.defaultSql === null && !column.isGenerated
}

function isUserReference(column: Column): boolean {
  const { reference } = column
  return reference !== null && reference.isExplicit && sameName(reference.table, '_user') && sameName(reference.column, 'id')
}

function ruleFacts(api: RecordApi, context: CompileContext, problem: Problem): RecordApi['facts'] {
  const facts: Record<RecordAction, RuleFacts | null> = { create: null, read: null, update: null, delete: null, schema: null }
  for (const action of actions) {
    if (api.rules[action] === null) continue
    const checked = checkRule(api, action, context)
    if ('problems' in checked) for (const text of checked.problems) problem(`${ruleFields[action]}: ${text}`)
    else facts[action] = checked
  }
  return facts
}

/** Access rules as SQL: statements that judge one operation, conditions for scanned rows, judgement of an event. Checking rules is catalog/check-rule.ts. */
import { qualified, quoted } from '../storage/identifier.ts'
import type { Column, Relation } from './catalog/relation.ts'
import { tokenize } from './catalog/sql-tokens.ts'
import type { RecordAction, RecordApi } from './record-api.ts'
import { isTruthValue, mentions, ruleText, RuleParams, type RuleParam } from './rules/rule-text.ts'

export type { RuleParam } from './rules/rule-text.ts'

export interface RuleStatement {
  readonly sql: string
  /** What to bind, in the order of the parameters' numbers. */
  readonly params: readonly RuleParam[]
}

/** What the rules need of an API; a whole RecordApi has it. */
export type RuledApi = Pick<RecordApi, 'relation' | 'columns' | 'key' | 'rules'>

/** The alias under which rules see the row that exists. */
export const rowAlias = '_ROW_'

/**
 * The statement that judges `action`: one row with one column, true when it is allowed; no row when the record does not exist. Parameters
 * from ?1. null: there is no rule.
 */
export function ruleStatement(api: RuledApi, action: RecordAction): RuleStatement | null {
  const rule = api.rules[action]
  if (rule === null) return null
  const params = new RuleParams(1)
  const request = action === 'create' || action === 'update' ? api.columns : null
  const text = ruleText(rule, { rowAlias, request }, params)
  const hasRow = action !== 'create' && action !== 'schema'
  const from = [
    ...(hasRow ? [`${qualified(api.relation.database, api.relation.name)} AS ${quoted(rowAlias)}`] : []),
    ...(text.readsRequestRelation ? ['"_REQ_"'] : []),
  ]
  const keys = hasRow ? api.key : []
  const key = keys.map((column, index) => `${quoted(rowAlias)}.${quoted(column.name)} = ${params.textOf({ kind: 'key', index })}`)
  const sql = [
    ...withClause(text.relations),
    `SELECT CAST((${text.sql}) AS INTEGER)`,
    ...(from.length > 0 ? [`FROM ${from.join(', ')}`] : []),
    ...(hasRow ? [`WHERE ${key.join(' AND ')}`] : []),
  ]
  return { sql: sql.join(' '), params: params.list }
}

/**
 * The read rule as a condition on a scanned row that goes by `alias`, parameters from ?`from`; only `user` is among them. null: there is
 * no rule. It keeps indexes usable.
 */
export function rowCondition(api: Pick<RuledApi, 'rules'>, alias: string, from: number): RuleStatement | null {
  return api.rules.read === null ? null : conditionOf(api.rules.read, alias, from)
}

/** The same for a read rule that stands alone (`ExpandTarget.readRule`). */
export function conditionOf(readRule: string, alias: string, from: number): RuleStatement {
  const params = new RuleParams(from)
  const text = ruleText(readRule, { rowAlias: alias, request: null }, params)
  const truth = isTruthValue(text.sql) ? `(${text.sql})` : `CAST((${text.sql}) AS INTEGER)`
  const sql = text.relations.length === 0 ? truth : `EXISTS (${withClause(text.relations).join(' ')} SELECT 1 WHERE ${truth})`
  return { sql, params: params.list }
}

/** Judges the read rule over a row whose values are bound: parameters `row` and `user`. One row with one column, as `ruleStatement`. */
export function eventStatement(api: RuledApi): RuleStatement | null {
  const rule = api.rules.read
  if (rule === null) return null
  const params = new RuleParams(1)
  const text = ruleText(rule, { rowAlias, request: null }, params)
  const tokens = tokenize(rule)
  const columns = api.relation.columns.filter(column => mentions(tokens, '_ROW_', column))
  const from = columns.length > 0 ? [`FROM ${boundRow(columns, params)} AS ${quoted(rowAlias)}`] : []
  const sql = [...withClause(text.relations), `SELECT CAST((${text.sql}) AS INTEGER)`, ...from]
  return { sql: sql.join(' '), params: params.list }
}

/** The rule as a condition over a bound row, for EXPLAIN: in WHERE SQLite refuses aggregates, and what it reads is what the rule reads. */
export function ruleProbe(api: RuledApi, action: RecordAction): string {
  const params = new RuleParams(1)
  const request = action === 'create' || action === 'update' ? api.columns : null
  const text = ruleText(api.rules[action] ?? '1', { rowAlias, request }, params)
  const hasRow = action !== 'create' && action !== 'schema'
  const from = [...(hasRow ? [`${boundRow(api.relation.columns, params)} AS ${quoted(rowAlias)}`] : []), ...(text.readsRequestRelation ? ['"_REQ_"'] : [])]
  return [...withClause(text.relations), 'SELECT 1', ...(from.length > 0 ? [`FROM ${from.join(', ')}`] : []), `WHERE CAST((${text.sql}) AS INTEGER)`].join(' ')
}

/**
 * A relation of one row with the columns of `relation`, whose values are bound to parameters from ?`from`. Types and collations are those
 * of the columns, so that what is true of the stored row is true of this one; exact for STRICT tables.
 */
export function valuesRelation(relation: Pick<Relation, 'columns'>, from: number): RuleStatement {
  const params = new RuleParams(from)
  return { sql: boundRow(relation.columns, params), params: params.list }
}

/** `rule` as a part of another expression: without comments, which could swallow what follows. */
export function composable(rule: string): string {
  return `(${tokenize(rule).map(token => token.text).join(' ')})`
}

function boundRow(columns: readonly Column[], params: RuleParams): string {
  const values = columns.map(column => typedColumn(column, params.textOf({ kind: 'row', column })))
  const row = `SELECT ${values.join(', ')}`
  if (!columns.some(column => column.type === 'ANY')) return `(${row})`
  // A column of ANY is never converted when it is compared, a parameter is. The types of a compound are those of its first part.
  const types = columns.map(column => typedColumn(column.type === 'ANY' ? { ...column, type: 'BLOB' } : column, 'NULL'))
  return `(SELECT ${types.join(', ')} WHERE FALSE UNION ALL ${row})`
}

function typedColumn(column: Column, value: string): string {
  const typed = column.type === 'ANY' ? value : `CAST(${value} AS ${column.type})`
  return `${typed}${column.collation === 'BINARY' ? '' : ` COLLATE ${quoted(column.collation)}`} AS ${quoted(column.name)}`
}

function withClause(relations: readonly string[]): readonly string[] {
  return relations.length === 0 ? [] : [`WITH ${relations.join(', ')}`]
}

/** The step that asks a rule, with the values of the request bound. What the rule's statement is, is rules.ts. */
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { qualified, quoted } from '../../storage/identifier.ts'
import type { RecordApi } from '../record-api.ts'
import { ruleStatement, type RuleParam, type RuleStatement } from '../rules.ts'
import type { PlannedStep } from './outcome.ts'
import { valueOf, type RowValues } from './row-values.ts'

export interface RuleSubject {
  readonly principal: Principal
  /** Key of the existing row; empty where there is none. */
  readonly key: SqlRow
  /** What the request gives; null for delete. */
  readonly request: RowValues | null
}

export type RuledAction = 'create' | 'read' | 'update' | 'delete'

/**
 * None when the API has no rule for `action`, where the ACL alone decides, and for the operator, who passes every rule. `ifThere`: the rule is asked
 * only when there is a record with the key.
 */
export function ruleSteps(api: RecordApi, action: RuledAction, subject: RuleSubject, when: 'always' | 'ifThere' = 'always'): PlannedStep[] {
  const rule = compiled(api, action)
  if (rule === null || subject.principal.kind === 'admin') return []
  const params = rule.params.map(param => bound(param, subject))
  return [{ purpose: 'rule', step: { kind: 'expect', sql: when === 'always' ? rule.sql : ifThere(api, rule), params } }]
}

/** The rule's statement has the key among its parameters. */
function ifThere({ relation, key }: RecordApi, { sql, params }: RuleStatement): string {
  const condition = key.map((column, index) => `${quoted(column.name)} = ?${params.findIndex(param => param.kind === 'key' && param.index === index) + 1}`)
  return `SELECT NOT EXISTS (SELECT 1 FROM ${qualified(relation.database, relation.name)} WHERE ${condition.join(' AND ')}) OR (${sql})`
}

const statements = new WeakMap<RecordApi, Map<string, RuleStatement | null>>()

/** A rule's statement is made once: reading its text takes longer than all else that a write asks of this thread. */
function compiled(api: RecordApi, action: RuledAction): RuleStatement | null {
  let ofApi = statements.get(api)
  if (ofApi === undefined) statements.set(api, (ofApi = new Map()))
  let statement = ofApi.get(action)
  if (statement === undefined) ofApi.set(action, (statement = ruleStatement(api, action)))
  return statement
}

function bound(param: RuleParam, { principal, key, request }: RuleSubject): SqlValue {
  switch (param.kind) {
    case 'user':
      return userIdOf(principal)
    case 'key':
      return key[param.index] ?? null
    case 'request':
      return request === null ? null : (valueOf(request, param.column) ?? null)
    case 'requestFields':
      return JSON.stringify(request?.columns.map(column => column.name) ?? [])
    case 'row':
      return null // existing rows are read by the statement itself
  }
}

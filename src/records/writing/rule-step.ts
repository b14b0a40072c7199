/** The step that asks a rule, with the values of the request bound. What the rule's statement is, is rules.ts. */
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { RecordApi } from '../record-api.ts'
import { ruleStatement, type RuleParam, type RuleStatement } from '../rules.ts'
import type { PlannedStep } from './outcome.ts'
import { valueOf, type RowValues } from './row-values.ts'

export interface RuleSubject {
  readonly principal: Principal
  /** Key of the existing row; empty for create. */
  readonly key: SqlRow
  /** What the request gives; null for delete. */
  readonly request: RowValues | null
}

/** None when the API has no rule for `action`, where the ACL alone decides, and for the operator, who passes every rule. */
export function ruleSteps(api: RecordApi, action: 'create' | 'update' | 'delete', subject: RuleSubject): PlannedStep[] {
  const rule = compiled(api, action)
  if (rule === null || subject.principal.kind === 'admin') return []
  const params = rule.params.map(param => bound(param, subject))
  return [{ purpose: 'rule', step: { kind: 'expect', sql: rule.sql, params } }]
}

const statements = new WeakMap<RecordApi, Map<string, RuleStatement | null>>()

/** A rule's statement is made once: reading its text takes longer than all else that a write asks of this thread. */
function compiled(api: RecordApi, action: 'create' | 'update' | 'delete'): RuleStatement | null {
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

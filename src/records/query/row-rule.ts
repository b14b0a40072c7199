/** Read rules as conditions of one statement: all that use the caller's id use the same parameter. What a rule means is rules.ts. */
import { assert } from '../../lib/assert.ts'
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { SqlValue } from '../../lib/sql-value.ts'
import type { ExpandTarget, RecordApi } from '../record-api.ts'
import { conditionOf, rowAlias, rowCondition, type RuleStatement } from '../rules.ts'

/** Gives the conditions for one statement, with the caller's id as ?`first`. */
export class RowRules {
  #usesUser = false
  readonly #isAdmin: boolean
  readonly #first: number

  constructor(isAdmin: boolean, first = 1) {
    this.#isAdmin = isAdmin
    this.#first = first
  }

  /** For rows of the API's relation under the alias `_ROW_`; null: all may be read. */
  ofApi(api: RecordApi): string | null {
    return this.#isAdmin ? null : this.#condition(rowCondition(api, rowAlias, this.#first))
  }

  /** For rows of an expanded relation under the same alias. The operator passes every rule. */
  ofTarget(target: ExpandTarget): string | null {
    return this.#isAdmin || target.readRule === null ? null : this.#condition(conditionOf(target.readRule, rowAlias, this.#first))
  }

  /** Whether one of the conditions given so far has the caller's id as its parameter. */
  get usesUser(): boolean {
    return this.#usesUser
  }

  #condition(rule: RuleStatement | null): string | null {
    if (rule === null) return null
    assert(rule.params.length <= 1 && rule.params.every(({ kind }) => kind === 'user'), 'a condition on rows has no parameter but the caller')
    this.#usesUser ||= rule.params.length > 0
    return rule.sql
  }
}

/** What to bind for conditions that use the caller's id. */
export function userValues(usesUser: boolean, principal: Principal): readonly SqlValue[] {
  return usesUser ? [userIdOf(principal)] : []
}

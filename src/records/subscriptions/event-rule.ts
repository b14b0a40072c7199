/** The read rule of an API over the values of one row and a user, judged by SQLite. Which users are asked for is judgement.ts. */
import type { Principal } from '../../lib/principal.ts'
import { userIdOf } from '../../lib/principal.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Statement } from '../../storage/program.ts'
import type { RecordApi } from '../record-api.ts'
import { eventStatement } from '../rules.ts'

export interface EventRule {
  /** It reads tables whole; it is judged in another thread. */
  readonly isSlow: boolean
  /** Principals that it cannot tell apart have the same key. Null: this one may read every row. */
  keyOf(principal: Principal): string | null
  statement(row: SqlRow, user: Uint8Array | null): Statement & { readonly params: readonly SqlValue[] }
}

/** Null when the ACL alone decides. */
export function eventRule(api: RecordApi): EventRule | null {
  const rule = eventStatement(api)
  if (rule === null) return null
  const needsUser = rule.params.some(({ kind }) => kind === 'user')
  return {
    isSlow: api.facts.read?.isKeyed === false,
    keyOf: principal => (principal.kind === 'admin' ? null : needsUser ? (userIdOf(principal)?.toHex() ?? '-') : ''),
    statement: (row, user) => ({ sql: rule.sql, params: rule.params.map(param => (param.kind === 'row' ? (row[param.column.index] ?? null) : user)) }),
  }
}

/** Whether the row of a judged rule says yes. */
export function isTrue(rows: readonly SqlRow[]): boolean {
  const value = rows[0]?.[0]
  return (typeof value === 'bigint' || typeof value === 'number') && Number(value) !== 0
}

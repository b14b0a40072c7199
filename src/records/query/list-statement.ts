/** A list query as the statements of one read: page, count and what is expanded. Parsing is parse.ts, the body list-body.ts. */
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import type { Statement } from '../../storage/program.ts'
import type { RecordApi } from '../record-api.ts'
import { Bindings } from './bindings.ts'
import { decodeCursor } from './cursor.ts'
import { withArms } from './expansion.ts'
import { limitDefault } from './limits.ts'
import type { ListSpec } from './list-body.ts'
import { type ListShape, listShape } from './list-shape.ts'
import { behindCondition } from './order.ts'
import type { ListQuery } from './parse.ts'
import { userValues } from './row-rule.ts'
import { scanRows } from './scan.ts'

/** What a reader thread is asked for: all statements in one snapshot, then the body. */
export interface ListPlan {
  readonly database: string
  readonly statements: readonly Statement[]
  readonly finish: { readonly kind: 'list'; readonly spec: ListSpec }
  /** For each statement: its first parameter is the id of who asks. All else is the same for everybody but operators. */
  readonly usesUser: readonly boolean[]
}

/** Refuses `invalid_query`. The ACL is not asked here; the read rule is a condition of every row. */
export function planList(api: RecordApi, query: ListQuery, principal: Principal): ListPlan {
  const limit = pageLimit(api, query.limit)
  const shape = listShape(api, query, principal.kind === 'admin')
  const bindings = new Bindings(userValues(shape.usesUser, principal))
  const isBare = query.filter === null && query.match === null
  const scan = scanRows(api, query, shape.base, bindings)
  const countsOnly = limit === 0n
  const statements: Statement[] = []
  const usesUser: boolean[] = []
  if (countsOnly || query.count) {
    // Without a condition of the query, ?1 is bound only when the rule of the page itself has it.
    usesUser.push(isBare ? shape.baseUsesUser : shape.usesUser)
    statements.push({ sql: countText(shape, scan), params: isBare ? userValues(shape.baseUsesUser, principal) : bindings.values })
  }
  const parts = countsOnly ? 'count' : query.count ? 'pageAndCount' : 'page'
  if (!countsOnly) {
    usesUser.unshift(shape.usesUser)
    statements.unshift(pageStatement(shape, scan, { query, limit, bindings }))
  }
  return { database: api.relation.database, statements, finish: { kind: 'list', spec: { ...shape.spec, parts } }, usesUser }
}

/** `plan`, which was made for another who is no operator either, or for another operator, for `principal`. */
export function planFor(plan: ListPlan, principal: Principal): ListPlan {
  if (!plan.usesUser.includes(true)) return plan
  const user = userValues(true, principal)
  const statements = plan.statements.map((statement, i) => (plan.usesUser[i] === true ? { ...statement, params: [...user, ...statement.params.slice(1)] } : statement))
  return { ...plan, statements }
}

function pageLimit(api: RecordApi, asked: bigint | null): bigint {
  const max = BigInt(api.listLimitMax)
  if (asked !== null && asked > max) return fail('invalid_query', { detail: `limit exceeds max limit of ${max}` })
  return asked ?? BigInt(Math.min(limitDefault, api.listLimitMax))
}

function countText({ groupBy }: ListShape, scan: string): string {
  return groupBy === '' ? `SELECT count(*) ${scan}` : `SELECT count(*) FROM (SELECT 1 ${scan}${groupBy})`
}

interface Page {
  readonly query: ListQuery
  readonly limit: bigint
  readonly bindings: Bindings
}

function pageStatement(shape: ListShape, scan: string, { query, limit, bindings }: Page): Statement {
  const behind = query.cursor === null ? '' : ` AND ${cursorCondition(shape, query.cursor, bindings)}`
  const offset = query.offset === 0n ? '' : ` OFFSET ${bindings.add(query.offset)}`
  const tail = `${scan}${behind}${shape.groupBy}${shape.orderBy} LIMIT ${bindings.add(limit)}${offset}`
  const { arms, select, width } = shape
  const sql = arms.length === 0 ? `SELECT ${select} ${tail}` : withArms(`SELECT 0, ${select} ${tail}`, width, arms)
  return { sql, params: bindings.values }
}

function cursorCondition({ keyset }: ListShape, text: string, bindings: Bindings): string {
  if (keyset === null) return fail('invalid_query', { detail: 'Only TABLEs with PK primary order support cursors. Use offset instead.' })
  const values = decodeCursor(keyset.binding, keyset.terms.map(({ column }) => column.type), text)
  return behindCondition(keyset.terms, values, bindings)
}

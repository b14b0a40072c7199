/** Requests to write as programs: which rule, which version, which statement, in which order. Running them is records.ts. */
import { fail } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import { checkAcl } from '../access.ts'
import type { RecordApi } from '../record-api.ts'
import type { PlannedStep } from './outcome.ts'
import { valueOf, type RowValues } from './row-values.ts'
import { ruleSteps } from './rule-step.ts'
import { deleteText, insertText, updateText, versionText } from './statements.ts'

/** ETags that If-Match names, without quotes; `*` takes any version; null: no condition. */
export type Versions = readonly string[] | null

/** Rules of all records first: nothing is written when one is denied (trailbase-api.md §5.1). */
export function planCreate(api: RecordApi, rows: readonly RowValues[], principal: Principal): PlannedStep[] {
  const plan: PlannedStep[] = []
  for (const request of rows) plan.push(...ruleSteps(api, 'create', { principal, key: [], request }), ...replaceSteps(api, request, principal))
  for (const row of rows) plan.push(insertStep(api, row))
  return plan
}

/** What REPLACE overwrites is a record that exists: with a rule for updates it takes that, too. */
function replaceSteps(api: RecordApi, request: RowValues, principal: Principal): PlannedStep[] {
  if (api.conflict !== 'replace') return []
  const key = api.key.map(column => valueOf(request, column) ?? null)
  // A key that is made by the table is that of no record.
  return key.includes(null) ? [] : ruleSteps(api, 'update', { principal, key, request }, 'ifThere')
}

export interface UpdateConditions {
  readonly versions: Versions
  /** What must hold besides (file-intake.ts). */
  readonly guards: readonly PlannedStep[]
}

/** The rule is asked before the version: who may not update learns nothing about the record. */
export function planUpdate(api: RecordApi, key: SqlRow, request: RowValues, { versions, guards }: UpdateConditions, principal: Principal): PlannedStep[] {
  const change = withoutKey(api, key, request)
  return [
    ...ruleSteps(api, 'update', { principal, key, request }),
    ...versionSteps(api, key, versions, principal),
    ...guards,
    { purpose: 'write', step: { kind: 'run', atLeast: 1, sql: updateText(api, change.columns), params: [...change.values, ...key] } },
  ]
}

export function planDelete(api: RecordApi, key: SqlRow, versions: Versions, principal: Principal): PlannedStep[] {
  return [
    ...ruleSteps(api, 'delete', { principal, key, request: null }),
    ...versionSteps(api, key, versions, principal),
    { purpose: 'write', step: { kind: 'run', atLeast: 1, sql: deleteText(api), params: key } },
  ]
}

/** With IGNORE a conflict of the key writes nothing and is no failure. */
function insertStep(api: RecordApi, row: RowValues): PlannedStep {
  const atLeast = api.conflict === 'ignore' ? 0 : 1
  return { purpose: 'insert', step: { kind: 'run', atLeast, sql: insertText(api, row.columns), params: row.values } }
}

/** A tag tells what is in a record: only who may read it may ask for one, or guesses could be tried out. */
function versionSteps(api: RecordApi, key: SqlRow, versions: Versions, principal: Principal): PlannedStep[] {
  if (versions === null) return []
  const step: PlannedStep = { purpose: 'version', step: { kind: 'match', tags: versions, sql: versionText(api), params: key } }
  if (versions.includes('*')) return [step]
  checkAcl(api, 'read', principal)
  return [...ruleSteps(api, 'read', { principal, key, request: null }), step]
}

/** A body may repeat the key of the path, and not change it (trailbase-api.md §5.4). */
function withoutKey(api: RecordApi, key: SqlRow, request: RowValues): RowValues {
  for (const [i, column] of api.key.entries()) {
    const value = valueOf(request, column)
    if (value !== undefined && !sameValue(value, key[i] ?? null)) fail('invalid_record', { detail: 'Invalid Parameters: the key in the body is not that of the path' })
  }
  const kept = request.columns.map((column, i) => [column, request.values[i] ?? null] as const).filter(([column]) => !api.key.includes(column))
  return { columns: kept.map(([column]) => column), values: kept.map(([, value]) => value) }
}

function sameValue(a: SqlRow[number], b: SqlRow[number]): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return a === b
}

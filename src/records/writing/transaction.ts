/** The batch of operations of POST /api/transaction/v1/execute (trailbase-api.md §5.9): parsed, planned, run as one transaction or one by one. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail } from '../../lib/errors.ts'
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { Program, ProgramResult } from '../../storage/program.ts'
import { checkAcl, checkWritable } from '../access.ts'
import { parseRecordId, recordIdText } from '../record-id.ts'
import type { RecordApi } from '../record-api.ts'
import { isFileColumn } from './file-intake.ts'
import { replayedAnswer, replayStep, storedRow, storeStep, type IdempotencyKey } from './idempotency.ts'
import { refused, written, type PlannedStep, type Written } from './outcome.ts'
import { planCreate, planDelete, planUpdate } from './plans.ts'
import { lazily } from '../../lib/lazily.ts'
import { autofilled, rowValues, type RawRecord } from './row-values.ts'

/** Operations of one request. */
export const operationsMax = 128

export interface TransactionRequest {
  readonly operations: readonly Operation[]
  /** All or nothing; otherwise what came before the first failure stays. */
  readonly isAtomic: boolean
}

export type Operation =
  | { readonly kind: 'create'; readonly api: string; readonly value: RawRecord }
  | { readonly kind: 'update'; readonly api: string; readonly id: string; readonly value: RawRecord }
  | { readonly kind: 'delete'; readonly api: string; readonly id: string }

/** `Error` only for a create that met an IGNORE conflict. */
export type OperationResult = { readonly Id: string } | { readonly Error: string }

export interface Executed {
  readonly results: readonly OperationResult[]
  /** Number of the last transaction; null when nothing ran. */
  readonly txn: number | null
  /** The answer of an earlier request with the same key. */
  readonly isReplayed: boolean
}

export interface Execution {
  readonly principal: Principal
  /** With a key the batch has to be atomic: of one that stopped halfway no answer is stored, and a retry would write its beginning again. */
  readonly idempotency: IdempotencyKey | null
  readonly nowMs: number
  readonly write: (database: string, program: Program) => Promise<ProgramResult>
}

const value = Type.Record(Type.String(), Type.Unknown())
const operation = Type.Union([
  Type.Object({ Create: Type.Object({ api_name: Type.String(), value }) }, { additionalProperties: false }),
  Type.Object({ Update: Type.Object({ api_name: Type.String(), record_id: Type.String(), value }) }, { additionalProperties: false }),
  Type.Object({ Delete: Type.Object({ api_name: Type.String(), record_id: Type.String() }) }, { additionalProperties: false }),
])
const shape = lazily(() => Compile(Type.Object({ operations: Type.Array(operation), transaction: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])) })))

/** Refuses `invalid_transaction`. */
export function parseTransaction(body: unknown): TransactionRequest {
  if (!shape().Check(body)) fail('invalid_transaction', { detail: 'Expected {"operations": [{"Create" | "Update" | "Delete": …}], "transaction"?: boolean}' })
  if (body.operations.length > operationsMax) fail('bad_request', { detail: `Batch size exceeds limit: ${operationsMax}` })
  const operations = body.operations.map((each): Operation => {
    if ('Create' in each) return { kind: 'create', api: each.Create.api_name, value: each.Create.value }
    if ('Update' in each) return { kind: 'update', api: each.Update.api_name, id: each.Update.record_id, value: each.Update.value }
    return { kind: 'delete', api: each.Delete.api_name, id: each.Delete.record_id }
  })
  return { operations, isAtomic: body.transaction === true }
}

interface Planned {
  readonly api: RecordApi
  readonly operation: Operation
  readonly steps: readonly PlannedStep[]
}

/** Runs `request`. Refuses what a single write of the failing operation would be refused for, and `bad_request` for a key without atomicity. */
export async function execute(request: TransactionRequest, api: (name: string) => RecordApi, execution: Execution): Promise<Executed> {
  const { idempotency, principal, write } = execution
  if (idempotency !== null && !request.isAtomic) fail('bad_request', { detail: 'Idempotency-Key needs "transaction": true' })
  if (request.operations.length === 0) return { results: [], txn: null, isReplayed: false }
  const planning = planAll(request, api, principal)
  const { planned } = planning
  const [first] = planned
  if (first === undefined) throw planning.failure
  const { database } = first.api.relation
  if (idempotency !== null) return await runOnce(planned, database, idempotency, execution)
  const ran = await runLongest(planned, request.isAtomic, program => write(database, program))
  if (planning.failure !== null) throw planning.failure
  return { results: planned.map((each, i) => resultOf(each, ran.rowsOf(i))), txn: ran.txn, isReplayed: false }
}

/** All operations between the steps of their key: a retry finds the first answer. */
async function runOnce(planned: readonly Planned[], database: string, key: IdempotencyKey, { nowMs, write }: Execution): Promise<Executed> {
  const answers = planned.map((_, i) => lastStepOf(planned, i) + 1)
  const steps = [replayStep(database, key), ...planned.flatMap(each => each.steps), storeStep(database, key, answers, nowMs)]
  const result = written(await write(database, { steps: steps.map(each => each.step) }), steps)
  const replayed = replayedAnswer(result, key)
  const rowsOf = (i: number) => (replayed === null ? (result.rows[answers[i] ?? 0] ?? []) : (replayed.rows[i] ?? []).map(storedRow))
  return { results: planned.map((each, i) => resultOf(each, rowsOf(i))), txn: replayed?.txn ?? result.txn, isReplayed: replayed !== null }
}

/**
 * Plans the operations in order. Without atomicity what stands before the first that cannot even be planned still runs,
 * as it would have with one request each.
 */
function planAll(request: TransactionRequest, api: (name: string) => RecordApi, principal: Principal): { planned: Planned[]; failure: unknown } {
  const planned: Planned[] = []
  for (const each of request.operations) {
    try {
      const next = plan(each, api(each.api), principal)
      const database = planned[0]?.api.relation.database ?? next.api.relation.database
      if (next.api.relation.database !== database) fail('bad_request', { detail: 'All operations of a batch must be on tables of one database' })
      planned.push(next)
    } catch (failure) {
      if (request.isAtomic) throw failure
      return { planned, failure }
    }
  }
  return { planned, failure: null }
}

function plan(each: Operation, api: RecordApi, principal: Principal): Planned {
  checkWritable(api)
  checkAcl(api, each.kind, principal)
  if (each.kind === 'delete') return { api, operation: each, steps: planDelete(api, parseRecordId(api, each.id), null, principal) }
  for (const column of api.columns) {
    if (isFileColumn(column) && each.value[column.name] !== undefined) fail('invalid_record', { detail: 'Files cannot be written in a batch' })
  }
  const row = rowValues(api, each.value, 'json')
  if (each.kind === 'update') return { api, operation: each, steps: planUpdate(api, parseRecordId(api, each.id), row, { versions: null, guards: [] }, principal) }
  return { api, operation: each, steps: planCreate(api, [autofilled(api, row, userIdOf(principal))], principal) }
}

interface Ran {
  readonly txn: number
  /** Rows of the last step of operation `i`. */
  rowsOf(i: number): Written['rows'][number]
}

/**
 * All operations in one program: one commit. When one fails and the batch is not atomic, those before it run again without it:
 * nothing of the failed program was written.
 */
async function runLongest(planned: readonly Planned[], isAtomic: boolean, write: (program: Program) => Promise<ProgramResult>): Promise<Ran> {
  let upTo = planned.length
  let failure: (() => never) | null = null
  for (;;) {
    const steps = planned.slice(0, upTo).flatMap(each => each.steps)
    const result = await write({ steps: steps.map(each => each.step) })
    if (result.ok) {
      if (failure !== null) return failure()
      return { txn: result.txn, rowsOf: i => result.rows[lastStepOf(planned, i)] ?? [] }
    }
    failure = () => refused(result, steps)
    upTo = operationAt(planned, result.step)
    if (isAtomic || upTo === 0) return failure()
  }
}

function lastStepOf(planned: readonly Planned[], operation: number): number {
  return planned.slice(0, operation + 1).reduce((sum, each) => sum + each.steps.length, 0) - 1
}

function operationAt(planned: readonly Planned[], step: number): number {
  let before = 0
  return planned.findIndex(each => step < (before += each.steps.length))
}

function resultOf({ api, operation }: Planned, rows: Written['rows'][number]): OperationResult {
  if (operation.kind !== 'create') return { Id: operation.id }
  const [key] = rows
  return key === undefined ? { Error: `a record of ${api.name} with this key exists` } : { Id: recordIdText(key) }
}

/** Creates, updates and deletes records: access, values, program, answer. What comes over HTTP is parsed before, in body/ and routes.ts. */
import type { Clock } from '../../lib/clock.ts'
import { userIdOf, type Principal } from '../../lib/principal.ts'
import type { SqlRow } from '../../lib/sql-value.ts'
import type { Program, ProgramResult } from '../../storage/program.ts'
import { checkAcl, checkWritable } from '../access.ts'
import type { BodyForm } from '../body/column-value.ts'
import { parseRecordId, recordIdText } from '../record-id.ts'
import type { RecordApi } from '../record-api.ts'
import { isFileColumn, type FileIntake, type FileRequest } from './file-intake.ts'
import { replayedAnswer, replayStep, storedRow, storeStep, type IdempotencyKey, type StoredAnswer } from './idempotency.ts'
import { written, type PlannedStep, type Written } from './outcome.ts'
import { planCreate, planDelete, planUpdate, type Versions } from './plans.ts'
import { execute, type Executed, type TransactionRequest } from './transaction.ts'
import { autofilled, rowValues, rowValuesWithFiles, valueOf, type RawRecord, type RowValues } from './row-values.ts'

export interface RecordWriterParts {
  readonly write: (database: string, program: Program) => Promise<ProgramResult>
  readonly files: FileIntake
  readonly clock: Clock
}

/** Who writes, and under which conditions of the request. */
export interface WriteContext {
  readonly principal: Principal
  readonly idempotency: IdempotencyKey | null
}

export interface Created {
  /** Ids in the order of the records. */
  readonly ids: readonly string[]
  readonly txn: number
  /** The answer of an earlier request with the same key. */
  readonly isReplayed: boolean
}

export interface Changed {
  readonly txn: number
  readonly isReplayed: boolean
}

export class RecordWriter {
  readonly #parts: RecordWriterParts

  constructor(parts: RecordWriterParts) {
    this.#parts = parts
  }

  /** Writes all of `records` or none. Refuses `forbidden`, `invalid_record`, `constraint_failed`, `idempotency_key_reused`. */
  async create(api: RecordApi, records: readonly RawRecord[], form: BodyForm, context: WriteContext): Promise<Created> {
    checkWritable(api)
    checkAcl(api, 'create', context.principal)
    const files = this.#filesOf(api, null)
    const userId = userIdOf(context.principal)
    if (files === null) return await this.#insert(api, records.map(raw => autofilled(api, rowValues(api, raw, form), userId)), context)
    return await this.#settled(files, async () => {
      const rows: RowValues[] = []
      for (const raw of records) rows.push(autofilled(api, await rowValuesWithFiles(api, raw, form, files), userId))
      return this.#insert(api, rows, context)
    })
  }

  /** Refuses besides `record_not_found` and, with `versions`, `precondition_failed`. */
  async update(api: RecordApi, id: string, raw: RawRecord, form: BodyForm, versions: Versions, context: WriteContext): Promise<Changed> {
    checkWritable(api)
    checkAcl(api, 'update', context.principal)
    const key = parseRecordId(api, id)
    const files = this.#filesOf(api, key)
    const change = (row: RowValues) => this.#change(api, planUpdate(api, key, row, { versions, guards: files?.guards() ?? [] }, context.principal), context)
    if (files === null) return await change(rowValues(api, raw, form))
    return await this.#settled(files, async () => change(await rowValuesWithFiles(api, raw, form, files)))
  }

  async remove(api: RecordApi, id: string, versions: Versions, context: WriteContext): Promise<Changed> {
    checkWritable(api)
    checkAcl(api, 'delete', context.principal)
    const key = parseRecordId(api, id)
    return await this.#change(api, planDelete(api, key, versions, context.principal), context)
  }

  /** Refuses what transaction.ts refuses. */
  async transaction(request: TransactionRequest, api: (name: string) => RecordApi, { principal, idempotency }: WriteContext): Promise<Executed> {
    const { write, clock } = this.#parts
    return await execute(request, api, { principal, idempotency, write, nowMs: clock.now() })
  }

  async #insert(api: RecordApi, rows: readonly RowValues[], { principal, idempotency }: WriteContext): Promise<Created> {
    const plan = planCreate(api, rows, principal)
    const first = plan.length - rows.length
    if (idempotency === null) {
      const result = await this.#runPlan(api.relation.database, plan)
      return { ids: rows.map((row, i) => idOf(api, row, result.rows[first + i]?.[0])), txn: result.txn, isReplayed: false }
    }
    const inserts = rows.map((_, i) => first + i)
    const { result, replayed } = await this.#runWithKey(api.relation.database, plan, inserts, idempotency)
    if (replayed !== null) return { ids: replayed.rows.map((each, i) => idOf(api, rows[i], each[0] && storedRow(each[0]))), txn: replayed.txn, isReplayed: true }
    return { ids: inserts.map((step, i) => idOf(api, rows[i], result.rows[step + 1]?.[0])), txn: result.txn, isReplayed: false }
  }

  async #change(api: RecordApi, plan: readonly PlannedStep[], { idempotency }: WriteContext): Promise<Changed> {
    if (idempotency === null) return { txn: (await this.#runPlan(api.relation.database, plan)).txn, isReplayed: false }
    const { result, replayed } = await this.#runWithKey(api.relation.database, plan, [], idempotency)
    return { txn: replayed?.txn ?? result.txn, isReplayed: replayed !== null }
  }

  async #runPlan(database: string, plan: readonly PlannedStep[]): Promise<Written> {
    return written(await this.#parts.write(database, { steps: plan.map(planned => planned.step) }), plan)
  }

  /** Runs `plan` between the steps of its idempotency key. `answerOf`: steps of `plan` whose rows the answer is made of. */
  async #runWithKey(
    database: string,
    plan: readonly PlannedStep[],
    answerOf: readonly number[],
    key: IdempotencyKey,
  ): Promise<{ result: Written; replayed: StoredAnswer | null }> {
    const shifted = answerOf.map(step => step + 1)
    const all = [replayStep(database, key), ...plan, storeStep(database, key, shifted, this.#parts.clock.now())]
    const result = await this.#runPlan(database, all)
    return { result, replayed: replayedAnswer(result, key) }
  }

  #filesOf(api: RecordApi, key: SqlRow | null): FileRequest | null {
    return hasFiles(api) ? this.#parts.files.begin(api, key) : null
  }

  async #settled<Answer extends { isReplayed: boolean }>(files: FileRequest, work: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await work()
      // A replayed answer wrote nothing: what this request brought belongs to no row.
      if (answer.isReplayed) await files.refused(null)
      else files.committed()
      return answer
    } catch (error) {
      await files.refused(error)
      throw error
    }
  }
}

const withFiles = new WeakMap<RecordApi, boolean>()

function hasFiles(api: RecordApi): boolean {
  let known = withFiles.get(api)
  if (known === undefined) withFiles.set(api, (known = api.columns.some(isFileColumn)))
  return known
}

/** With IGNORE a conflict gives no row; the record that is there has the key that was sent. */
function idOf(api: RecordApi, row: RowValues | undefined, key: SqlRow | undefined): string {
  if (key !== undefined) return recordIdText(key)
  return recordIdText(api.key.map(column => (row === undefined ? null : (valueOf(row, column) ?? null))))
}

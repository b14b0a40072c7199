/** What a writer's answer to a program means for the client: the refusal when a step did not hold (trailbase-api.md §2.2). */
import { assert } from '../../lib/assert.ts'
import { fail } from '../../lib/errors.ts'
import type { ProgramResult, Step } from '../../storage/program.ts'

/** What a step is there for; its failure means the refusal. */
export type Purpose = 'rule' | 'version' | 'files' | 'insert' | 'write' | 'answer'

export interface PlannedStep {
  readonly step: Step
  readonly purpose: Purpose
}

export type Written = Extract<ProgramResult, { ok: true }>
type Failed = Extract<ProgramResult, { ok: false }>

/** The result of a program that ran; throws the refusal of one that did not. */
export function written(result: ProgramResult, plan: readonly PlannedStep[]): Written {
  if (result.ok) return result
  return refused(result, plan)
}

/** Throws what the failure of `plan[result.step]` means. */
export function refused(result: Failed, plan: readonly PlannedStep[]): never {
  const planned = plan[result.step]
  assert(planned !== undefined, `the program has a step ${result.step}`)
  if (planned.purpose === 'rule') fail('forbidden', {}) // an error in a rule denies
  if (planned.purpose === 'version') fail('precondition_failed', { detail: 'The record is not the version that If-Match names' })
  if (planned.purpose === 'files') fail('invalid_record', { detail: 'The record has no such file' })
  if (result.why === 'unmet') return noRow(planned.purpose)
  const name = constraints[result.why.errno]
  if (name !== undefined) fail('constraint_failed', { detail: `db constraint: ${name}` })
  // 1 is SQLITE_ERROR: a CHECK, DEFAULT or trigger that could not be evaluated with these values.
  if (result.why.errno === 1) fail('constraint_failed', { detail: 'rejected' })
  throw new Error(`SQLite error ${result.why.errno}: ${result.why.message}`)
}

/** An insert gives no row only when a trigger ignored it. */
function noRow(purpose: Purpose): never {
  if (purpose === 'insert') fail('constraint_failed', { detail: 'db constraint: trigger' })
  fail('record_not_found', {})
}

/** Extended result codes of SQLite and TrailBase's names for them. */
const constraints: Readonly<Record<number, string>> = {
  18: 'too big',
  20: 'data type',
  275: 'check',
  531: 'commit hook',
  787: 'fk',
  1043: 'function',
  1299: 'not null',
  1555: 'pk',
  1811: 'trigger',
  2067: 'unique',
  2323: 'vtab',
  2579: 'row id',
  2835: 'pinned',
  3091: 'data type',
}

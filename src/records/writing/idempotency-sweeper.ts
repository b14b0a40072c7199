/** Forgets answers to writes with an Idempotency-Key that are older than they are kept: one bounded step. When steps come is records/rounds.ts. */
import { assert } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { quoted } from '../../storage/identifier.ts'
import type { Program, ProgramResult } from '../../storage/program.ts'

export interface IdempotencySweeperParts {
  readonly clock: Pick<Clock, 'now'>
  readonly readNow: (database: string, sql: string, params: readonly SqlValue[]) => readonly SqlRow[]
  readonly write: (database: string, program: Program) => Promise<ProgramResult>
  /** How long an answer is kept, ms. */
  readonly keptMs: () => number
}

/** Time between two rounds, ms. */
export const idempotencyPeriodMs = 60_000
/** Answers that one step forgets: its transaction holds up other writes. */
export const forgottenMax = 512

/** True when more may be left. A database without old answers is not written. */
export async function forgetOldAnswers({ clock, readNow, write, keptMs }: IdempotencySweeperParts, database: string): Promise<boolean> {
  const table = `${quoted(database)}._idempotency`
  const before = BigInt(Math.floor((clock.now() - keptMs()) / 1000))
  const [row] = readNow(database, `SELECT EXISTS (SELECT 1 FROM ${table} WHERE created < ?1)`, [before])
  if (row?.[0] !== 1n) return false
  const oldest = `SELECT principal, key FROM ${table} WHERE created < ?1 ORDER BY created LIMIT ${forgottenMax}`
  const result = await write(database, { steps: [{ kind: 'run', sql: `DELETE FROM ${table} WHERE (principal, key) IN (${oldest})`, params: [before], atLeast: 0 }] })
  assert(result.ok, 'old answers can be removed')
  return result.changes[0] === forgottenMax
}

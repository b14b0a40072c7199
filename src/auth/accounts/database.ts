/** What accounts need of the databases that hold them. records/ lies to the right and has it; app.ts passes it in. */
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Param, Program, ProgramResult, Step } from '../../storage/program.ts'

/** Users are in `main`; sessions and codes are in `session`, whose tables are named with it in SQL. */
export interface AccountDatabase {
  write(database: 'main' | 'session', program: Program): Promise<ProgramResult>
  readNow(database: 'main' | 'session', sql: string, params: readonly SqlValue[]): readonly SqlRow[]
}

/** A step that need not change anything. */
export function run(sql: string, ...params: Param[]): Step {
  return { kind: 'run', sql, params, atLeast: 0 }
}

/** Rows per step of a program that must hold: what goes wrong in it is no caller's fault. */
export async function written(database: AccountDatabase, name: 'main' | 'session', ...steps: Step[]): Promise<readonly (readonly SqlRow[])[]> {
  const result = await database.write(name, { steps })
  if (!result.ok) throw new Error(`step ${result.step} of a program of accounts failed: ${result.why === 'unmet' ? result.why : result.why.message}`)
  return result.rows
}

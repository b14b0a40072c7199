/** A connection in memory with every SQL function, and a way to ask it for one value. */
import { Database } from 'bun:sqlite'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import type { SqlValue } from '../../../src/lib/sql-value.ts'
import type { JsonSchema } from '../../../src/records/catalog/relation.ts'
import { type FunctionContext, registerFunctions } from '../../../src/records/functions/register.ts'

export function contextOf(schemas: Readonly<Record<string, JsonSchema>> = {}): FunctionContext {
  return { schemas: new Map(Object.entries(schemas)), ids: systemIds, clock: systemClock }
}

export function connection(context: FunctionContext = contextOf()): Database {
  const db = new Database(':memory:', { safeIntegers: true })
  registerFunctions(db, context)
  return db
}

/** The value of one expression; `?1`, `?2` stand for `params`. */
export function valueOf(db: Database, expression: string, ...params: SqlValue[]): SqlValue {
  const [row] = db.query<never, SqlValue[]>(`SELECT ${expression}`).values(...params) as SqlValue[][]
  return row?.[0] ?? null
}

/** The message with which the expression fails, or null. */
export function refusalOf(db: Database, expression: string, ...params: SqlValue[]): string | null {
  try {
    valueOf(db, expression, ...params)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

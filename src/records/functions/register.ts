/** Registers every SQL function of the product on a connection: readers, writers, migrations, rules checked in memory. What they do is in the files beside it. */
import type { Database } from 'bun:sqlite'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { SqlValue } from '../../lib/sql-value.ts'
import type { JsonSchema } from '../catalog/relation.ts'
import { geoipFunctions } from './geoip-functions.ts'
import { geometryFunctions } from './geometry-functions.ts'
import { jsonFunctions } from './json-functions.ts'
import { NamedSchemas } from './named-schemas.ts'
import { passwordFunctions } from './password-functions.ts'
import { type SqlFunction, SqlFunctionError } from './sql-function.ts'
import { textFunctions } from './text-functions.ts'
import { uuidFunctions } from './uuid-functions.ts'
import { vectorFunctions } from './vector-functions.ts'

/** The part that can be posted to a worker: plain data. */
export interface FunctionSettings {
  /** The configuration's `schemas` by name, for `jsonschema()`. Built-in names (`std.…`) cannot be replaced. */
  readonly schemas: ReadonlyMap<string, JsonSchema>
}

export interface FunctionContext extends FunctionSettings {
  readonly ids: Ids
  readonly clock: Clock
}

/** Connections that have the functions, with the schemas that can change below them: SQLite replaces no function while a statement is open. */
const registered = new WeakMap<Database, NamedSchemas>()

/**
 * Registers all functions; on a connection that has them, only replaces the schemas. Needed on every connection that touches a schema which
 * names one of them: without it SQLite says `no such function`. Integers arrive exact whatever the connection's `safeIntegers`.
 */
export function registerFunctions(db: Database, context: FunctionContext): void {
  const known = registered.get(db)
  if (known !== undefined) return known.replace(context.schemas)
  const named = new NamedSchemas(context.schemas)
  for (const sqlFunction of sqlFunctions(context, named)) register(db, sqlFunction)
  registered.set(db, named)
}

/** All functions of one connection. */
export function sqlFunctions({ ids, clock }: FunctionContext, named: NamedSchemas): readonly SqlFunction[] {
  return [
    ...uuidFunctions(ids, clock),
    ...textFunctions(),
    ...jsonFunctions(named),
    ...passwordFunctions(),
    ...geoipFunctions(),
    ...vectorFunctions(),
    ...geometryFunctions(),
  ]
}

function register(db: Database, { name, arity, deterministic, onNull, call }: SqlFunction): void {
  const run = (...args: SqlValue[]): SqlValue => {
    if (onNull !== 'pass' && args.includes(null)) return onNull === 'true' ? 1n : null
    try {
      return bound(call(args))
    } catch (error) {
      throw new SqlFunctionError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  // Bun takes the number of arguments of the SQL function from here.
  Object.defineProperty(run, 'length', { value: arity })
  db.function(name, { deterministic, safeIntegers: true }, run)
}

function bound(result: SqlValue | boolean): SqlValue {
  return typeof result === 'boolean' ? BigInt(result) : result
}

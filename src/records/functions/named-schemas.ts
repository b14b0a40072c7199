/** The schemas that `jsonschema()` knows by name on one connection: built-in ones and those of the configuration, which may change. */
import type { JsonSchema } from '../catalog/relation.ts'
import { builtinSchemas } from './builtin-schemas.ts'
import { compileOwnSchema, compileSchema, type SchemaCheck } from './schema-check.ts'
import { SqlFunctionError } from './sql-function.ts'

/** Schemas are compiled when they are first asked for. */
export class NamedSchemas {
  #schemas: ReadonlyMap<string, JsonSchema>
  #compiled = new Map<string, SchemaCheck>()

  constructor(schemas: ReadonlyMap<string, JsonSchema>) {
    this.#schemas = schemas
  }

  /** Takes the place of those that the configuration had before. */
  replace(schemas: ReadonlyMap<string, JsonSchema>): void {
    this.#schemas = schemas
    this.#compiled = new Map()
  }

  /** `value` is undefined when it is no JSON, which fits nothing. Refuses a name that is not known and a schema that is none. */
  fits(name: string, value: unknown): boolean {
    const known = this.#compiled.get(name)
    const check = known ?? this.#compile(name)
    if (known === undefined) this.#compiled.set(name, check)
    return value !== undefined && check(value)
  }

  #compile(name: string): SchemaCheck {
    const builtin = builtinSchemas.get(name)
    if (builtin !== undefined) return compileOwnSchema(builtin)
    const schema = this.#schemas.get(name)
    if (schema === undefined) throw new SqlFunctionError(`there is no schema "${name}"`)
    return compileSchema(schema)
  }
}

/** A schema in a real SQLite database, and what the catalog makes of it. Functions of CHECKs are stand-ins that the catalog never calls. */
import { Database } from 'bun:sqlite'
import { must } from '../../../src/lib/assert.ts'
import { OperatorError } from '../../../src/lib/errors.ts'
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import { apiDefaults, type RecordApiConfig } from '../../../src/records/catalog/api-config.ts'
import type { JsonSchemas } from '../../../src/records/catalog/column-format.ts'
import { compileCatalog } from '../../../src/records/catalog/compile.ts'
import { readSchema } from '../../../src/records/catalog/read-schema.ts'
import type { Relation } from '../../../src/records/catalog/relation.ts'
import type { RecordApi, RecordCatalog } from '../../../src/records/record-api.ts'

export type ApiOptions = Partial<RecordApiConfig> & Pick<RecordApiConfig, 'name' | 'tableName'>

/** `_user` as far as schemas and rules see it. */
export const userTable = `CREATE TABLE _user (id BLOB PRIMARY KEY NOT NULL CHECK(is_uuid(id)) DEFAULT (uuid_v4()), email TEXT COLLATE NOCASE,
  password_hash TEXT, totp_secret TEXT, admin INTEGER NOT NULL DEFAULT 0) STRICT`

export const schemas: JsonSchemas = new Map([['profile', { type: 'object', properties: { age: { type: 'integer' } } }]])

export class SchemaScene {
  readonly db: Database
  readonly databases: readonly string[]

  constructor(sql: readonly string[], databases: readonly string[] = []) {
    this.db = new Database(':memory:', { strict: true, safeIntegers: true })
    this.databases = databases
    for (const name of ['is_uuid', 'is_uuid_v4', 'is_uuid_v7', 'ST_IsValid']) this.db.function(name, { deterministic: true }, (_: unknown) => 1)
    this.db.function('uuid_v4', () => new Uint8Array(16))
    this.db.function('jsonschema', { deterministic: true, varargs: true }, () => 1)
    this.db.function('jsonschema_matches', { deterministic: true }, (_: unknown, __: unknown) => 1)
    for (const name of databases) this.db.run(`ATTACH ':memory:' AS "${name}"`)
    for (const statement of sql) this.db.run(statement)
  }

  readonly read = (sql: string): readonly SqlRow[] => this.db.prepare<SqlValue[], []>(sql).values() as SqlRow[]

  relations(): readonly Relation[] {
    return readSchema(this.read, schemas)
  }

  relation(name: string, database = 'main'): Relation {
    return must(this.relations().find(relation => relation.name === name && relation.database === database), `there is a relation ${name}`)
  }

  catalog(...apis: readonly ApiOptions[]): RecordCatalog {
    const recordApis = apis.map(api => ({ ...apiDefaults, ...api }))
    return compileCatalog({ recordApis, databases: this.databases, schemas }, this.relations(), 1, this.read)
  }

  api(api: ApiOptions, ...others: readonly ApiOptions[]): RecordApi {
    return must(this.catalog(api, ...others).apis.get(api.name), 'the API compiled')
  }

  problems(...apis: readonly ApiOptions[]): readonly string[] {
    try {
      this.catalog(...apis)
      return []
    } catch (error) {
      if (error instanceof OperatorError) return error.message.split('\n')
      throw error
    }
  }
}

export function compiled(sql: readonly string[], api: ApiOptions, ...others: readonly ApiOptions[]): RecordApi {
  return new SchemaScene(sql).api(api, ...others)
}

export function problemsOf(sql: readonly string[], ...apis: readonly ApiOptions[]): readonly string[] {
  return new SchemaScene(sql).problems(...apis)
}

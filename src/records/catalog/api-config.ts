/** Record APIs as configuration states them. Reading them is ops/config-messages-records.ts, compiling them compile.ts. */
import type { RecordAction } from '../record-api.ts'
import type { JsonSchemas } from './column-format.ts'

/** A table or view that clients may use, and who may do what with it. Rules are SQL expressions; null: the ACL alone decides. */
export interface RecordApiConfig {
  readonly name: string
  /** `table` or `database.table`. */
  readonly tableName: string
  readonly attachedDatabases: readonly string[]
  readonly conflictResolution: 'abort' | 'ignore' | 'replace' | null
  readonly autofillMissingUserIdColumns: boolean
  readonly enableSubscriptions: boolean
  readonly aclWorld: readonly RecordAction[]
  readonly aclAuthenticated: readonly RecordAction[]
  readonly excludedColumns: readonly string[]
  readonly createAccessRule: string | null
  readonly readAccessRule: string | null
  readonly updateAccessRule: string | null
  readonly deleteAccessRule: string | null
  readonly schemaAccessRule: string | null
  readonly expand: readonly string[]
  readonly listingHardLimit: number
}

export interface CatalogConfig {
  readonly recordApis: readonly RecordApiConfig[]
  /** Names of the additional databases. */
  readonly databases: readonly string[]
  /** JSON schemas by name, those of the configuration only. */
  readonly schemas: JsonSchemas
}

/** An API with nothing but a name and a table: nobody may do anything with it. */
export const apiDefaults: Omit<RecordApiConfig, 'name' | 'tableName'> = {
  attachedDatabases: [],
  conflictResolution: null,
  autofillMissingUserIdColumns: false,
  enableSubscriptions: false,
  aclWorld: [],
  aclAuthenticated: [],
  excludedColumns: [],
  createAccessRule: null,
  readAccessRule: null,
  updateAccessRule: null,
  deleteAccessRule: null,
  schemaAccessRule: null,
  expand: [],
  listingHardLimit: 1024,
}

/** From a configuration to a catalog: the schema of migrated databases is read, record APIs are compiled. Serving them is records.ts. */
import type { Clock } from '../lib/clock.ts'
import type { CatalogConfig } from './catalog/api-config.ts'
import { compileCatalog } from './catalog/compile.ts'
import type { Relation } from './catalog/relation.ts'
import { readSchema } from './catalog/read-schema.ts'
import type { FunctionSettings } from './functions/register.ts'
import { recordDatabases, sessionDatabase, type DepotPlace } from './migrations/migrate-depot.ts'
import type { RecordCatalog } from './record-api.ts'
import type { RecordStoreSettings } from './store/record-store.ts'
import { withSchemaConnection } from './store/schema-connection.ts'

export interface DepotSchema {
  readonly catalog: RecordCatalog
  readonly store: RecordStoreSettings
}

/** Where the depot is; its additional databases are those of the configuration. */
export type DepotDirectories = Omit<DepotPlace, 'databases'>

export function placeOf(directories: DepotDirectories, config: CatalogConfig): DepotPlace {
  return { ...directories, databases: config.databases }
}

export function functionsOf(config: CatalogConfig): FunctionSettings {
  return { schemas: config.schemas }
}

/** Reads the schema and compiles the APIs of `config`. Throws OperatorError that lists every problem. */
export function readDepotSchema(config: CatalogConfig, directories: DepotDirectories, version: number, clock: Clock): DepotSchema {
  const served = recordDatabases(placeOf(directories, config))
  const functions = functionsOf(config)
  const catalog = withSchemaConnection(served, functions, clock, read => compileCatalog(config, readSchema(read, config.schemas), version, read))
  // Sessions have a writer of their own; no API sees them.
  const databases = [...served, sessionDatabase(directories.depot)]
  return { catalog, store: { databases, attach: attachedOf(catalog), functions } }
}

/** The tables and views as they are, whether or not record APIs fit them. */
export function readRelations(config: CatalogConfig, directories: DepotDirectories, clock: Clock): readonly Relation[] {
  const served = recordDatabases(placeOf(directories, config))
  return withSchemaConnection(served, functionsOf(config), clock, read => readSchema(read, config.schemas))
}

/** By database, all others that its APIs name. */
function attachedOf(catalog: RecordCatalog): ReadonlyMap<string, readonly string[]> {
  const attached = new Map<string, Set<string>>()
  for (const { relation, attached: names } of catalog.apis.values()) {
    const ofDatabase = attached.get(relation.database) ?? new Set()
    for (const name of names) if (name !== relation.database) ofDatabase.add(name)
    attached.set(relation.database, ofDatabase)
  }
  return new Map([...attached].map(([name, names]) => [name, [...names]]))
}

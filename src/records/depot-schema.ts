/** From configuration and files to a catalog: migrations applied, schema read, record APIs compiled. Serving them is records.ts. */
import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { CatalogConfig } from './catalog/api-config.ts'
import { compileCatalog } from './catalog/compile.ts'
import { readSchema } from './catalog/read-schema.ts'
import { registerFunctions, type FunctionSettings } from './functions/register.ts'
import { applyMigrations, type AppliedMigrations } from './migrations/apply.ts'
import type { RecordCatalog } from './record-api.ts'
import type { NamedDatabase } from './store/connection.ts'
import type { RecordStoreSettings } from './store/record-store.ts'
import { withSchemaConnection } from './store/schema-connection.ts'

export interface DepotPlaces {
  /** Directory of the database files. */
  readonly dataDirectory: string
  /** Directory with `main/` and one for each additional database. */
  readonly migrationsDirectory: string
}

export interface DepotSchema {
  readonly catalog: RecordCatalog
  readonly store: RecordStoreSettings
}

export interface SchemaParts {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

/** Sessions live in a database of their own: they are written often and belong to no record API. */
export const sessionDatabase = 'session'

/** `main`, those of the configuration, and the one of sessions. */
export function depotDatabases(config: CatalogConfig, places: DepotPlaces): readonly NamedDatabase[] {
  return ['main', ...config.databases, sessionDatabase].map(name => ({ name, path: join(places.dataDirectory, `${name}.db`) }))
}

/** Brings every database to its newest state. Throws OperatorError for the first migration that fails. */
export function migrateDepot(config: CatalogConfig, places: DepotPlaces, parts: SchemaParts): AppliedMigrations {
  const functions = functionsOf(config)
  const [main, ...others] = depotDatabases(config, places).map(({ name, path }) =>
    applyMigrations({
      database: name,
      path,
      directory: name === sessionDatabase ? null : join(places.migrationsDirectory, name),
      legacyDirectory: name === 'main' ? places.migrationsDirectory : null,
      functions: db => registerFunctions(db, { ...functions, ids: parts.ids, clock: parts.clock }),
      clock: parts.clock,
      log: parts.log,
    }),
  )
  const all = [...(main === undefined ? [] : [main]), ...others]
  return { isNew: main?.isNew ?? false, applied: all.flatMap(each => each.applied), warnings: all.flatMap(each => each.warnings) }
}

/** Reads the schema and compiles the APIs of `config`. Throws OperatorError that lists every problem. */
export function readDepotSchema(config: CatalogConfig, places: DepotPlaces, version: number, parts: SchemaParts): DepotSchema {
  const databases = depotDatabases(config, places)
  const functions = functionsOf(config)
  const served = databases.filter(({ name }) => name !== sessionDatabase)
  const catalog = withSchemaConnection(served, functions, parts.clock, read => compileCatalog(config, readSchema(read, config.schemas), version, read))
  return { catalog, store: { databases, attach: attachedOf(catalog), functions } }
}

function functionsOf(config: CatalogConfig): FunctionSettings {
  return { schemas: config.schemas }
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

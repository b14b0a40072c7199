/** The record APIs of a depot as one service: schema, store, writing and reading put together, replaced as a whole when the configuration changes. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { fail, Refusal } from '../lib/errors.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Principal } from '../lib/principal.ts'
import type { SqlValue } from '../lib/sql-value.ts'
import { quoted } from '../storage/identifier.ts'
import type { Program } from '../storage/program.ts'
import { checkAcl } from './access.ts'
import type { CatalogConfig } from './catalog/api-config.ts'
import { captureChanges } from './changes/capture.ts'
import { followedTables } from './changes/triggers.ts'
import { Retention, type RetentionLimits } from './changes/retention.ts'
import { functionsOf, placeOf, readDepotSchema, readRelations, type DepotDirectories, type DepotSchema } from './depot-schema.ts'
import { findFile, type FileAddress } from './files/read-file.ts'
import { RecordFiles, type FilesSettings } from './files/record-files.ts'
import type { StoredFile } from './files/stored-file.ts'
import { recordSchema, type SchemaMode } from './json-schema.ts'
import { listRecords } from './list.ts'
import type { AdminCredentials } from './migrations/first-admin.ts'
import { migrateDepot, migrateRunning } from './migrations/migrate-depot.ts'
import { readRecord, type ReadParts, type RecordText } from './read.ts'
import type { RecordApi, RecordCatalog } from './record-api.ts'
import { Rounds } from './rounds.ts'
import { ruleStatement } from './rules.ts'
import { schemaRuleHolds } from './schema-access.ts'
import { RecordStore } from './store/record-store.ts'
import { StatementError } from './store/statement-error.ts'
import type { SubscriptionLimits } from './subscriptions/limits.ts'
import { Subscriptions } from './subscriptions/subscriptions.ts'
import { forgetOldAnswers, idempotencyPeriodMs } from './writing/idempotency-sweeper.ts'
import { RecordWriter } from './writing/record-writer.ts'

/** SQLITE_ERROR: what a statement that does not fit the schema ends in. */
const sqliteError = 1

export interface RecordsSettings {
  readonly config: CatalogConfig
  readonly directories: DepotDirectories
  /** Most time of one list or aggregate. */
  readonly queryMsMax: number
  readonly readersMax: number
  /** How much of the change log is kept. */
  readonly retention: RetentionLimits
  /** How long the answer to a write with an Idempotency-Key is kept. */
  readonly answersKeptMs: number
}

export interface RecordsParts {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** Ends the process: storage failed. */
  readonly fence: (message: string) => void
  readonly files: FilesSettings
  readonly subscriptions?: Partial<SubscriptionLimits>
  readonly metrics?: Metrics
}

export class Records {
  readonly store: RecordStore
  readonly writer: RecordWriter
  readonly files: RecordFiles
  readonly subscriptions: Subscriptions
  readonly retention: Retention
  readonly #answers: Rounds
  readonly #parts: RecordsParts
  #settings: RecordsSettings
  #catalog: RecordCatalog
  #reading: ReadParts
  /** Tables may have changed already, and the catalog has not. */
  #isMigrating = false

  /** The administrator that a new depot got just now; its password is told once. */
  readonly firstAdmin: AdminCredentials | null

  private constructor(parts: RecordsParts, settings: RecordsSettings, schema: DepotSchema, store: RecordStore, firstAdmin: AdminCredentials | null) {
    this.#parts = parts
    this.#settings = settings
    this.#catalog = schema.catalog
    this.store = store
    this.firstAdmin = firstAdmin
    this.#reading = readPartsOf(store, settings)
    parts.metrics?.gauge('headwater_record_apis', 'Record APIs that are served.', () => this.#catalog.apis.size)
    parts.metrics?.gauge('headwater_record_catalog_version', 'Grows by one whenever the schema was read anew.', () => this.#catalog.version)
    const databases = () => ['main', ...this.#settings.config.databases]
    this.files = new RecordFiles({ ...parts, settings: parts.files, store, catalog: () => this.#catalog, databases })
    this.subscriptions = this.#makeSubscriptions()
    this.retention = this.#makeRetention(databases)
    this.#answers = this.#makeSweeping(databases)
    this.writer = new RecordWriter({ write: (database, program) => store.write(database, program), files: this.files, clock: parts.clock })
  }

  /** Migrates the databases, compiles the APIs and opens the store. Throws OperatorError for what an operator must mend. */
  static async open(settings: RecordsSettings, parts: RecordsParts): Promise<Records> {
    const { config, directories } = settings
    const { clock, ids, log, fence } = parts
    mkdirSync(join(directories.depot, 'data'), { recursive: true, mode: 0o700 })
    const firstAdmin = await migrateDepot(placeOf(directories, config), { functions: functionsOf(config), ids, clock, log })
    const schema = readDepotSchema(config, directories, 1, clock)
    const store = await RecordStore.open({ ...schema.store, limits: { readersMax: settings.readersMax }, clock, log, fence, ...(parts.metrics === undefined ? {} : { metrics: parts.metrics }) })
    const records = new Records(parts, settings, schema, store, firstAdmin)
    await records.files.start()
    await captureChanges(store, followedTables(schema.catalog), records.#databases)
    records.retention.start()
    records.#answers.start()
    return records
  }

  get catalog(): RecordCatalog {
    return this.#catalog
  }

  api(name: string): RecordApi | undefined {
    return this.#catalog.apis.get(name)
  }

  /** Applies migrations and `settings`; what fails leaves everything as it was (but for migrations before the failing one). */
  async apply(settings: RecordsSettings): Promise<void> {
    const { config, directories } = settings
    this.#isMigrating = true
    try {
      await this.#captured(async () => {
        await migrateRunning(placeOf(directories, config), { functions: functionsOf(config), log: this.#parts.log })
        await this.#replace(settings)
      })
    } finally {
      this.#isMigrating = false
    }
  }

  /** Reads the schema anew, after SQL changed it. */
  async refresh(): Promise<void> {
    await this.#captured(() => this.#replace(this.#settings))
  }

  /** The body of a list. Refuses what list.ts refuses, and `forbidden`. */
  async list(api: RecordApi, principal: Principal, query: string): Promise<string> {
    checkAcl(api, 'read', principal)
    try {
      return await listRecords(this.#reading, api, principal, query)
    } catch (error) {
      throw this.#failure(error, api)
    }
  }

  /** One record. Refuses what read.ts refuses, and `forbidden`. */
  read(api: RecordApi, principal: Principal, id: string, query: string): RecordText | Promise<RecordText> {
    checkAcl(api, 'read', principal)
    try {
      const found = readRecord(this.#reading, api, principal, id, query)
      return found instanceof Promise ? found.catch((error: unknown) => Promise.reject(this.#failure(error, api))) : found
    } catch (error) {
      throw this.#failure(error, api)
    }
  }

  /** A file of a record, for whoever may read the record. Refuses what read-file.ts refuses. */
  file(api: RecordApi, principal: Principal, address: FileAddress): Promise<StoredFile> {
    return findFile(this.#reading, api, principal, address)
  }

  /** The JSON Schema of an API. Its rule sees the caller only (trailbase-api.md §21: asked with a row it denied everybody). */
  schema(api: RecordApi, principal: Principal, mode: SchemaMode): Readonly<Record<string, unknown>> {
    checkAcl(api, 'schema', principal)
    const rule = ruleStatement(api, 'schema')
    if (rule !== null && !schemaRuleHolds(this.store, api, rule, principal)) fail('forbidden', {})
    return recordSchema(api, mode)
  }

  async stop(): Promise<void> {
    this.subscriptions.stop()
    await Promise.all([this.retention.stop(), this.#answers.stop()])
    await this.files.stop()
    await this.store.stop()
  }

  /** When the APIs stay as they were over tables that did not, what subscribers follow is still written down. */
  async #captured(change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      const { config, directories } = this.#settings
      const names = new Set(followedTables(this.#catalog).map(({ database, name }) => `${database}.${name}`))
      const tables = readRelations(config, directories, this.#parts.clock).filter(({ kind, database, name }) => kind === 'table' && names.has(`${database}.${name}`))
      await captureChanges(this.store, tables, this.#databases)
      throw error
    }
  }

  /** A statement from before a migration may name what is gone: no fault of ours, and the next try goes well. */
  #failure(error: unknown, api: RecordApi): Error {
    const isOutdated = this.#isMigrating || this.#catalog.apis.get(api.name) !== api
    if (isOutdated && error instanceof StatementError && error.errno === sqliteError) return new Refusal('overloaded', { detail: 'the schema is changing' })
    return error instanceof Error ? error : new Error(String(error))
  }

  async #replace(settings: RecordsSettings): Promise<void> {
    const schema = readDepotSchema(settings.config, settings.directories, this.#catalog.version + 1, this.#parts.clock)
    await this.store.refresh(schema.store)
    this.#settings = settings
    await captureChanges(this.store, followedTables(schema.catalog), this.#databases) // before anybody can subscribe to a table that was not followed
    this.#reading = readPartsOf(this.store, settings)
    this.#catalog = schema.catalog
    this.subscriptions.replace(schema.catalog)
    await this.files.syncTriggers()
  }

  get #databases(): readonly string[] {
    return ['main', ...this.#settings.config.databases]
  }

  #makeSubscriptions(): Subscriptions {
    const { store } = this
    const { clock, log, metrics, subscriptions: limits } = this.#parts
    const subscriptions = new Subscriptions({
      clock,
      log,
      readNow: (database, sql, params) => store.readNow(database, sql, params),
      read: request => store.read(request),
      current: name => this.#catalog.apis.get(name),
      checkRecord: (api, principal, id) => {
        const found = this.read(api, principal, id, '')
        return found instanceof Promise ? found.then(() => undefined) : undefined
      },
      limits: { queryMsMax: this.#settings.queryMsMax, ...limits },
      ...(metrics === undefined ? {} : { metrics }),
    })
    store.onCommit(database => subscriptions.committed(database))
    return subscriptions
  }

  #makeRetention(databases: () => readonly string[]): Retention {
    const { store } = this
    const deadlineMs = this.#settings.queryMsMax
    return new Retention({
      clock: this.#parts.clock,
      log: this.#parts.log,
      hasChanges: database => store.readNow(database, `SELECT 1 FROM ${quoted(database)}._changes LIMIT 1`, []).length > 0,
      read: async (database, statement) => {
        const answer = await store.read({ database, statements: [statement], deadlineMs, finish: null })
        return 'rows' in answer ? (answer.rows[0] ?? []) : []
      },
      write: (database, program) => store.write(database, program),
      databases,
      limits: () => this.#settings.retention,
    })
  }

  #makeSweeping(databases: () => readonly string[]): Rounds {
    const { store } = this
    const { clock, log } = this.#parts
    const parts = {
      clock,
      readNow: (database: string, sql: string, params: readonly SqlValue[]) => store.readNow(database, sql, params),
      write: (database: string, program: Program) => store.write(database, program),
      keptMs: () => this.#settings.answersKeptMs,
    }
    return new Rounds({ clock, log, databases, periodMs: idempotencyPeriodMs, step: database => forgetOldAnswers(parts, database), failed: 'old answers to idempotent writes could not be removed' })
  }
}

function readPartsOf(store: RecordStore, { queryMsMax }: RecordsSettings): ReadParts {
  return { read: request => store.read(request), readNow: (database, sql, params) => store.readNow(database, sql, params), deadlineMs: queryMsMax }
}

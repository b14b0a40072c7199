/** A depot for tests of the record APIs: a directory with databases that SQL made, and the store over them. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from 'bun:sqlite'
import { systemClock, type Clock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { Metrics } from '../../src/lib/metrics.ts'
import type { SqlRow, SqlValue } from '../../src/lib/sql-value.ts'
import type { FunctionSettings } from '../../src/records/functions/register.ts'
import { Deadline, prepareConnection } from '../../src/records/store/prepare-connection.ts'
import { RecordStore, type RecordStoreLimits, type RecordStoreSettings } from '../../src/records/store/record-store.ts'

export interface DepotOptions {
  /** What `main` holds. */
  readonly sql: string
  /** Additional databases by name: what they hold. Each sees `main`. */
  readonly databases?: Readonly<Record<string, string>>
  /** By database: the others that its rules and views name. */
  readonly attach?: Readonly<Record<string, readonly string[]>>
  readonly functions?: FunctionSettings
  readonly limits?: Partial<RecordStoreLimits>
  readonly clock?: Clock
  readonly metrics?: Metrics
  /** Where the depot is made instead of a directory of its own. It is not removed then. */
  readonly directory?: string
}

export interface Depot extends AsyncDisposable {
  readonly directory: string
  /** Of `main`. */
  readonly path: string
  readonly paths: Readonly<Record<string, string>>
  readonly settings: RecordStoreSettings
  readonly store: RecordStore
  /** What the store told its fence: nothing, in a test that goes well. */
  readonly fenced: readonly string[]
  /** Rows of `main` as another process would see them. */
  rows(sql: string, ...params: SqlValue[]): SqlRow[]
}

/** Makes the files and opens the store. `await using` stops it and removes the files. */
export async function makeDepot(options: DepotOptions): Promise<Depot> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'headwater-depot-'))
  const data = join(directory, 'data')
  mkdirSync(data, { recursive: true })
  const contents = { main: options.sql, ...options.databases }
  const databases = Object.keys(contents).map(name => ({ name, path: join(data, `${name}.db`) }))
  const functions = options.functions ?? { schemas: new Map() }
  for (const { name, path } of databases) build(path, contents[name as 'main'], functions)
  const settings = { databases, attach: new Map(Object.entries(options.attach ?? {})), functions }
  const fenced: string[] = []
  const store = await RecordStore.open({
    ...settings,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    clock: options.clock ?? systemClock,
    log: silentLog,
    fence: message => void fenced.push(message),
  })
  const path = join(data, 'main.db')
  return {
    directory,
    path,
    paths: Object.fromEntries(databases.map(database => [database.name, database.path])),
    settings,
    store,
    fenced,
    rows: (sql, ...params) => rowsOf(path, sql, params),
    async [Symbol.asyncDispose]() {
      await store.stop()
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Runs `sql` on the file at `path`, making it, with the functions that schemas call. */
function build(path: string, sql: string, functions: FunctionSettings): void {
  using db = new Database(path, { create: true, readwrite: true })
  prepareConnection(db, functions, new Deadline(systemClock))
  db.run('PRAGMA journal_mode = WAL')
  if (sql.trim() !== '') db.run(sql)
}

function rowsOf(path: string, sql: string, params: readonly SqlValue[]): SqlRow[] {
  using db = new Database(path, { readonly: true, safeIntegers: true })
  using statement = db.prepare(sql)
  return statement.values(...(params as string[])) as SqlRow[]
}

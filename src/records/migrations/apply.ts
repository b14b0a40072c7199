/** Brings a database to the state that its steps say: ours and those of the operator in one order, each in a transaction of its own, each once. */
import { OperatorError } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { openReader, openWriter } from '../../storage/database.ts'
import { withFilesQueued } from '../files/migrating.ts'
import { dropTriggers, storedTriggersSql } from '../changes/triggers.ts'
import { builtInSteps, type BuiltInStep } from './built-in.ts'
import { brokenReferences, newlyBroken } from './foreign-keys.ts'
import { isRecorded, readHistory, record, type Connection, type HistoryEntry, type HistoryTable } from './history.ts'
import { firstAdminStep, internalSteps } from './internal-tables.ts'
import { findMigrations, type MigrationFile } from './migration-files.ts'
import { splitStatements, type ScriptStatement } from './split-statements.ts'
import { readStoredHistories } from './stored-histories.ts'

export interface MigrationOptions {
  /** `main`, `session`, or the name of an additional database. */
  readonly database: string
  /** Its file; made when it is missing. */
  readonly path: string
  /** Directory of the operator's migrations for it; null: there are none. */
  readonly directory: string | null
  /** For main: a directory in which migrations lie flat, as older depots have it. */
  readonly legacyDirectory?: string | null
  /** Registers the SQL functions that migrations and schemas call. */
  readonly functions: (db: Connection) => void
  readonly clock: Clock
  readonly log: Log
}

export interface AppliedMigrations {
  /** True when the database had no history before. */
  readonly isNew: boolean
  /** What was applied now, in order; `path` is null for steps of ours. */
  readonly applied: readonly { readonly version: number; readonly name: string; readonly path: string | null }[]
  /** True when it has been decided whether the database needs a first administrator (first-admin.ts). */
  readonly adminDecided: boolean
  /** Sentences for the log: changed and vanished migrations, files that are none. They are logged already. */
  readonly warnings: readonly string[]
}

/** What a migration cannot do, because it runs inside a transaction that it must not end. */
const refusedVerbs: ReadonlySet<string> = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE', 'ATTACH', 'DETACH', 'VACUUM'])

const pageBytes = 4096
const cacheBytes = 16 * 1024 * 1024

/**
 * Applies what is missing in ascending order of versions. Throws OperatorError (78) that names file, statement and reason of the first step that
 * fails: the database is then as that step found it. Another process may do the same at the same time. Where nothing is missing, nothing is written.
 */
export function applyMigrations(options: MigrationOptions): AppliedMigrations {
  const { directory, legacyDirectory = null, database, path, log } = options
  const { files, warnings: fileWarnings } = findMigrations(directory, legacyDirectory)
  const builtIns = builtInSteps(database)
  refuseTakenVersions(files, builtIns)
  const steps = [...files, ...builtIns].sort((a, b) => a.version - b.version)
  const told = (history: ReadonlyMap<number, HistoryEntry>) => {
    const warnings = [...fileWarnings, ...historyWarnings(history, files, builtIns)]
    for (const warning of warnings) log.warn(warning, { database })
    return warnings
  }
  const internal = database === 'session' ? [] : internalSteps
  const stored = readStoredHistories(path, internal.length > 0)
  if (stored !== null && hasAll(stored.steps, steps) && hasAll(stored.internal, internal)) {
    return { isNew: false, applied: [], adminDecided: stored.internal.has(firstAdminStep.version), warnings: told(stored.steps) }
  }
  const db = openMigrator(options)
  try {
    const history = readHistory(db, '_schema_history')
    const isNew = history.size === 0
    if (internal.length > 0) applyInternal(db, isNew, options)
    const adminDecided = internal.length > 0 && isRecorded(db, '_internal_history', firstAdminStep.version)
    const warnings = told(history)
    const applied = steps.filter(step => !history.has(step.version) && apply(db, step, options))
    if (applied.length > 0) log.info('migrations applied', { database, count: applied.length, last: applied.at(-1)?.version })
    return { isNew, applied: applied.map(step => ({ version: step.version, name: step.name, path: 'path' in step ? step.path : null })), adminDecided, warnings }
  } finally {
    db.close()
  }
}

function hasAll(history: ReadonlyMap<number, unknown>, steps: readonly { readonly version: number }[]): boolean {
  return steps.every(({ version }) => history.has(version))
}

/** A connection on which schemas may be changed: with the functions, without foreign keys. */
export function openMigrator(options: Pick<MigrationOptions, 'path' | 'functions'>): Connection {
  const db = openWriter(options.path, { pageBytes, cacheBytes })
  // As on every connection to records, so that indexes and checks mean the same.
  db.run('PRAGMA case_sensitive_like = ON')
  db.run('PRAGMA recursive_triggers = ON')
  options.functions(db)
  return db
}

function refuseTakenVersions(files: readonly MigrationFile[], builtIns: readonly BuiltInStep[]): void {
  const taken = builtIns.map(step => step.version)
  const found = files.find(file => taken.includes(file.version))
  if (found === undefined) return
  throw new OperatorError(
    `${found.path}: version ${found.version} belongs to a step of the server (it has ${taken.join(', ')})`,
    'Give the migration another number; `headwater migration NAME` makes one with the time as its number.',
    78,
  )
}

function applyInternal(db: Connection, isNew: boolean, { clock }: MigrationOptions): void {
  const history = readHistory(db, '_internal_history')
  for (const step of internalSteps) {
    if (history.has(step.version)) continue
    inTransaction(db, '_internal_history', { ...step, checksum: '' }, clock, () => {
      step.run(db)
      // A depot that somebody else began has the administrators that it wants.
      if (!isNew && history.size === 0 && !isRecorded(db, '_internal_history', firstAdminStep.version)) record(db, '_internal_history', firstAdminStep, clock.now())
    })
  }
}

function historyWarnings(history: ReadonlyMap<number, HistoryEntry>, files: readonly MigrationFile[], builtIns: readonly BuiltInStep[]): readonly string[] {
  const known = new Map(files.map(file => [file.version, file]))
  const ours = new Set(builtIns.map(step => step.version))
  return [...history.values()].flatMap(entry => {
    if (ours.has(entry.version)) return []
    const file = known.get(entry.version)
    if (file === undefined) return [`migration ${entry.version} (${entry.name}) was applied, but its file is gone`]
    // TrailBase's checksums are of another kind: nothing can be said about those.
    const isChanged = /^[0-9a-f]{64}$/.test(entry.checksum) && entry.checksum !== file.checksum
    return isChanged ? [`${file.path} has changed since it was applied; it is not applied again`] : []
  })
}

/** False when another process was faster. */
function apply(db: Connection, step: MigrationFile | BuiltInStep, options: MigrationOptions): boolean {
  if ('path' in step) return applyFile(db, step, options)
  try {
    return inTransaction(db, '_schema_history', { version: step.version, name: step.name, checksum: '' }, options.clock, () => step.run(db))
  } catch (error) {
    throw new OperatorError(
      `step ${step.version} (${step.name}) of the server failed on database "${options.database}", which is as it was: ${messageOf(error)}`,
      'The database was changed by hand or by another version; restore a backup, or ask for help with this message.',
      78,
    )
  }
}

function applyFile(db: Connection, file: MigrationFile, options: MigrationOptions): boolean {
  const statements = splitStatements(file.sql)
  const refused = statements.find(statement => refusedVerbs.has(statement.verb))
  if (refused !== undefined) throw failed(file, refused, `${refused.verb} cannot be used, because a migration runs in a transaction of its own`)
  let current: ScriptStatement | null = null
  try {
    return inTransaction(db, '_schema_history', file, options.clock, () => {
      endCapture(db)
      withFilesQueued(db, () => {
        for (const statement of statements) {
          current = statement
          db.run(statement.text)
        }
        current = null
      })
      refuseBrokenReferences(db, file, options)
    })
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw failed(file, current, messageOf(error))
  }
}

/** SQLite drops no column that a trigger names. records.ts makes these anew, and whoever follows the changes hears of it (changes/capture.ts). */
function endCapture(db: Connection): void {
  const stored = db.query<{ name: string; tbl_name: string; sql: string }, []>(storedTriggersSql('main')).all()
  for (const { sql } of dropTriggers('main', stored.map(({ name, tbl_name, sql }) => ({ name, table: tbl_name, sql })))) db.run(sql)
}

/** Foreign keys were off, so that tables could be put in place of others; what refers to nothing afterwards is the migration's mistake. */
function refuseBrokenReferences(db: Connection, file: MigrationFile, options: MigrationOptions): void {
  const after = brokenReferences(db)
  if (after.size === 0) return
  // The transaction is not visible to others yet: they see the state before it.
  const reader = openReader(options.path, cacheBytes)
  try {
    options.functions(reader)
    const broken = newlyBroken(brokenReferences(reader), after)
    if (broken.length > 0) throw failed(file, null, `foreign keys would refer to missing rows: ${broken.join('; ')}`)
  } finally {
    reader.close()
  }
}

function inTransaction(db: Connection, table: HistoryTable, entry: HistoryEntry, clock: Clock, run: () => void): boolean {
  // A migration may have changed them; both can only be set between transactions.
  db.run('PRAGMA foreign_keys = OFF')
  db.run('PRAGMA legacy_alter_table = OFF')
  db.run('BEGIN IMMEDIATE')
  try {
    const isOurs = !isRecorded(db, table, entry.version)
    if (isOurs) {
      run()
      record(db, table, entry, clock.now())
    }
    db.run('COMMIT')
    return isOurs
  } catch (error) {
    // RAISE(ROLLBACK) and some errors of storage have ended it already.
    if (db.inTransaction) db.run('ROLLBACK')
    throw error
  }
}

/** Most characters of a statement in a message. */
const statementCharactersMax = 400

function failed(file: MigrationFile, statement: ScriptStatement | null, reason: string): OperatorError {
  const text = statement === null ? '' : `\n  ${shortened(statement.text).replaceAll('\n', '\n  ')}`
  const place = statement === null ? file.path : `${file.path}:${statement.line}`
  return new OperatorError(`the migration ${place} failed: ${reason}${text}`, 'Correct the file and start again; nothing of it was applied.', 78)
}

function shortened(text: string): string {
  return text.length > statementCharactersMax ? `${text.slice(0, statementCharactersMax)}…` : text
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

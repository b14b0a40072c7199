/** Opens SQLite files the one way that we trust: WAL, every commit synced, version checked. Knows no tables. */
import { Database, constants } from 'bun:sqlite'
import { pathToFileURL } from 'node:url'
import { assert } from '../lib/assert.ts'
import { OperatorError } from '../lib/errors.ts'

/** Older libraries have the WAL-reset defect (field.md B26). */
const sqliteVersionMin = [3, 53, 2] as const

/** How long a statement waits for a lock of another connection, in ms. Ours hold locks for a few ms only. */
export const busyTimeoutMs = 10_000

export interface WriterOptions {
  /** Bytes per page of a new file. */
  readonly pageBytes: number
  /** Bytes of page cache of this connection. */
  readonly cacheBytes: number
}

/**
 * Opens `path` for its one writing thread, creating it when it is missing. Checkpoints are not automatic: they would run
 * inside a commit (they are what lifts its p99 from 4 to 37 ms); storage/checkpoint-worker.ts makes them.
 */
export function openWriter(path: string, options: WriterOptions): Database {
  assertSqliteVersion()
  const db = new Database(path, { create: true, readwrite: true, strict: true })
  db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  db.run(`PRAGMA page_size = ${options.pageBytes}`)
  db.run('PRAGMA journal_mode = WAL')
  db.run('PRAGMA synchronous = FULL')
  db.run('PRAGMA wal_autocheckpoint = 0')
  db.run(`PRAGMA cache_size = -${Math.ceil(options.cacheBytes / 1024)}`)
  db.run('PRAGMA foreign_keys = ON')
  assertDurable(db)
  return db
}

/** Opens `path` for reading beside its writer. */
export function openReader(path: string, cacheBytes: number): Database {
  const db = new Database(path, { readonly: true, strict: true })
  db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  db.run('PRAGMA query_only = ON')
  db.run(`PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)}`)
  return db
}

/**
 * Opens `path` for reading without changing a byte of it or of the files beside it, while nobody writes it. `hasCommits`: commits stand in its
 * WAL (storage/wal-check.ts). Its index is then built in memory, and closing must not copy the WAL: the file is open for reading only.
 */
export function openUntouched(path: string, hasCommits: boolean, cacheBytes: number): Database {
  const form = hasCommits ? 'mode=ro&vfs=unix-none' : 'immutable=1'
  const db = new Database(`${pathToFileURL(path).href}?${form}`, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI)
  if (hasCommits) {
    db.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1)
    db.run('PRAGMA locking_mode = EXCLUSIVE') // no shared memory file
  }
  db.run('PRAGMA query_only = ON')
  db.run(`PRAGMA cache_size = -${Math.ceil(cacheBytes / 1024)}`)
  return db
}

/** Throws unless commits of `db` are in the WAL and synced one by one (field.md B27). */
export function assertDurable(db: Database): void {
  const mode = db.query<{ journal_mode: string }, []>('PRAGMA journal_mode').get()?.journal_mode
  const synchronous = db.query<{ synchronous: number }, []>('PRAGMA synchronous').get()?.synchronous
  assert(mode === 'wal', `journal_mode is wal, not ${mode}`)
  assert(synchronous === 2, `synchronous is FULL (2), not ${synchronous}`)
}

export function sqliteVersion(): string {
  const db = new Database(':memory:')
  const version = db.query<{ version: string }, []>('SELECT sqlite_version() AS version').get()?.version ?? '0'
  db.close()
  return version
}

function assertSqliteVersion(): void {
  const version = sqliteVersion()
  const parts = version.split('.').map(Number)
  for (const [i, least] of sqliteVersionMin.entries()) {
    const part = parts[i] ?? 0
    if (part > least) return
    if (part < least) {
      throw new OperatorError(
        `this build has SQLite ${version}; ${sqliteVersionMin.join('.')} or later is needed`,
        'install a current headwater binary',
        78,
      )
    }
  }
}

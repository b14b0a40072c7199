/** Opens connections to the databases of a depot: `main` and what is attached, each under its name. What runs on them is not its business. */
import { Database, constants } from 'bun:sqlite'
import { closeSync, openSync, readSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { must } from '../../lib/assert.ts'
import { OperatorError } from '../../lib/errors.ts'
import { busyTimeoutMs, openWriter } from '../../storage/database.ts'
import { quoted } from '../../storage/identifier.ts'

/** A database by the name that statements use. */
export interface NamedDatabase {
  readonly name: string
  readonly path: string
}

/** What one connection sees. All of it is read-only but `target`, when the connection is a writer's. */
export interface ConnectionPlan {
  /** The database that the connection is for. */
  readonly target: string
  /** `main` first, then what is attached, `target` among them. */
  readonly databases: readonly NamedDatabase[]
}

/** Registers the functions that statements and schemas call. */
export type PrepareConnection = (db: Database) => void

/** Databases beside `main` that SQLite attaches to one connection. */
export const attachedMax = 10
const pageBytes = 4096
const writerCacheBytes = 16 * 1024 * 1024
const readerCacheBytes = 16 * 1024 * 1024

/** What a connection for `target` needs to see: itself, `main`, and the databases that its rules and views name. */
export function planConnection(target: string, databases: readonly NamedDatabase[], attach: ReadonlyMap<string, readonly string[]>): ConnectionPlan {
  const names = new Set(['main', target, ...(attach.get(target) ?? [])])
  if (names.size > attachedMax + 1) {
    throw new OperatorError(
      `the record APIs of database "${target}" use ${names.size - 1} further databases; SQLite attaches ${attachedMax}`,
      'name fewer in attached_databases',
      78,
    )
  }
  const seen = [...names].map(name => {
    const found = databases.find(database => database.name === name)
    if (found === undefined) throw new OperatorError(`there is no database "${name}"`, 'add it to databases, or correct attached_databases', 78)
    return found
  })
  return { target, databases: seen }
}

/** The database that the connection is for. */
export function targetOf({ target, databases }: ConnectionPlan): NamedDatabase {
  return must(databases.find(({ name }) => name === target), 'a plan holds its target')
}

/** The one connection that writes `target`, creating its file when it is missing; the other databases cannot be written through it. */
export function openRecordWriter(plan: ConnectionPlan, prepare: PrepareConnection): Database {
  createFile(plan)
  const isMain = plan.target === 'main'
  const db = open(plan, isMain ? 'rw' : 'ro', constants.SQLITE_OPEN_READWRITE)
  db.run(`PRAGMA ${quoted(plan.target)}.synchronous = FULL`)
  db.run(`PRAGMA ${quoted(plan.target)}.cache_size = -${writerCacheBytes / 1024}`)
  db.run('PRAGMA wal_autocheckpoint = 0')
  db.run('PRAGMA temp_store = MEMORY') // a statement journal in a file would make a full or read-only /tmp an error of storage
  db.run('PRAGMA foreign_keys = ON')
  db.run('PRAGMA recursive_triggers = ON') // a REPLACE fires the delete triggers of what it replaces: the change log needs them
  finish(db, prepare)
  return db
}

/** Makes the file when it is missing, and a WAL database of it when it is none. Throws what SQLite says of a file that is no database. */
export function makeRecordFile(path: string): void {
  if (!isWalDatabase(path)) openWriter(path, { pageBytes, cacheBytes: writerCacheBytes }).close(true)
}

export function openRecordReader(plan: ConnectionPlan, prepare: PrepareConnection): Database {
  const db = open(plan, 'ro', constants.SQLITE_OPEN_READONLY)
  db.run('PRAGMA query_only = ON')
  for (const { name } of plan.databases) db.run(`PRAGMA ${quoted(name)}.cache_size = -${readerCacheBytes / 1024}`)
  finish(db, prepare)
  return db
}

/** Makes the file a WAL database that is synced; refuses an SQLite that is too old. */
function createFile(plan: ConnectionPlan): void {
  openWriter(targetOf(plan).path, { pageBytes, cacheBytes: writerCacheBytes }).close(true)
}

function open({ target, databases }: ConnectionPlan, mainMode: 'rw' | 'ro', flags: number): Database {
  const main = databases.find(({ name }) => name === 'main')
  if (main === undefined) throw new OperatorError('there is no database "main"', 'name it first', 78)
  const db = new Database(uri(main.path, mainMode), flags | constants.SQLITE_OPEN_URI)
  db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  const isWriter = flags === constants.SQLITE_OPEN_READWRITE
  for (const { name, path } of databases) {
    if (name !== 'main') db.run(`ATTACH ? AS ${quoted(name)}`, [uri(path, isWriter && name === target ? 'rw' : 'ro')])
  }
  return db
}

function finish(db: Database, prepare: PrepareConnection): void {
  db.run('PRAGMA case_sensitive_like = ON') // trailbase-api.md §7.3
  prepare(db)
}

function uri(path: string, mode: 'rw' | 'ro'): string {
  return `${pathToFileURL(path).href}?mode=${mode}`
}


/** Where the header of a file has the versions that can write and read it: 2 in both is WAL (https://sqlite.org/fileformat2.html#file_format_version_numbers). */
const formatAt = 18
const headerText = 'SQLite format 3\0'

function isWalDatabase(path: string): boolean {
  const header = Buffer.alloc(formatAt + 2)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, header, 0, header.byteLength, 0)
    } finally {
      closeSync(file)
    }
  } catch {
    return false // opening it for writing says why
  }
  return header.toString('latin1', 0, headerText.length) === headerText && header[formatAt] === 2 && header[formatAt + 1] === 2
}

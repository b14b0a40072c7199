/** Which steps a database has had: `_schema_history`, in the columns that TrailBase's tool keeps, and `_internal_history` for tables of our own. */
import type { openWriter } from '../../storage/database.ts'

/** A connection that may change the schema. */
export type Connection = ReturnType<typeof openWriter>

export interface HistoryEntry {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** Which of the two tables. Numbers of our own tables must not meet those of migrations, so they have a table of their own. */
export type HistoryTable = '_schema_history' | '_internal_history'

/** Makes the table when it is missing, and reads it, oldest version first. */
export function readHistory(db: Connection, table: HistoryTable): ReadonlyMap<number, HistoryEntry> {
  // INT8 and not INTEGER PRIMARY KEY: a version may have a fraction.
  db.run(`CREATE TABLE IF NOT EXISTS ${table} (version INT8 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))`)
  return storedHistory(db, table)
}

/** Reads the table, oldest version first; throws when it is missing. */
export function storedHistory(db: Connection, table: HistoryTable): ReadonlyMap<number, HistoryEntry> {
  const rows = db.query<{ version: number; name: string | null; checksum: string | null }, []>(`SELECT version, name, checksum FROM ${table} ORDER BY version`).all()
  return new Map(rows.map(row => [Number(row.version), { version: Number(row.version), name: row.name ?? '', checksum: row.checksum ?? '' }]))
}

/** True when step `version` was applied, possibly by another process since. */
export function isRecorded(db: Connection, table: HistoryTable, version: number): boolean {
  return db.query(`SELECT 1 FROM ${table} WHERE version = ?1`).get(version) !== null
}

export function record(db: Connection, table: HistoryTable, entry: HistoryEntry, nowMs: number): void {
  const appliedOn = new Date(nowMs).toISOString()
  db.run(`INSERT INTO ${table} (version, name, applied_on, checksum) VALUES (?1, ?2, ?3, ?4)`, [entry.version, entry.name, appliedOn, entry.checksum])
}

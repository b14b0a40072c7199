/**
 * Files while a migration changes their tables. SQLite drops no column that a trigger names, so the triggers go before it, and come back where there is
 * still a column for them. What they would have queued is found by comparing: the values from before that no column has any more.
 */
import { quoted } from '../../storage/identifier.ts'
import type { Connection } from '../migrations/history.ts'

/** Runs `change` in the transaction that is open on `db`, whose database is `main` there. */
export function withFilesQueued(db: Connection, change: () => void): void {
  const triggers = endTriggers(db)
  const columns = triggers.filter(({ name }) => name.endsWith(':delete'))
  if (columns.length === 0) return change()
  db.run('CREATE TEMP TABLE _files_before (place INTEGER NOT NULL, json TEXT NOT NULL)')
  const existing = columns.filter(column => hasColumn(db, column))
  existing.forEach(({ table, column }, place) => {
    db.run(`INSERT INTO temp._files_before SELECT ${place}, CAST(${quoted(column)} AS TEXT) FROM main.${quoted(table)} WHERE ${quoted(column)} IS NOT NULL`)
  })
  change()
  existing.forEach((column, place) => queueDropped(db, column, place))
  db.run('DROP TABLE temp._files_before')
  // A server that runs beside the migration may delete rows before it knows of it.
  for (const trigger of triggers) if (hasColumn(db, trigger)) db.run(trigger.sql)
}

interface Place {
  readonly name: string
  readonly sql: string
  readonly table: string
  readonly column: string
}

/** Drops them, and gives them with the columns that they were for. */
function endTriggers(db: Connection): readonly Place[] {
  const stored = db.query<{ name: string; tbl_name: string; sql: string }, []>("SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB '_files:*:*:*'").all()
  for (const { name } of stored) db.run(`DROP TRIGGER main.${quoted(name)}`)
  return stored.map(({ name, tbl_name, sql }) => ({ name, sql, table: tbl_name, column: decodeURIComponent(name.split(':')[2] ?? '') }))
}

/** A table that was renamed has nothing here either: the sweep asks all tables before it removes a file. */
function queueDropped(db: Connection, place: Place, index: number): void {
  const column = quoted(place.column)
  const gone = hasColumn(db, place) ? ` AND json NOT IN (SELECT CAST(${column} AS TEXT) FROM main.${quoted(place.table)} WHERE ${column} IS NOT NULL)` : ''
  db.query<unknown, [string, string]>(
    `INSERT INTO main._file_deletions (table_name, record_rowid, column_name, json) SELECT ?1, 0, ?2, json FROM temp._files_before WHERE place = ${index}${gone}`,
  ).run(place.table, place.column)
}

function hasColumn(db: Connection, { table, column }: Place): boolean {
  return db.query("SELECT 1 FROM pragma_table_info(?1, 'main') WHERE name = ?2").get(table, column) !== null
}

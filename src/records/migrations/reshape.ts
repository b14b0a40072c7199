/** Gives an existing table other columns: makes it anew, copies the rows and puts it in the old one's place. Foreign keys must be off. */
import { quoted } from '../../storage/identifier.ts'
import type { Connection } from './history.ts'

export interface Shape {
  readonly table: string
  /** What stands between the parentheses and behind them: `(a INTEGER, b TEXT) STRICT`. */
  readonly body: string
  /** Indexes and triggers that belong to it. */
  readonly extras: readonly string[]
}

/** Names of the columns of `table`; empty when there is none. */
export function columnsOf(db: Connection, table: string): readonly string[] {
  return db.query<{ name: string }, [string]>('SELECT name FROM pragma_table_info(?1)').all(table).map(row => row.name)
}

/** Makes the table when it is missing. */
export function createShape(db: Connection, shape: Shape): void {
  db.run(`CREATE TABLE IF NOT EXISTS ${quoted(shape.table)} ${shape.body}`)
  for (const sql of shape.extras) db.run(sql)
}

/**
 * Turns the table into `shape`. A column takes its values from `values`, an SQL expression over the old row, else from the column of
 * the same name, else its default. Indexes and triggers of others stay; those whose name begins with `_` were the old shape's.
 */
export function reshape(db: Connection, shape: Shape, values: Readonly<Record<string, string>> = {}): void {
  const temporary = `${shape.table}_new`
  const before = columnsOf(db, shape.table)
  const others = db
    .query<{ sql: string }, [string]>(`SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND type IN ('index', 'trigger') AND sql IS NOT NULL AND name NOT LIKE '\\_%' ESCAPE '\\'`)
    .all(shape.table)
  // Otherwise a view that names the table would make the renaming fail, and references of other tables would follow the old one.
  db.run('PRAGMA legacy_alter_table = ON')
  db.run(`CREATE TABLE ${quoted(temporary)} ${shape.body}`)
  const copied = columnsOf(db, temporary).flatMap(name => {
    const value = values[name] ?? (before.includes(name) ? quoted(name) : null)
    return value === null ? [] : [{ name: quoted(name), value }]
  })
  db.run(
    `INSERT INTO ${quoted(temporary)} (${copied.map(column => column.name).join(', ')}) ` +
      `SELECT ${copied.map(column => column.value).join(', ')} FROM ${quoted(shape.table)}`,
  )
  db.run(`DROP TABLE ${quoted(shape.table)}`)
  db.run(`ALTER TABLE ${quoted(temporary)} RENAME TO ${quoted(shape.table)}`)
  db.run('PRAGMA legacy_alter_table = OFF')
  for (const sql of [...shape.extras, ...others.map(row => row.sql)]) db.run(sql)
}

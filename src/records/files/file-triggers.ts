/** Triggers that queue what a column held, in the transaction that replaces or deletes it: also for raw SQL, and undone with it. The queue is file-sweeper.ts. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { literal, qualified, quoted } from '../../storage/identifier.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { FileColumn } from './file-columns.ts'

const prefix = '_files:'

/** Makes the triggers of `databases` those of `columns`; nothing is written when they are. Throws what SQLite said. */
export async function syncFileTriggers(store: RecordStore, databases: readonly string[], columns: readonly FileColumn[]): Promise<void> {
  for (const database of databases) {
    const wanted = new Map(columns.filter(({ relation }) => relation.database === database).flatMap(triggersOf))
    const found = new Map(store.readNow(database, `SELECT name, sql FROM ${quoted(database)}.sqlite_schema WHERE type = 'trigger' AND substr(name, 1, ?1) = ?2`, [BigInt(prefix.length), prefix]).map(textPair))
    const stale = [...found].filter(([name, sql]) => !isSame(wanted.get(name), sql)).map(([name]) => ({ sql: `DROP TRIGGER ${qualified(database, name)}`, params: [] }))
    const missing = [...wanted].filter(([name, sql]) => !isSame(sql, found.get(name))).map(([name, sql]) => ({ sql: sql.replace(quoted(name), () => qualified(database, name)), params: [] }))
    if (stale.length + missing.length === 0) continue
    const outcome = await store.exclusive(database, [...stale, ...missing])
    if (!outcome.ok) throw new Error(`triggers for files of database "${database}": ${outcome.problem.message}`)
  }
}

/** Name and text of both triggers of a column. */
function triggersOf({ relation, column }: FileColumn): readonly (readonly [string, string])[] {
  const [table, name] = [quoted(relation.name), quoted(column.name)]
  const trigger = (op: string) => `${prefix}${encodeURIComponent(relation.name)}:${encodeURIComponent(column.name)}:${op}`
  const values = `${literal(relation.name)}, ${rowidOf(relation)}, ${literal(column.name)}, CAST(OLD.${name} AS TEXT)`
  const insert = 'INSERT INTO _file_deletions (table_name, record_rowid, column_name, json, updated_json) VALUES'
  return [
    [trigger('delete'), `CREATE TRIGGER ${quoted(trigger('delete'))} AFTER DELETE ON ${table} WHEN OLD.${name} IS NOT NULL BEGIN ${insert} (${values}, NULL); END`],
    [
      trigger('update'),
      `CREATE TRIGGER ${quoted(trigger('update'))} AFTER UPDATE OF ${name} ON ${table} WHEN OLD.${name} IS NOT NULL AND OLD.${name} IS NOT NEW.${name} ` +
        `BEGIN ${insert} (${values}, CAST(NEW.${name} AS TEXT)); END`,
    ],
  ]
}

/** 0 where rows have none, or where columns took every name that it goes by. */
function rowidOf({ columns, isWithoutRowid }: FileColumn['relation']): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()))
  const name = ['rowid', '_rowid_', 'oid'].find(each => !taken.has(each))
  return isWithoutRowid || name === undefined ? '0' : `OLD.${name}`
}

/** SQLite stores the text as it was given, but for the database. */
function isSame(wanted: string | undefined, stored: string | undefined): boolean {
  return wanted !== undefined && stored !== undefined && wanted === stored
}

function textPair([name, sql]: readonly SqlValue[]): readonly [string, string] {
  return [String(name), String(sql)]
}

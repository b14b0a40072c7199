/** The triggers that write the change log: which there should be, and the SQL that makes it so. Reading the log is change-log.ts. */
import { OperatorError } from '../../lib/errors.ts'
import { literal, quoted } from '../../storage/identifier.ts'
import type { Relation } from '../catalog/relation.ts'
import type { RecordCatalog } from '../record-api.ts'
import { columnsMax, rowTextSql } from './row-text.ts'

/** A trigger as `sqlite_schema` has it. */
export interface StoredTrigger {
  readonly name: string
  readonly table: string
  readonly sql: string
}

/** A script for `RecordStore.exclusive`. */
export interface TriggerScript {
  readonly sql: string
  readonly params: readonly []
}

const prefix = '_changes_'
const operations = [
  { name: 'insert', number: 1, event: 'INSERT', hasOld: false, hasNew: true },
  { name: 'update', number: 2, event: 'UPDATE', hasOld: true, hasNew: true },
  { name: 'delete', number: 3, event: 'DELETE', hasOld: true, hasNew: false },
] as const

/** Triggers of the change log in `database`, as rows of StoredTrigger's members. A pattern of GLOB has no use for `_`. */
export function storedTriggersSql(database: string): string {
  return `SELECT name, tbl_name, sql FROM ${quoted(database)}.sqlite_schema WHERE type = 'trigger' AND name GLOB '${prefix}*'`
}

/** The tables whose changes somebody may subscribe to. */
export function followedTables(catalog: RecordCatalog): readonly Relation[] {
  const followed = [...catalog.apis.values()].filter(({ enableSubscriptions, relation }) => enableSubscriptions && relation.kind === 'table')
  return [...new Map(followed.map(({ relation }) => [`${relation.database}.${relation.name}`, relation])).values()]
}

/**
 * What has to run in one transaction so that `database` has the triggers of `tables` and no others; empty when it has. A table whose
 * triggers were missing or of another form may have changed unseen: a row without old and new values tells the followers. Throws
 * OperatorError for a table with too many columns.
 */
export function syncTriggers(database: string, tables: readonly Relation[], stored: readonly StoredTrigger[]): readonly TriggerScript[] {
  const known = new Map(stored.map(trigger => [trigger.name, trigger.sql]))
  const wanted = tables.map(relation => ({ relation, triggers: triggersOf(relation) }))
  const names = new Set(wanted.flatMap(({ triggers }) => triggers.map(({ name }) => name)))
  const scripts = stored.filter(({ name }) => !names.has(name)).map(({ name }) => dropTrigger(database, name))
  for (const { relation, triggers } of wanted) {
    if (triggers.every(({ name, text }) => known.get(name) === `CREATE TRIGGER ${text}`)) continue
    for (const { name, text } of triggers) {
      if (known.has(name)) scripts.push(dropTrigger(database, name))
      scripts.push(script(`CREATE TRIGGER ${quoted(database)}.${text}`))
    }
    const at = '(SELECT n FROM ' + quoted(database) + '._txn), ' + nowSql
    scripts.push(script(`INSERT INTO ${quoted(database)}._changes (txn, at, relation, op) VALUES (${at}, ${literal(relation.name)}, 3)`))
  }
  return scripts
}

/** Before SQL that changes columns: SQLite drops none that a trigger names. `syncTriggers` makes them anew afterwards. */
export function dropTriggers(database: string, stored: readonly StoredTrigger[]): readonly TriggerScript[] {
  return stored.map(({ name }) => dropTrigger(database, name))
}

/** Milliseconds since the epoch. */
const nowSql = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

function triggersOf(relation: Relation): readonly { readonly name: string; readonly text: string }[] {
  if (relation.columns.length > columnsMax) {
    throw new OperatorError(`the table "${relation.name}" has more than ${columnsMax} columns, too many for subscriptions`, 'Set enable_subscriptions to false for its record APIs.', 78)
  }
  return operations.map(operation => {
    const name = `${prefix}${relation.name}_${operation.name}`
    const old = operation.hasOld ? rowTextSql(relation.columns, 'OLD') : 'NULL'
    const next = operation.hasNew ? rowTextSql(relation.columns, 'NEW') : 'NULL'
    const values = `(SELECT n FROM _txn), ${nowSql}, ${literal(relation.name)}, ${operation.number}, ${old}, ${next}`
    // A table in a trigger is looked for in the trigger's own database.
    const insert = `INSERT INTO _changes (txn, at, relation, op, old, new) VALUES (${values})`
    return { name, text: `${quoted(name)} AFTER ${operation.event} ON ${quoted(relation.name)} BEGIN ${insert}; END` }
  })
}

function dropTrigger(database: string, name: string): TriggerScript {
  return script(`DROP TRIGGER IF EXISTS ${quoted(database)}.${quoted(name)}`)
}

function script(sql: string): TriggerScript {
  return { sql, params: [] }
}

/** Keeps the triggers of the change log as subscriptions need them, in the databases that are open. Their text is triggers.ts. */
import { assert } from '../../lib/assert.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import type { Relation } from '../catalog/relation.ts'
import type { ReadNow } from './change-log.ts'
import { dropTriggers, storedTriggersSql, syncTriggers, type StoredTrigger, type TriggerScript } from './triggers.ts'

/** What is needed of RecordStore. */
export interface CaptureStore {
  readNow: ReadNow
  exclusive(database: string, scripts: readonly TriggerScript[]): Promise<{ readonly ok: boolean }>
}

/** From now on the changes of `followed` are written down, and those of no other tables. Nothing is done when it is so. */
export async function captureChanges(store: CaptureStore, followed: readonly Relation[], databases: readonly string[]): Promise<void> {
  for (const database of databases) {
    const scripts = syncTriggers(database, followed.filter(relation => relation.database === database), storedTriggers(store, database))
    if (scripts.length === 0) continue
    const outcome = await store.exclusive(database, scripts)
    assert(outcome.ok, `the triggers of the change log can be made: ${JSON.stringify(outcome)}`)
  }
}

/** SQL to run before what changes the columns of tables, in the same transaction; call captureChanges afterwards. */
export function captureEnd(store: Pick<CaptureStore, 'readNow'>, database: string): readonly TriggerScript[] {
  return dropTriggers(database, storedTriggers(store, database))
}

function storedTriggers(store: Pick<CaptureStore, 'readNow'>, database: string): readonly StoredTrigger[] {
  return store.readNow(database, storedTriggersSql(database), []).map(triggerOf)
}

function triggerOf([name, table, sql]: SqlRow): StoredTrigger {
  return { name: text(name), table: text(table), sql: text(sql) }
}

function text(value: SqlValue | undefined): string {
  assert(typeof value === 'string', 'a trigger has a name, a table and a text')
  return value
}

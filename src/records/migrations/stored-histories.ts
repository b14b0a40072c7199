/** What a database says of its steps, read without writing to it: most starts find that nothing is missing. Applying steps is apply.ts. */
import { existsSync, statSync } from 'node:fs'
import { openUntouched } from '../../storage/database.ts'
import { storedHistory, type HistoryEntry } from './history.ts'

export interface StoredHistories {
  readonly steps: ReadonlyMap<number, HistoryEntry>
  /** Of our own tables; empty where there are none. */
  readonly internal: ReadonlyMap<number, HistoryEntry>
}

const cacheBytes = 256 * 1024

/** Null when they cannot be read, for whatever reason: whoever opens the file for writing afterwards meets the same and says it. */
export function readStoredHistories(path: string, hasInternal: boolean): StoredHistories | null {
  // After a kill the log is emptied by whoever opens the file for writing, and a reader would leave its index beside the file: on a full disk
  // that room is what the start needs.
  if (!existsSync(path) || (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return null
  try {
    const db = openUntouched(path, false, cacheBytes)
    try {
      return { steps: storedHistory(db, '_schema_history'), internal: hasInternal ? storedHistory(db, '_internal_history') : new Map() }
    } finally {
      db.close()
    }
  } catch {
    return null
  }
}

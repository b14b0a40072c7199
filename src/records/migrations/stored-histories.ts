/** What a database says of its steps, read without writing to it: most starts find that nothing is missing. Applying steps is apply.ts. */
import { existsSync } from 'node:fs'
import { openReader } from '../../storage/database.ts'
import { storedHistory, type HistoryEntry } from './history.ts'

export interface StoredHistories {
  readonly steps: ReadonlyMap<number, HistoryEntry>
  /** Of our own tables; empty where there are none. */
  readonly internal: ReadonlyMap<number, HistoryEntry>
}

const cacheBytes = 256 * 1024

/** Null when they cannot be read, for whatever reason: whoever opens the file for writing afterwards meets the same and says it. */
export function readStoredHistories(path: string, hasInternal: boolean): StoredHistories | null {
  if (!existsSync(path)) return null
  try {
    const db = openReader(path, cacheBytes)
    try {
      return { steps: storedHistory(db, '_schema_history'), internal: hasInternal ? storedHistory(db, '_internal_history') : new Map() }
    } finally {
      db.close()
    }
  } catch {
    return null
  }
}

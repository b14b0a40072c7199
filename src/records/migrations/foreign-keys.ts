/** Rows whose foreign key refers to nothing, counted, so that what a migration breaks can be told from what was broken before. */
import type { Connection } from './history.ts'

/** Number of rows by `table → parent`. */
export type BrokenReferences = ReadonlyMap<string, number>

export function brokenReferences(db: Connection): BrokenReferences {
  const counts = new Map<string, number>()
  for (const { table, parent } of db.query<{ table: string; parent: string }, []>('PRAGMA foreign_key_check').iterate()) {
    const name = `"${table}" → "${parent}"`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** What `after` has more of than `before`, in words. */
export function newlyBroken(before: BrokenReferences, after: BrokenReferences): readonly string[] {
  return [...after].flatMap(([name, count]) => {
    const more = count - (before.get(name) ?? 0)
    return more > 0 ? [`${more} ${more === 1 ? 'row' : 'rows'} of ${name}`] : []
  })
}

/** The change log of one database, as readers see it: pages of changes after a position. What becomes of them is subscriptions/ and sync/. */
import { assert } from '../../lib/assert.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { quoted } from '../../storage/identifier.ts'

/** Rows read at once on the calling thread (RecordStore.readNow). */
export type ReadNow = (database: string, sql: string, params: readonly SqlValue[]) => readonly SqlRow[]

/** `gap`: of this table changes may be missing before here (triggers.ts). */
export type Operation = 'insert' | 'update' | 'delete' | 'gap'

export interface Change {
  /** The position behind this change. Positions have no holes. */
  readonly seq: number
  readonly txn: number
  readonly relation: string
  readonly operation: Operation
  /** Rows as row-text.ts writes them; null where the operation has none. */
  readonly old: string | null
  readonly new: string | null
}

/** `lost`: changes right behind the position are not kept any more; those from `horizon` on are. */
export type ChangePage = { readonly kind: 'changes'; readonly changes: readonly Change[] } | { readonly kind: 'lost'; readonly horizon: number }

/** Changes of one page. */
export const pageChangesMax = 256
/** Bytes of one page, at about; a single change may be larger. */
export const pageBytesMax = 4 * 1024 * 1024

export class ChangeLog {
  readonly database: string
  readonly #read: ReadNow
  readonly #sql: { readonly head: string; readonly first: string; readonly sizes: string; readonly rows: string }

  constructor(database: string, read: ReadNow) {
    this.database = database
    this.#read = read
    const table = `${quoted(database)}._changes`
    this.#sql = {
      head: headSql(database),
      first: `SELECT min(seq) FROM ${table}`,
      sizes: `SELECT seq, ifnull(octet_length(old), 0) + ifnull(octet_length(new), 0) FROM ${table} WHERE seq > ?1 ORDER BY seq LIMIT ${pageChangesMax}`,
      rows: `SELECT seq, txn, relation, op, old, new FROM ${table} WHERE seq > ?1 AND seq <= ?2 ORDER BY seq`,
    }
  }

  /** The position behind the newest change. */
  head(): number {
    return Number(this.#read(this.database, this.#sql.head, [])[0]?.[0] ?? 0)
  }

  /** The oldest position from which all changes are kept. */
  horizon(): number {
    const first = this.#read(this.database, this.#sql.first, [])[0]?.[0] ?? null
    return first === null ? this.head() : Number(first) - 1
  }

  /** Changes after `position`, the next ones first; none when it is the newest. */
  page(position: number): ChangePage {
    const sizes = this.#read(this.database, this.#sql.sizes, [BigInt(position)])
    const rows = sizes.length === 0 ? [] : this.#read(this.database, this.#sql.rows, [BigInt(position), BigInt(endOf(sizes))])
    const changes = unbroken(position, rows.map(changeOf))
    if (changes.length > 0) return { kind: 'changes', changes }
    const next = rows[0]?.[0]
    if (next !== undefined) return { kind: 'lost', horizon: Number(next) - 1 }
    // Taken away between the two reads, or nothing is kept at all.
    const horizon = this.horizon()
    return horizon > position ? { kind: 'lost', horizon } : { kind: 'changes', changes: [] }
  }
}

/** One row with the position behind the newest change of `database`. */
export function headSql(database: string): string {
  return `SELECT ifnull((SELECT seq FROM ${quoted(database)}.sqlite_sequence WHERE name = '_changes'), 0)`
}

/** Where a page ends that is not too large. */
function endOf(sizes: readonly SqlRow[]): number {
  let bytes = 0
  let end = 0
  for (const [seq, size] of sizes) {
    bytes += Number(size)
    if (end > 0 && bytes > pageBytesMax) break
    end = Number(seq)
  }
  return end
}

/** Numbers follow on each other, since a transaction that is rolled back gives its own back. A hole is what retention or somebody took away. */
function unbroken(position: number, changes: readonly Change[]): readonly Change[] {
  const hole = changes.findIndex((change, i) => change.seq !== position + 1 + i)
  return hole < 0 ? changes : changes.slice(0, hole)
}

const operations = ['insert', 'update', 'delete'] as const

function changeOf([seq, txn, relation, number, old = null, next = null]: SqlRow): Change {
  const operation = operations[Number(number) - 1]
  assert(operation !== undefined && typeof relation === 'string', 'a change has an operation and a table')
  assert((old === null || typeof old === 'string') && (next === null || typeof next === 'string'), 'rows of the change log are text')
  return { seq: Number(seq), txn: Number(txn), relation, operation: old === null && next === null ? 'gap' : operation, old, new: next }
}

/** How much of the change log is kept: a loop that takes the oldest changes away, a bounded step at a time. Reading the log is change-log.ts. */
import { assert } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SqlRow, SqlValue } from '../../lib/sql-value.ts'
import { Rounds } from '../rounds.ts'
import { quoted } from '../../storage/identifier.ts'
import type { Program, ProgramResult, Statement } from '../../storage/program.ts'

export interface RetentionLimits {
  /** Older changes go. */
  readonly ageMsMax: number
  /** Bytes of all changes of one database; when there are more, the oldest go. */
  readonly bytesMax: number
}

export interface RetentionParts {
  readonly clock: Clock
  readonly log: Log
  /** Looks at once whether there are any; cheap. */
  readonly hasChanges: (database: string) => boolean
  /** A read in another thread: counting reads everything once. */
  readonly read: (database: string, statement: Statement) => Promise<readonly SqlRow[]>
  readonly write: (database: string, program: Program) => Promise<ProgramResult>
  /** The databases there are now. */
  readonly databases: () => readonly string[]
  readonly limits: () => RetentionLimits
}

/** Time between two looks, ms. */
export const retentionPeriodMs = 10_000
/** Changes that one step counts, and that one takes away. */
const countedMax = 4096
const removedMax = 512
/** What a change takes besides its rows: numbers, its table's name, the page's share. */
const changeBytes = 48

/** A change as far as retention looks at it. */
export interface KeptChange {
  readonly seq: bigint
  readonly atMs: number
  readonly bytes: number
}

/** The last of the `oldest` changes that has to go; null when none has. What follows one that stays stays, whatever clock wrote it. */
export function lastToRemove(oldest: readonly KeptChange[], bytes: number, limits: RetentionLimits, nowMs: number): bigint | null {
  let last: bigint | null = null
  let rest = bytes
  for (const change of oldest) {
    if (change.atMs >= nowMs - limits.ageMsMax && rest <= limits.bytesMax) break
    rest -= change.bytes
    last = change.seq
  }
  return last
}

/** What is known of one database's log. */
interface Counted {
  seq: bigint
  bytes: number
}

export class Retention {
  readonly #parts: RetentionParts
  readonly #counted = new Map<string, Counted>()
  readonly #rounds: Rounds

  constructor(parts: RetentionParts) {
    this.#parts = parts
    const { clock, log, databases } = parts
    this.#rounds = new Rounds({ clock, log, databases, periodMs: retentionPeriodMs, step: database => this.#step(database), failed: 'old changes could not be removed' })
  }

  start(): void {
    this.#rounds.start()
  }

  /** Ends the loop, and the round that is under way after its step. */
  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Bytes of the changes that `database` keeps, as of the last round. */
  bytes(database: string): number {
    return this.#counted.get(database)?.bytes ?? 0
  }

  /** One round over all databases; the one under way when there is one. A failure is logged, and the next round tries again. */
  run(): Promise<void> {
    return this.#rounds.run()
  }

  async #step(database: string): Promise<boolean> {
    // A log without changes is left alone: a server that is not used starts no thread.
    if (!this.#parts.hasChanges(database)) {
      const counted = this.#counted.get(database)
      if (counted !== undefined) counted.bytes = 0
      return false
    }
    await this.#count(database)
    return await this.#remove(database)
  }

  async #count(database: string): Promise<void> {
    const counted = this.#counted.get(database) ?? { seq: 0n, bytes: 0 }
    this.#counted.set(database, counted)
    const page = `SELECT seq, ${bytesSql} AS bytes FROM ${quoted(database)}._changes WHERE seq > ?1 ORDER BY seq LIMIT ${countedMax}`
    for (;;) {
      const rows = await this.#parts.read(database, { sql: `SELECT max(seq), sum(bytes) FROM (${page})`, params: [counted.seq] })
      const [last = null, bytes = null] = rows[0] ?? []
      if (last === null) return
      counted.seq = integer(last)
      counted.bytes += Number(bytes)
    }
  }

  /** One step; true when another may be needed. */
  async #remove(database: string): Promise<boolean> {
    const { clock, limits, read, write } = this.#parts
    const counted = this.#counted.get(database)
    if (counted === undefined) return false
    const table = `${quoted(database)}._changes`
    const rows = await read(database, { sql: `SELECT seq, at, ${bytesSql} FROM ${table} WHERE seq <= ?1 ORDER BY seq LIMIT ${removedMax}`, params: [counted.seq] })
    const oldest = rows.map(([seq = null, at, bytes]): KeptChange => ({ seq: integer(seq), atMs: Number(at), bytes: Number(bytes) }))
    const last = lastToRemove(oldest, counted.bytes, limits(), clock.now())
    if (last === null) return false
    const result = await write(database, { steps: [{ kind: 'run', sql: `DELETE FROM ${table} WHERE seq <= ?1`, params: [last], atLeast: 0 }] })
    assert(result.ok, 'old changes can be removed')
    for (const change of oldest) if (change.seq <= last) counted.bytes -= change.bytes
    return rows.length === removedMax && oldest.at(-1)?.seq === last
  }
}

/** Sizes are in the headers of the rows: large values are not read. */
const bytesSql = `(ifnull(octet_length(old), 0) + ifnull(octet_length(new), 0) + ${changeBytes})`

function integer(value: SqlValue): bigint {
  assert(typeof value === 'bigint', 'the number of a change is an integer')
  return value
}

/** The writer of one acid shard: one group is one row of `log` and one synced commit; applying rides along. Runs in its own thread. */
import type { Database, Statement } from 'bun:sqlite'
import { dirname } from 'node:path'
import { assert } from '../../lib/assert.ts'
import { openWriter } from '../../storage/database.ts'
import { DiskRoom } from '../../storage/disk-room.ts'
import { WalGauge } from '../../storage/wal.ts'
import { isFull } from '../../storage/sqlite-errors.ts'
import { Applier } from './applier.ts'
import { groupHeaderBytes, groupIntact, groupNumber } from './group.ts'
import type { FromWriter, WriterSettings } from './messages.ts'
import { prepareSchema } from './schema.ts'
import { noRoom } from './no-room.ts'
import { OperatorError } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'

/** A round of applying begins when this much waits, or when the shard was quiet for `quietMs`. */
const roundBytesMin = 8 * 1024 * 1024
const quietMs = 50
/** A group of so many bytes goes into the tables at once: it holds much for each stream that it touches. */
const directBytesMin = 128 * 1024
/** Time that applying may add to one commit, in ms: normally, with a backlog, and without any mercy. */
const slices = [
  { backlogBytes: 16 * 1024 * 1024, ms: 1 },
  { backlogBytes: 32 * 1024 * 1024, ms: 4 },
  { backlogBytes: Infinity, ms: 50 },
] as const
/** Bytes of groups after whose applying memory is given back. */
const collectBytesMin = 4 * 1024 * 1024
/** 4 KB pages cost a large group a quarter more processor time, 16 KB were no better than these. */
const pageBytes = 8192
const cacheBytes = 8 * 1024 * 1024

export class AcidWriter {
  readonly #db: Database
  readonly #applier: Applier
  readonly #wal: WalGauge
  readonly #room: DiskRoom
  readonly #clock: Clock
  readonly #say: (message: FromWriter) => void
  /** Gives memory back: called when a large backlog is applied and nothing comes. */
  readonly #collect: () => void
  #appliedBytes = 0
  readonly #begin: Statement
  readonly #insert: Statement
  readonly #commit: Statement
  #cancelQuiet: (() => void) | null = null
  #lastCommitMs = 0
  #sweeping = true

  constructor(settings: WriterSettings, clock: Clock, say: (message: FromWriter) => void, collect: () => void) {
    this.#collect = collect
    this.#clock = clock
    this.#say = say
    this.#db = openWriter(settings.file, { pageBytes, cacheBytes })
    prepareSchema(this.#db, settings.file)
    this.#applier = new Applier(this.#db, { put: (_id, _first, _start, bytes) => bytes, get: (_id, _first, row) => row.data ?? new Uint8Array(0), drop() {} })
    this.#room = new DiskRoom(dirname(settings.file))
    this.#wal = new WalGauge(this.#db, settings.file, () => say({ kind: 'walGrown' }))
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE')
    this.#insert = this.#db.prepare('INSERT INTO log VALUES (?, ?)')
    this.#commit = this.#db.prepare('COMMIT')
    const lastGroup = this.#recover(settings.file)
    say({ kind: 'ready', lastId: this.#applier.lastId, lastGroup, segment: 0, segmentKey: 0 })
    this.#quietLater()
  }

  /** Stores `group`; says committed after the sync, or full when there was no room and nothing was stored. */
  commit(number: number, group: Uint8Array): void {
    if (!this.#room.has(group.byteLength, this.#applier.backlogBytes)) {
      this.#say({ kind: 'full', number, message: 'the disk is almost full' })
      return
    }
    try {
      this.#begin.run()
      const applied = group.byteLength >= directBytesMin ? this.#applyDirectly(number, group) : this.#store(number, group)
      this.#commit.run()
      if (applied !== number) this.#applier.add(number, group)
      this.#appliedBytes += group.byteLength
      this.#say({ kind: 'committed', number })
      if (applied !== null) this.#sayApplied(applied)
    } catch (error) {
      this.#rollback()
      if (!isFull(error)) throw error
      this.#say({ kind: 'full', number, message: String(error) })
    }
    this.#wal.afterCommit()
    this.#lastCommitMs = this.#clock.monotonic()
    if (this.#cancelQuiet === null) this.#quietLater()
  }

  /** Puts the group into the log, and applies some of what is there already. Returns the last group of a finished round. */
  #store(number: number, group: Uint8Array): number | null {
    this.#insert.run(number, group)
    return this.#applier.busy(roundBytesMin) ? this.#applySlice() : null
  }

  /** Brings the group into the tables at once, after what is in the log: its bytes are written once instead of twice. */
  #applyDirectly(number: number, group: Uint8Array): number {
    for (let last: number | null = null; !this.#applier.idle; ) {
      last = this.#applyUntil(Infinity)
      if (last !== null) this.#applier.finishRound()
    }
    this.#applier.add(number, group)
    const last = this.#applyUntil(Infinity)
    assert(last === number, 'a group that is applied alone is a round of its own')
    return last
  }

  /** Applies everything. */
  drain(): void {
    this.#applyAll()
    this.#say({ kind: 'drained' })
  }

  /** Starts the WAL anew after the checkpointer has copied it. */
  restartWal(): void {
    this.#wal.restart(isFull)
  }

  close(): void {
    this.#cancelQuiet?.()
    this.#applyAll()
    this.#wal.empty(isFull)
    for (const statement of [this.#begin, this.#insert, this.#commit]) statement.finalize()
    this.#db.close()
    this.#say({ kind: 'closed' })
  }

  /** Applies what a crash left in the log, so that everything committed can be read before the shard is ready. */
  #recover(file: string): number {
    let expected = this.#applier.lastApplied
    for (const { number, group } of this.#logRows()) {
      if (number !== ++expected || !groupIntact(group) || groupNumber(group) !== number) {
        throw new OperatorError(
          `${file}: group ${number} of the log is damaged (${group.byteLength - groupHeaderBytes} bytes)`,
          'run `headwater check`, then restore this file from a backup',
          74,
        )
      }
      this.#applier.add(number, group)
    }
    this.#applyAll()
    if (!this.#applier.idle) throw noRoom(file)
    // What a crash left behind the last commit must not stay behind those to come: there it would look like damage.
    this.#wal.empty(isFull)
    return this.#applier.lastApplied
  }

  #logRows(): { number: number; group: Uint8Array }[] {
    return this.#db.query<{ number: number; group: Uint8Array }, []>('SELECT number, data AS "group" FROM log ORDER BY number').all()
  }

  #applySlice(): number | null {
    const backlog = this.#applier.backlogBytes
    const slice = slices.find(each => backlog <= each.backlogBytes)
    return this.#applyUntil(slice?.ms ?? 1)
  }

  #applyUntil(budgetMs: number): number | null {
    const end = this.#clock.monotonic() + budgetMs
    const last = this.#applier.step(() => this.#clock.monotonic() >= end)
    if (last !== null) this.#db.query('DELETE FROM log WHERE number <= ?').run(last)
    return last
  }

  /** Applies everything, or as much as there is room for: the rest stays in the log. */
  #applyAll(): void {
    while (!this.#applier.idle && this.#applyAlone(Infinity)) continue
  }

  /** Some applying in a transaction of its own; false when there was no room for it. */
  #applyAlone(budgetMs: number): boolean {
    try {
      this.#begin.run()
      const applied = this.#applyUntil(budgetMs)
      this.#commit.run()
      if (applied !== null) this.#sayApplied(applied)
      this.#wal.afterCommit()
      return true
    } catch (error) {
      this.#rollback()
      if (!isFull(error)) throw error
      return false
    }
  }

  #sayApplied(number: number): void {
    this.#applier.finishRound()
    this.#sweeping = true
    this.#say({ kind: 'applied', number })
  }

  #rollback(): void {
    if (this.#db.inTransaction) this.#db.run('ROLLBACK')
    this.#applier.restartRound(this.#logRows())
  }

  #quietLater(): void {
    this.#cancelQuiet = this.#clock.after(quietMs, () => this.#whenQuiet())
  }

  /** Nobody appended for a while: apply and tidy up in slices, so that a new commit never waits long. */
  #whenQuiet(): void {
    this.#cancelQuiet = null
    if (this.#clock.monotonic() - this.#lastCommitMs < quietMs) return this.#quietLater()
    if (!this.#applier.idle) {
      const room = this.#applyAlone(4)
      this.#cancelQuiet = this.#clock.after(room ? 0 : 1000, () => this.#whenQuiet())
    } else if (this.#sweeping) {
      this.#sweep()
      this.#cancelQuiet = this.#clock.after(this.#sweeping ? 0 : quietMs, () => this.#whenQuiet())
    } else if (this.#appliedBytes >= collectBytesMin) {
      this.#appliedBytes = 0
      this.#collect()
    }
  }

  #sweep(): void {
    const end = this.#clock.monotonic() + 4
    this.#begin.run()
    try {
      this.#sweeping = !this.#applier.sweepDropped(() => this.#clock.monotonic() >= end)
      this.#commit.run()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.run('ROLLBACK')
      if (!isFull(error)) throw error
      this.#sweeping = false
    }
    this.#wal.afterCommit()
  }
}

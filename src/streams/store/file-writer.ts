/** The writer of the file modes: brings committed groups from the log into stream files and their index. Runs in its own thread. */
import type { Database } from 'bun:sqlite'
import { must } from '../../lib/assert.ts'
import type { Clock } from '../../lib/clock.ts'
import { openWriter } from '../../storage/database.ts'
import { DiskRoom } from '../../storage/disk-room.ts'
import { WalGauge } from '../../storage/wal.ts'
import { isFull } from '../../storage/sqlite-errors.ts'
import { Applier } from './applier.ts'
import { decodeGroup, groupNumber } from './group.ts'
import { firstSegmentBytes, LogSegments } from './log-segments.ts'
import type { FromWriter, WriterSettings } from './messages.ts'
import { prepareSchema } from './schema.ts'
import { noRoom } from './no-room.ts'
import { StoreFull } from './store.ts'
import { StreamFiles } from './stream-files.ts'

/** Applying begins when this much waits, or when nothing came for `quietMs`. */
const roundBytesMin = 8 * 1024 * 1024
const quietMs = 50
const retryMs = 1000
/** Bytes of groups after whose applying memory is given back. */
const collectBytesMin = 4 * 1024 * 1024
const pageBytes = 4096
const cacheBytes = 8 * 1024 * 1024
/** Full segments that wait for their stream files to be synced: the later, the more the system has written by itself. */
const unsyncedSegmentsMax = 2

interface UsedSegment {
  readonly number: number
  readonly bytes: number
  lastGroup: number
}

export class FileWriter {
  readonly #db: Database
  readonly #applier: Applier
  readonly #files: StreamFiles
  readonly #segments: LogSegments
  readonly #segmentBytes: number
  readonly #room: DiskRoom
  readonly #wal: WalGauge
  readonly #clock: Clock
  readonly #synced: boolean
  readonly #say: (message: FromWriter) => void
  /** Gives memory back: called when a large backlog is applied and nothing comes. */
  readonly #collect: () => void
  #appliedBytes = 0
  /** Groups that are not applied yet, for a repeat after a full disk. */
  #waiting: { number: number; group: Uint8Array }[] = []
  /** Segments of the log in use: full ones, the one being written, and perhaps the next one. */
  readonly #used: UsedSegment[] = []
  #cancelTimer: (() => void) | null = null
  #lastAddMs = 0
  #applied = 0
  /** The segment that groups arrive in. Later ones are prepared, earlier ones are full. */
  #segment = 0

  constructor(settings: WriterSettings, directory: string, parts: { readonly clock: Clock; readonly newKey: () => number }, say: (message: FromWriter) => void, collect: () => void) {
    this.#collect = collect
    this.#clock = parts.clock
    this.#say = say
    this.#synced = settings.synced
    this.#db = openWriter(settings.file, { pageBytes, cacheBytes })
    prepareSchema(this.#db, settings.file)
    const files = (this.#files = new StreamFiles(directory, 'write'))
    this.#applier = new Applier(this.#db, {
      put(streamId, _first, start, bytes) {
        files.write(streamId, start, bytes)
        return null
      },
      get: (streamId, _first, row) => files.read(streamId, row.start, row.end - row.start),
      drop: streamId => files.remove(streamId),
    })
    this.#wal = new WalGauge(this.#db, settings.file, () => say({ kind: 'walGrown' }))
    this.#segmentBytes = settings.segmentBytes
    this.#room = new DiskRoom(directory)
    this.#segments = new LogSegments(directory, settings.segmentBytes, parts.newKey)
    const lastGroup = this.#recover()
    const segment = (this.#segments.segments().at(-1)?.number ?? 0) + 1
    const segmentKey = this.#restartLog(segment)
    say({ kind: 'ready', lastId: this.#applier.lastId, lastGroup, segment, segmentKey })
  }

  /** Takes over a group that is in log segment `segment`. */
  add(number: number, group: Uint8Array, segment: number): void {
    this.#waiting.push({ number, group })
    this.#applier.add(number, group)
    this.#appliedBytes += group.byteLength
    this.#segment = segment
    const used = must(this.#used.find(each => each.number === segment), 'a segment that is written is in use')
    used.lastGroup = number
    this.#lastAddMs = this.#clock.monotonic()
    if (this.#applier.busy(roundBytesMin)) this.#applySome()
    else this.#later(quietMs)
  }

  /** Makes segment `number` ready. */
  prepare(number: number): void {
    try {
      // Half: nothing of a segment is written a second time.
      if (!this.#room.has(this.#segmentBytes / 2, 0)) throw new StoreFull('the disk is almost full')
      const key = this.#segments.prepare(number, this.#segmentBytes)
      this.#used.push({ number, bytes: this.#segmentBytes, lastGroup: 0 })
      this.#say({ kind: 'prepared', segment: number, key })
    } catch (error) {
      if (!(error instanceof StoreFull) && !isFull(error)) throw error
      this.#say({ kind: 'prepareFailed', segment: number, full: true, message: String(error) })
    }
  }

  drain(): void {
    this.#applyAll()
    this.#say({ kind: 'drained' })
  }

  restartWal(): void {
    this.#wal.restart(isFull)
  }

  close(): void {
    this.#cancelTimer?.()
    if (this.#applyAll()) {
      while (!this.#sweep()) {}
      if (this.#synced) this.#files.sync()
      for (const used of this.#used) this.#segments.recycle(used.number, used.bytes)
    }
    this.#files.close()
    this.#wal.empty(isFull)
    this.#db.close()
    this.#say({ kind: 'closed' })
  }

  /**
   * Stream files are not synced when the index is, so every append in the log is written to its file again: what a power
   * cut took from a file stands there again before anything is read.
   */
  #recover(): number {
    const stored = this.#applier.lastApplied
    const last = this.#segments.replay(group => {
      const number = groupNumber(group)
      if (number > stored) {
        const copy = group.slice()
        this.#waiting.push({ number, group: copy })
        this.#applier.add(number, copy)
      } else this.#rewrite(group)
    }, stored)
    if (!this.#applyAll()) throw noRoom(this.#db.filename)
    if (this.#synced) this.#files.sync()
    this.#wal.empty(isFull) // what a crash left behind the last commit would look like damage behind those to come
    return Math.max(stored, last ?? 0)
  }

  #rewrite(group: Uint8Array): void {
    const exists = this.#db.query<{ id: number }, [number]>('SELECT id FROM streams WHERE id = ?')
    decodeGroup(group, record => {
      if (record.kind === 'append' && record.bytes.byteLength > 0 && exists.get(record.id) !== null) {
        this.#files.write(record.id, record.start, record.bytes)
      }
    })
  }

  /** Everything of the old log is in place: a new one begins. */
  #restartLog(segment: number): number {
    const bytes = firstSegmentBytes(this.#segmentBytes)
    // First: on a full disk the new one finds room only where the old ones were.
    for (const { number } of this.#segments.segments()) this.#segments.recycle(number, 0)
    const key = this.#segments.prepare(segment, bytes)
    this.#used.push({ number: segment, bytes, lastGroup: 0 })
    return key
  }

  /** Applies everything; false when there was no room for all of it: the rest stays in the log. */
  #applyAll(): boolean {
    while (!this.#applier.idle) if (!this.#apply(Infinity)) return false
    return true
  }

  #applySome(): void {
    const room = this.#apply(20)
    if (!room) {
      this.#say({ kind: 'full', number: -1, message: 'no room to apply the log' })
      this.#later(retryMs)
    } else if (!this.#applier.idle || !this.#sweep()) this.#later(0)
    else this.#rest()
  }

  /** Everything is applied: gives memory back once nothing came for a while after much. */
  #rest(): void {
    if (this.#appliedBytes < collectBytesMin) return
    if (this.#clock.monotonic() - this.#lastAddMs < quietMs) return this.#later(quietMs)
    this.#appliedBytes = 0
    this.#collect()
  }

  /** Some applying in one transaction; false when there was no room for it. */
  #apply(budgetMs: number): boolean {
    const end = this.#clock.monotonic() + budgetMs
    try {
      this.#db.run('BEGIN IMMEDIATE')
      const applied = this.#applier.step(() => this.#clock.monotonic() >= end)
      this.#db.run('COMMIT')
      if (applied !== null) this.#finish(applied)
      this.#wal.afterCommit()
      return true
    } catch (error) {
      if (this.#db.inTransaction) this.#db.run('ROLLBACK')
      if (!isFull(error)) throw error
      this.#applier.restartRound(this.#waiting)
      return false
    }
  }

  #finish(applied: number): void {
    this.#applier.finishRound()
    this.#applied = applied
    this.#waiting = this.#waiting.filter(each => each.number > applied)
    this.#say({ kind: 'applied', number: applied })
    this.#recycle()
  }

  /** Gives segments back whose groups are applied, once their stream files are on the disk. */
  #recycle(): void {
    const done = this.#used.filter(used => used.number < this.#segment && used.lastGroup <= this.#applied)
    if (done.length < unsyncedSegmentsMax) return
    if (this.#synced) this.#files.sync()
    for (const used of done) {
      this.#segments.recycle(used.number, used.bytes)
      this.#used.splice(this.#used.indexOf(used), 1)
    }
  }

  #sweep(): boolean {
    const end = this.#clock.monotonic() + 5
    this.#db.run('BEGIN IMMEDIATE')
    try {
      const swept = this.#applier.sweepDropped(() => this.#clock.monotonic() >= end)
      this.#db.run('COMMIT')
      return swept
    } catch (error) {
      if (this.#db.inTransaction) this.#db.run('ROLLBACK')
      if (!isFull(error)) throw error
      return true
    }
  }

  #later(delayMs: number): void {
    this.#cancelTimer ??= this.#clock.after(delayMs, () => {
      this.#cancelTimer = null
      // While appends come, few large rounds cost far less than many small ones: each touches every stream once.
      const quiet = this.#clock.monotonic() - this.#lastAddMs >= quietMs
      if (quiet || this.#applier.busy(roundBytesMin)) this.#applySome()
      else this.#later(quietMs)
    })
  }
}

/** Writes groups to the commit log, one write at a time at a known place of a file that has its full size already. Preparing files is log-segments.ts. */
import { closeSync, constants, openSync, readSync, write, writeSync } from 'node:fs'
import { assert } from '../../lib/assert.ts'
import { isFull } from '../../storage/sqlite-errors.ts'
import { groupHeaderBytes, stampGroup } from './group.ts'
import { segmentPath } from './log-segments.ts'
import { StoreFull } from './store.ts'

/** The writes of the system, as far as a commit log needs them. */
export interface LogDisk {
  write(file: number, bytes: Uint8Array, from: number, length: number, at: number, done: (error: Error | null, written: number) => void): void
  writeSync(file: number, bytes: Uint8Array, from: number, length: number, at: number): number
}

export const systemDisk: LogDisk = { write, writeSync }

export interface CommitLogParts {
  readonly directory: string
  readonly segment: number
  readonly segmentKey: number
  readonly segmentBytes: number
  readonly nextSegmentBytes: number
  /** Each write is on the disk when it returns (O_DSYNC). */
  readonly synced: boolean
  /** The system's, but for tests of disks that are full in odd ways. */
  readonly disk?: LogDisk
  /** Asks for the segment to be prepared; resolves to its key when it is, rejects with StoreFull. */
  readonly prepare: (segment: number) => Promise<number>
}

export class CommitLog {
  readonly #parts: CommitLogParts
  readonly #disk: LogDisk
  #segment: number
  #file: number
  #at = 0
  #bytes: number
  #key: number
  #next: Promise<number> | null = null

  constructor(parts: CommitLogParts) {
    this.#parts = parts
    this.#disk = parts.disk ?? systemDisk
    this.#segment = parts.segment
    this.#bytes = parts.segmentBytes
    this.#key = parts.segmentKey
    this.#file = this.#open(parts.segment)
  }

  /** The segment that holds the last group. */
  get segment(): number {
    return this.#segment
  }

  /** Resolves when `group` is written; stamps it with the key of its segment. Rejects with StoreFull when there is no room; anything else is fatal. */
  async append(group: Uint8Array): Promise<void> {
    assert(group.byteLength <= this.#parts.nextSegmentBytes, 'a group fits a segment')
    if (this.#at + group.byteLength > this.#bytes) await this.#nextSegment()
    else if (this.#next === null && this.#at > this.#bytes / 2) this.#next = this.#prepareNext()
    stampGroup(group, this.#key)
    try {
      if (this.#parts.synced) await this.#write(group)
      else this.#writeNow(group)
    } catch (error) {
      if (error instanceof StoreFull) this.#takeBack(group)
      throw error
    }
    this.#at += group.byteLength
  }

  close(): void {
    closeSync(this.#file)
  }

  #open(segment: number): number {
    const sync = this.#parts.synced ? constants.O_DSYNC : 0
    return openSync(segmentPath(this.#parts.directory, segment, this.#key), constants.O_RDWR | sync)
  }

  #prepareNext(): Promise<number> {
    const next = this.#parts.prepare(this.#segment + 1)
    next.catch(() => {}) // seen by the append that needs the segment
    return next
  }

  async #nextSegment(): Promise<void> {
    this.#key = await this.#nextKey()
    closeSync(this.#file)
    this.#segment++
    this.#file = this.#open(this.#segment)
    this.#at = 0
    this.#bytes = this.#parts.nextSegmentBytes
  }

  /** A preparation ahead of time that found no room is tried once more: since then there may be some. */
  async #nextKey(): Promise<number> {
    const ahead = this.#next
    this.#next = null
    try {
      if (ahead !== null) return await ahead
    } catch (error) {
      if (!(error instanceof StoreFull)) throw error
    }
    return this.#parts.prepare(this.#segment + 1)
  }

  /** One hop to a system thread: write and sync in one call. A short write is continued. */
  #write(group: Uint8Array): Promise<void> {
    const file = this.#file
    const start = this.#at
    return new Promise((resolve, reject) => {
      const from = (done: number) => {
        this.#disk.write(file, group, done, group.byteLength - done, start + done, (error, written) => {
          if (error) reject(writeFailure(error))
          else if (done + written < group.byteLength) from(done + written)
          else resolve()
        })
      }
      from(0)
    })
  }

  #writeNow(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        done += this.#disk.writeSync(this.#file, bytes, done, bytes.byteLength - done, this.#at + done)
      }
    } catch (error) {
      throw writeFailure(error)
    }
  }

  /**
   * A file system that copies on write, or finds room late, may refuse bytes that it has taken: a recovery would find a group that was refused.
   * What cannot be taken back is fatal instead. Then nobody was told anything about it, and it may be found or not.
   */
  #takeBack(group: Uint8Array): void {
    if (!this.#holds(group)) return // what the file shows is all that a recovery could find
    try {
      this.#writeNow(new Uint8Array(groupHeaderBytes))
    } catch (error) {
      throw new Error('a group that found no room cannot be taken back', { cause: error })
    }
  }

  /** True when all of `group` stands at its place. */
  #holds(group: Uint8Array): boolean {
    const found = new Uint8Array(group.byteLength)
    for (let done = 0; done < found.byteLength; ) {
      const read = readSync(this.#file, found, done, found.byteLength - done, this.#at + done)
      if (read === 0) return false
      done += read
    }
    return Buffer.compare(found, group) === 0
  }
}

function writeFailure(error: unknown): unknown {
  return isFull(error) ? new StoreFull(String(error)) : error
}

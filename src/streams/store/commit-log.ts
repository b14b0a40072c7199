/** Writes groups to the commit log, one write at a time at a known place of a file that has its full size already. Preparing files is log-segments.ts. */
import { closeSync, constants, openSync, write, writeSync } from 'node:fs'
import { assert } from '../../lib/assert.ts'
import { stampGroup } from './group.ts'
import { segmentPath } from './log-segments.ts'
import { isFull } from './sqlite-errors.ts'
import { StoreFull } from './store.ts'

export interface CommitLogParts {
  readonly directory: string
  readonly segment: number
  readonly segmentKey: number
  readonly segmentBytes: number
  readonly nextSegmentBytes: number
  /** Each write is on the disk when it returns (O_DSYNC). */
  readonly synced: boolean
  /** Asks for the segment to be prepared; resolves to its key when it is, rejects with StoreFull. */
  readonly prepare: (segment: number) => Promise<number>
}

export class CommitLog {
  readonly #parts: CommitLogParts
  #segment: number
  #file: number
  #at = 0
  #bytes: number
  #key: number
  #next: Promise<number> | null = null

  constructor(parts: CommitLogParts) {
    this.#parts = parts
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
    if (this.#parts.synced) await this.#write(group)
    else writeAll(this.#file, group, this.#at)
    this.#at += group.byteLength
  }

  close(): void {
    closeSync(this.#file)
  }

  #open(segment: number): number {
    const sync = this.#parts.synced ? constants.O_DSYNC : 0
    return openSync(segmentPath(this.#parts.directory, segment, this.#key), constants.O_WRONLY | sync)
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
        write(file, group, done, group.byteLength - done, start + done, (error, written) => {
          if (error) reject(writeFailure(error))
          else if (done + written < group.byteLength) from(done + written)
          else resolve()
        })
      }
      from(0)
    })
  }
}

function writeAll(file: number, group: Uint8Array, start: number): void {
  try {
    for (let done = 0; done < group.byteLength; ) {
      done += writeSync(file, group, done, group.byteLength - done, start + done)
    }
  } catch (error) {
    throw writeFailure(error)
  }
}

function writeFailure(error: unknown): unknown {
  return isFull(error) ? new StoreFull(String(error)) : error
}

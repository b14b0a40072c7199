/** The files of the commit log: zeroed ahead, used again when everything in them is safe elsewhere, read back after a crash. Writing groups is commit-log.ts. */
import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../../lib/assert.ts'
import { OperatorError } from '../../lib/errors.ts'
import { syncDirectory } from '../../storage/sync-directory.ts'
import { groupHeaderBytes, groupIntact, groupMagic, groupNumber } from './group.ts'

/** Bytes of a segment, and of the first one, which is small so that a store is ready at once. */
export const defaultSegmentBytes = 64 * 1024 * 1024
/** What a group may hold beside the one body that filled it: records without bytes, names, producers. */
const groupExtraBytes = 16 * 1024 * 1024
const firstSegmentBytesMax = 4 * 1024 * 1024

/** Bytes of a segment that takes every group: one body of up to `bodyBytesMax` fills a group alone. */
export function segmentBytesFor(bodyBytesMax: number): number {
  return Math.max(defaultSegmentBytes, bodyBytesMax + groupExtraBytes)
}

export function firstSegmentBytes(segmentBytes: number): number {
  return Math.min(firstSegmentBytesMax, segmentBytes)
}

/** Segments kept for later use. */
const freeSegmentsMax = 2
const zeroBytes = 1024 * 1024

/**
 * A file of the log. `key` is random, stands in its name and is part of every checksum in it: neither what an earlier use left in the file nor bytes
 * that a client made look like a group are ever taken for one.
 */
export interface LogSegment {
  readonly number: number
  readonly key: number
  readonly path: string
}

export class LogSegments {
  readonly directory: string
  readonly #segmentBytes: number
  readonly #newKey: () => number
  #free: string[] = []

  /** `newKey` gives random integers of 32 bits. */
  constructor(directory: string, segmentBytes: number, newKey: () => number) {
    this.#segmentBytes = segmentBytes
    this.#newKey = newKey
    this.directory = join(directory, 'log')
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.directory)) {
      if (name.startsWith('free-')) this.#free.push(join(this.directory, name))
      else if (name.endsWith('.new')) rmSync(join(this.directory, name))
    }
  }

  /** Makes segment `number` ready to be written: every byte has its place on the disk already. Returns its key. */
  prepare(number: number, bytes: number): number {
    const key = this.#newKey()
    const path = segmentPath(this.directory, number, key)
    const old = bytes === this.#segmentBytes ? this.#free.pop() : undefined
    if (old !== undefined) renameSync(old, path)
    else zeroFile(path, bytes)
    syncDirectory(this.directory)
    return key
  }

  /** Everything in segment `number` is durable elsewhere. */
  recycle(number: number, bytes: number): void {
    const { path } = must(this.segments().find(each => each.number === number), 'a segment in use has a file')
    if (bytes !== this.#segmentBytes || this.#free.length >= freeSegmentsMax) rmSync(path)
    else {
      const free = join(this.directory, `free-${number}`)
      renameSync(path, free)
      this.#free.push(free)
    }
    syncDirectory(this.directory)
  }

  /** The segments that may hold groups, in their order. */
  segments(): LogSegment[] {
    return segmentsIn(this.directory)
  }

  /**
   * Calls `visit` for every group of the log in order and returns the number of the last one, or null. A group that was
   * being written at a crash is the end; an unreadable one before others is damage and refused. `applied` is the last group
   * that is safe elsewhere.
   */
  replay(visit: (group: Uint8Array) => void, applied: number): number | null {
    let last: number | null = null
    for (const { key, path } of this.segments()) {
      const bytes = readFileSync(path)
      let at = 0
      for (;;) {
        const group = groupAt(bytes, at, key)
        // A higher number stands behind something lost.
        if (group === null || !follows(groupNumber(group), last, applied)) break
        last = groupNumber(group)
        visit(group)
        at += group.byteLength
      }
      if (laterGroup(bytes, at, Math.max(last ?? 0, applied), key)) throw damaged(path, at)
    }
    return last
  }
}

/** True when group `number` continues the log after `last`, or begins it where what is `applied` ends or before. */
export function follows(number: number, last: number | null, applied: number): boolean {
  return last === null ? number <= applied + 1 : number === last + 1
}

export function segmentPath(directory: string, number: number, key: number): string {
  return join(directory, `${String(number).padStart(10, '0')}-${key.toString(16).padStart(8, '0')}.log`)
}

/** The segments in the directory of a log, in their order. */
export function segmentsIn(directory: string): LogSegment[] {
  return readdirSync(directory)
    .toSorted()
    .flatMap(name => {
      const [, number, key] = /^(\d{10})-([0-9a-f]{8})\.log$/.exec(name) ?? []
      return number === undefined || key === undefined ? [] : [{ number: Number(number), key: parseInt(key, 16), path: join(directory, name) }]
    })
}

function zeroFile(path: string, bytes: number): void {
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    const zeros = new Uint8Array(zeroBytes)
    for (let at = 0; at < bytes; at += zeroBytes) writeSync(file, zeros, 0, Math.min(zeroBytes, bytes - at), at)
    fdatasyncSync(file)
  } catch (error) {
    closeSync(file)
    rmSync(`${path}.new`, { force: true })
    throw error
  }
  closeSync(file)
  renameSync(`${path}.new`, path)
}

/** The intact group that begins at `at` of the segment with `key`, or null. */
export function groupAt(bytes: Buffer, at: number, key: number): Uint8Array | null {
  if (at + groupHeaderBytes > bytes.byteLength || bytes.readUInt32LE(at) !== groupMagic) return null
  const end = at + groupHeaderBytes + bytes.readUInt32LE(at + 4)
  if (end > bytes.byteLength) return null
  const group = bytes.subarray(at, end)
  return groupIntact(group, key) ? group : null
}

const magicBytes = Buffer.from(new Uint32Array([groupMagic]).buffer)

/** True when a group with a higher number than `last` stands somewhere behind `at`: then what is at `at` was acknowledged once. */
export function laterGroup(bytes: Buffer, at: number, last: number, key: number): boolean {
  for (let found = bytes.indexOf(magicBytes, at); found >= 0; found = bytes.indexOf(magicBytes, found + 1)) {
    const group = groupAt(bytes, found, key)
    if (group !== null && groupNumber(group) > last) return true
  }
  return false
}

function damaged(path: string, at: number): OperatorError {
  return new OperatorError(
    `${path} is damaged at byte ${at}: acknowledged writes behind it cannot be read`,
    'run `headwater check`, then restore the data directory from a backup',
    74,
  )
}

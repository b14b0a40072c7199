/** The files of the commit log: zeroed ahead, used again when everything in them is safe elsewhere, read back after a crash. Writing groups is commit-log.ts. */
import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import { groupHeaderBytes, groupIntact, groupMagic, groupNumber } from './group.ts'
import { syncDirectory } from './layout.ts'

/** Bytes of a segment, and of the first one, which is small so that a store is ready at once. */
export const defaultSegmentBytes = 64 * 1024 * 1024
const firstSegmentBytesMax = 4 * 1024 * 1024

export function firstSegmentBytes(segmentBytes: number): number {
  return Math.min(firstSegmentBytesMax, segmentBytes)
}

/** Segments kept for later use. */
const freeSegmentsMax = 2
const zeroBytes = 1024 * 1024

export class LogSegments {
  readonly directory: string
  readonly #segmentBytes: number
  #free: string[] = []

  constructor(directory: string, segmentBytes: number) {
    this.#segmentBytes = segmentBytes
    this.directory = join(directory, 'log')
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.directory)) {
      if (name.startsWith('free-')) this.#free.push(join(this.directory, name))
      else if (name.endsWith('.new')) rmSync(join(this.directory, name))
    }
  }

  /** Makes segment `number` ready to be written: every byte has its place on the disk already. */
  prepare(number: number, bytes: number): void {
    const path = segmentPath(this.directory, number)
    const old = bytes === this.#segmentBytes ? this.#free.pop() : undefined
    if (old !== undefined) renameSync(old, path) // what is left in it has lower group numbers and so is no part of the log
    else zeroFile(path, bytes)
    syncDirectory(this.directory)
  }

  /** Everything in segment `number` is durable elsewhere. */
  recycle(number: number, bytes: number): void {
    const path = segmentPath(this.directory, number)
    if (bytes !== this.#segmentBytes || this.#free.length >= freeSegmentsMax) rmSync(path)
    else {
      const free = join(this.directory, `free-${number}`)
      renameSync(path, free)
      this.#free.push(free)
    }
    syncDirectory(this.directory)
  }

  /** Numbers of the segments that may hold groups, ascending. */
  numbers(): number[] {
    return readdirSync(this.directory)
      .flatMap(name => /^(\d{10})\.log$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
  }

  /**
   * Calls `visit` for every group of the log in order and returns the number of the last one, or null. A group that was
   * being written at a crash is the end; an unreadable one before others is damage and refused. `applied` is the last group
   * that is safe elsewhere.
   */
  replay(visit: (group: Uint8Array) => void, applied: number): number | null {
    let last: number | null = null
    for (const segment of this.numbers()) {
      const bytes = readFileSync(segmentPath(this.directory, segment))
      let at = 0
      for (;;) {
        const group = groupAt(bytes, at)
        // A lower number is what an earlier use of the file left; a higher one stands behind something lost.
        if (group === null || !follows(groupNumber(group), last, applied)) break
        last = groupNumber(group)
        visit(group)
        at += group.byteLength
      }
      if (laterGroup(bytes, at, Math.max(last ?? 0, applied))) throw damaged(this.directory, { segment, at })
    }
    return last
  }
}

/** True when group `number` continues the log after `last`, or begins it where what is `applied` ends or before. */
export function follows(number: number, last: number | null, applied: number): boolean {
  return last === null ? number <= applied + 1 : number === last + 1
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.log`)
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

/** The intact group that begins at `at`, or null. */
export function groupAt(bytes: Buffer, at: number): Uint8Array | null {
  if (at + groupHeaderBytes > bytes.byteLength || bytes.readUInt32LE(at) !== groupMagic) return null
  const end = at + groupHeaderBytes + bytes.readUInt32LE(at + 4)
  if (end > bytes.byteLength) return null
  const group = bytes.subarray(at, end)
  return groupIntact(group) ? group : null
}

const magicBytes = Buffer.from(new Uint32Array([groupMagic]).buffer)

/** True when a group with a higher number than `last` stands somewhere behind `at`: then what is at `at` was acknowledged once. */
export function laterGroup(bytes: Buffer, at: number, last: number): boolean {
  for (let found = bytes.indexOf(magicBytes, at); found >= 0; found = bytes.indexOf(magicBytes, found + 1)) {
    const group = groupAt(bytes, found)
    if (group !== null && groupNumber(group) > last) return true
  }
  return false
}

function damaged(directory: string, at: { segment: number; at: number }): OperatorError {
  return new OperatorError(
    `${segmentPath(directory, at.segment)} is damaged at byte ${at.at}: acknowledged writes behind it cannot be read`,
    'run `headwater check`, then restore the data directory from a backup',
    74,
  )
}

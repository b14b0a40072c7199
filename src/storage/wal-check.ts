/** Verifies a write-ahead log by its own checksums (https://sqlite.org/fileformat2.html#walformat). SQLite silently ends at the first bad frame; this tells. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

export interface WalState {
  /** Frames up to the last commit that SQLite will find. */
  readonly committedFrames: number
  /** Commits that were acknowledged and that SQLite would leave out, in words; null when there are none. */
  readonly damage: string | null
  /** A last write that is not whole: cut off by a crash before it was acknowledged, as far as the file can tell. */
  readonly note: string | null
}

const headerBytes = 32
const frameHeaderBytes = 24
/** What a little-endian machine writes; this program runs on no other. */
const magic = 0x377f0682
const readBytesAim = 1024 * 1024

const nothing: WalState = { committedFrames: 0, damage: null, note: null }

/**
 * Reads the WAL at `path`. A commit is synced before the next one is written, so a bad frame with a later commit behind it was damaged
 * after it was acknowledged; a bad frame in the last commit may be one that was being written at a crash.
 */
export function checkWal(path: string): WalState {
  const state = stateOf(path)
  if (state.damage !== null) return state
  const promised = promisedFrames(path)
  if (promised <= state.committedFrames) return state
  const damage = `it ends after ${state.committedFrames} frames, but ${promised} were committed (so says ${path.replace(/-wal$/, '-shm')}; remove that when these files are a restored copy)`
  return { ...state, damage }
}

function stateOf(path: string): WalState {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= headerBytes) return nothing
  const file = openSync(path, 'r')
  try {
    const header = Buffer.from(new ArrayBuffer(headerBytes))
    readAll(file, header, 0)
    const pageBytes = header.readUInt32BE(8)
    const sum = checksum([0, 0], wordsOf(header), 0, 6)
    const whole = header.readUInt32BE(0) === magic && equals(sum, header, 24)
    // One sector, synced before the first frame: it is never half written.
    if (!whole) return { ...nothing, damage: 'its header is damaged: every commit in it would be left out' }
    return scan(file, header, { frameBytes: frameHeaderBytes + pageBytes, count: (size - headerBytes) / (frameHeaderBytes + pageBytes) })
  } finally {
    closeSync(file)
  }
}

type Sum = readonly [number, number]

function scan(file: number, header: Buffer, { frameBytes, count }: { frameBytes: number; count: number }): WalState {
  const whole = Math.floor(count)
  const perRead = Math.max(1, Math.floor(readBytesAim / frameBytes))
  const buffer = Buffer.from(new ArrayBuffer(perRead * frameBytes))
  const words = wordsOf(buffer)
  let before: Sum = [header.readUInt32BE(24), header.readUInt32BE(28)]
  let committedFrames = 0
  let firstBad: number | null = null
  let commitBehindBad = false
  let tornTail = false
  for (let frame = 0; frame < whole; frame++) {
    const at = (frame % perRead) * frameBytes
    if (at === 0) readAll(file, buffer, headerBytes + frame * frameBytes)
    // Other salts: left over from before the log was started anew.
    const isOfThisLog = buffer.compare(header, 16, 24, at + 8, at + 16) === 0
    const isCommit = isOfThisLog && buffer.readUInt32BE(at + 4) !== 0
    const isWhole = isOfThisLog && isWholeFrame(before, buffer, words, at, frameBytes)
    before = [buffer.readUInt32BE(at + 16), buffer.readUInt32BE(at + 20)]
    if (firstBad === null && isWhole) {
      if (isCommit) committedFrames = frame + 1
      continue
    }
    firstBad ??= frame
    tornTail ||= isOfThisLog
    if (isWhole && commitBehindBad) {
      return { committedFrames, note: null, damage: `frame ${firstBad} is damaged: acknowledged commits behind it cannot be read` }
    }
    commitBehindBad ||= isCommit
  }
  // A part of a frame at the end counts as one that is not whole.
  const torn = tornTail || committedFrames < (firstBad ?? count)
  return { committedFrames, damage: null, note: torn ? `its last commit, from frame ${committedFrames} on, is not whole: a crash cut it off, and it is left out` : null }
}

/** Where the index keeps its header, twice: the frames of the last commit, the salts; then how many frames are in the database file already. */
const indexHeaderBytes = 48
const indexFramesAt = 16
const indexSaltsAt = 32
const indexBackfilledAt = 96

/**
 * Frames that were committed and are nowhere but in the WAL, as its index says, which survives a kill: it is written after the sync of the WAL. 0 when
 * there is no index, or it belongs to another WAL.
 */
function promisedFrames(path: string): number {
  const index = firstBytes(path.replace(/-wal$/, '-shm'), indexBackfilledAt + 4)
  if (index === null || index.compare(index, indexHeaderBytes, 2 * indexHeaderBytes, 0, indexHeaderBytes) !== 0) return 0
  const words = wordsOf(index)
  const [first, second] = checksum([0, 0], words, 0, 10)
  if (words[10] !== first || words[11] !== second) return 0
  const header = firstBytes(path, headerBytes)
  if (header !== null && header.compare(index, indexSaltsAt, indexSaltsAt + 8, 16, 24) !== 0) return 0
  const frames = words[indexFramesAt / 4] ?? 0
  return (words[indexBackfilledAt / 4] ?? 0) >= frames ? 0 : frames
}

/** null when the file is missing or shorter. */
function firstBytes(path: string, count: number): Buffer | null {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < count) return null
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.from(new ArrayBuffer(count))
    readAll(file, bytes, 0)
    return bytes
  } finally {
    closeSync(file)
  }
}

function isWholeFrame(before: Sum, buffer: Buffer, words: Uint32Array, at: number, frameBytes: number): boolean {
  const first = at / 4
  const head = checksum(before, words, first, first + 2)
  return equals(checksum(head, words, first + frameHeaderBytes / 4, (at + frameBytes) / 4), buffer, at + 16)
}

function checksum(start: Sum, words: Uint32Array, from: number, to: number): Sum {
  let first = start[0] | 0
  let second = start[1] | 0
  for (let i = from; i < to; i += 2) {
    first = (first + (words[i] ?? 0) + second) | 0
    second = (second + (words[i + 1] ?? 0) + first) | 0
  }
  return [first >>> 0, second >>> 0]
}

function equals(sum: Sum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === sum[0] && bytes.readUInt32BE(at + 4) === sum[1]
}

function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

/** Fills `bytes` from `position` on; zeros behind the end of the file. */
function readAll(file: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.byteLength; ) {
    const read = readSync(file, bytes, done, bytes.byteLength - done, position + done)
    if (read === 0) {
      bytes.fill(0, done)
      return
    }
    done += read
  }
}

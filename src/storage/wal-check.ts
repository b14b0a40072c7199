/** Verifies a write-ahead log by its own checksums (https://sqlite.org/fileformat2.html#walformat). SQLite silently ends at the first bad frame; this tells. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

const headerBytes = 32
const frameHeaderBytes = 24

/**
 * What is wrong with the WAL at `path`, or null. A frame that was cut off while it was written is no damage; one that is bad although it is
 * written out, or although commits follow it, is.
 */
export function walDamage(path: string): string | null {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size < headerBytes) return null
  const file = openSync(path, 'r')
  try {
    return framesDamage(new WalFile(file, size))
  } finally {
    closeSync(file)
  }
}

function framesDamage(wal: WalFile): string | null {
  const header = wal.read(0, headerBytes)
  const magic = header.readUInt32BE(0)
  const isBigEndian = magic === 0x377f0683
  if (!isBigEndian && magic !== 0x377f0682) return 'its header is damaged'
  let sum: Sum = checksum(header.subarray(0, 24), [0, 0], isBigEndian)
  if (!equals(sum, header, 24)) return 'its header is damaged'
  const frameBytes = frameHeaderBytes + header.readUInt32BE(8)
  let firstBad: number | null = null
  for (let frame = 0; headerBytes + (frame + 1) * frameBytes <= wal.size; frame++) {
    const bytes = wal.read(headerBytes + frame * frameBytes, frameBytes)
    // Other salts: left over from before the log was started anew.
    const isOfThisLog = bytes.compare(header, 16, 24, 8, 16) === 0
    if (firstBad === null) {
      if (!isOfThisLog) firstBad = frame
      else {
        sum = checksum(bytes.subarray(frameHeaderBytes), checksum(bytes.subarray(0, 8), sum, isBigEndian), isBigEndian)
        if (!equals(sum, bytes, 16)) firstBad = frame
      }
    }
    const isCommit = bytes.readUInt32BE(4) !== 0
    if (firstBad !== null && isOfThisLog && isCommit) return `frame ${firstBad} is damaged: commits from there on cannot be read`
  }
  return null
}

type Sum = readonly [number, number]

class WalFile {
  readonly #file: number
  readonly size: number

  constructor(file: number, size: number) {
    this.#file = file
    this.size = size
  }

  read(position: number, byteLength: number): Buffer {
    const bytes = Buffer.allocUnsafe(byteLength)
    let done = 0
    while (done < byteLength) {
      const read = readSync(this.#file, bytes, done, byteLength - done, position + done)
      if (read === 0) return bytes.fill(0, done)
      done += read
    }
    return bytes
  }
}

function checksum(bytes: Buffer, start: Sum, isBigEndian: boolean): Sum {
  let [first, second] = start
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    first = (first + (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + second) >>> 0
    second = (second + (isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + first) >>> 0
  }
  return [first, second]
}

function equals(sum: Sum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === sum[0] && bytes.readUInt32BE(at + 4) === sum[1]
}

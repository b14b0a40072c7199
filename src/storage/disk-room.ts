/** Keeps some of a disk free for what must still be written when no more is taken: applying, checkpoints, a restart. Asks the system, holds nothing. */
import { statfsSync } from 'node:fs'

/** Bytes that stay free beside twice what is committed and not yet applied. */
const reserveBytes = 16 * 1024 * 1024
/** Bytes that may be taken before the system is asked again. */
const bytesPerLook = 1024 * 1024

export class DiskRoom {
  readonly #directory: string
  #takenBytes = Infinity
  #freeBytes = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  /** True when `bytes` may be written although `backlogBytes` wait to be applied. What one write takes is counted twice: log and place. */
  has(bytes: number, backlogBytes: number): boolean {
    const needed = reserveBytes + 2 * backlogBytes
    this.#takenBytes += 2 * bytes
    if (this.#takenBytes < bytesPerLook && this.#freeBytes - this.#takenBytes > needed) return true
    const { bavail, bsize } = statfsSync(this.#directory)
    this.#freeBytes = bavail * bsize
    this.#takenBytes = 2 * bytes
    return this.#freeBytes - this.#takenBytes > needed
  }
}

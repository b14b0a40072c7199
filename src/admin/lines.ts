/** Cuts chunks of bytes into lines. Knows nothing of what the lines mean. */

export interface LineLimits {
  /** Longest line, without its end. */
  readonly lineBytesMax: number
  /** Called instead of keeping a longer line; throws. */
  readonly tooLong: () => never
}

/** Feed it chunks; it gives back the complete lines of each, without their line ends. Holds at most one unfinished line. */
export class LineSplitter {
  readonly #limits: LineLimits
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let from = 0
    for (;;) {
      const to = chunk.indexOf(10, from)
      if (to < 0) break
      yield this.#joined(chunk.subarray(from, to))
      from = to + 1
    }
    if (from < chunk.length) this.#keep(chunk.slice(from))
  }

  /** What follows the last line end, or null when nothing does. */
  rest(): Uint8Array | null {
    return this.#pendingBytes === 0 ? null : this.#joined(new Uint8Array(0))
  }

  #keep(part: Uint8Array): void {
    this.#pending.push(part)
    this.#pendingBytes += part.length
    if (this.#pendingBytes > this.#limits.lineBytesMax) this.#limits.tooLong()
  }

  #joined(last: Uint8Array): Uint8Array {
    if (this.#pendingBytes + last.length > this.#limits.lineBytesMax) this.#limits.tooLong()
    if (this.#pendingBytes === 0) return last
    const line = Buffer.concat([...this.#pending, last])
    this.#pending = []
    this.#pendingBytes = 0
    return line
  }
}

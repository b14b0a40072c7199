/** The end of one stream in memory: blocks that were appended and cannot be read back from the store yet. */
import { must } from '../lib/assert.ts'
import { joinBlocks, segmentBytesAim, type Block } from './store/block.ts'

/** Single records that pile up at the end of a stream kept in memory are joined in runs of this many. */
const joinRecords = 64

/** The bytes of one append. Until its group is sealed nobody may see them, so nobody misses them. */
export class ResidentBlock {
  readonly start: number
  readonly end: number
  /** Where the bytes begin in their group. */
  readonly at: number
  /** The group that makes it durable; it may go when that group is applied. */
  readonly group: number
  #bytes: Uint8Array | null = null
  #ends: Uint32Array | null = null

  constructor(start: number, end: number, at: number, group: number) {
    this.start = start
    this.end = end
    this.at = at
    this.group = group
  }

  /** A block of joined records. */
  static joined(block: Block, group: number): ResidentBlock {
    const joined = new ResidentBlock(block.start, block.end, 0, group)
    joined.#bytes = block.bytes
    joined.#ends = block.ends
    return joined
  }

  /** `group` holds the bytes at `at`, or is just these bytes. */
  attach(group: Uint8Array): void {
    this.#bytes = group
  }

  /** Lets the memory of its group go: the block may stay in the list for a while. */
  release(): void {
    this.#bytes = null
  }

  /** The block as readers take it. A view is made only when somebody reads: most appends are never read from here. */
  get block(): Block {
    const length = this.end - this.start
    const held = must(this.#bytes, 'a block that is read was sealed')
    const bytes = held.byteLength === length ? held : held.subarray(this.at, this.at + length)
    return { start: this.start, end: this.end, bytes, ends: this.#ends }
  }
}

export class ResidentBlocks {
  #entries: ResidentBlock[] = []
  #first = 0
  /** Entries before this index are joined already. */
  #joined = 0

  get empty(): boolean {
    return this.#first === this.#entries.length
  }

  /** Position of the first byte held, or null. */
  get start(): number | null {
    return this.#entries[this.#first]?.start ?? null
  }

  push(block: ResidentBlock): void {
    this.#entries.push(block)
  }

  /** The block that holds `position`, or null. */
  find(position: number): Block | null {
    const last = this.#entries[this.#entries.length - 1]
    if (last === undefined || position >= last.end) return null
    if (position >= last.start) return last.block
    let low = this.#first
    let high = this.#entries.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.end ?? 0) <= position) low = middle + 1
      else high = middle
    }
    const found = this.#entries[low]
    return found !== undefined && found.start <= position ? found.block : null
  }

  /** Forgets blocks of groups up to `group`; returns the bytes set free. */
  dropApplied(group: number): number {
    let freed = 0
    for (;;) {
      const entry = this.#entries[this.#first]
      if (entry === undefined || entry.group > group) break
      freed += entry.end - entry.start
      entry.release()
      this.#first++
    }
    if (this.empty) this.#clear()
    else if (this.#first > 256 && this.#first * 2 > this.#entries.length) this.#compact()
    return freed
  }

  /** Takes back what was pushed at or after `position`: its group was not stored. */
  truncate(position: number): void {
    while (this.#entries.length > this.#first) {
      const last = this.#entries[this.#entries.length - 1]
      if (last === undefined || last.start < position) return
      this.#entries.pop()
    }
    this.#clear()
  }

  /** Joins committed single records (up to `committed`) to blocks of about 64 KiB, for stores that never apply. */
  join(committed: number): void {
    this.#joined = Math.max(this.#joined, this.#first)
    if (this.#entries.length - this.#joined < joinRecords) return
    let size = 0
    let to = this.#joined
    for (; to < this.#entries.length; to++) {
      const block = this.#entries[to]
      if (block === undefined || block.end > committed || (size > 0 && size + block.end - block.start > segmentBytesAim)) break
      size += block.end - block.start
    }
    if (to === this.#entries.length && size < segmentBytesAim) {
      if (to - this.#joined < joinRecords * 16) return
    }
    const run = this.#entries.slice(this.#joined, to)
    const last = run[run.length - 1]
    if (last !== undefined && run.length > 1) {
      this.#entries.splice(this.#joined, run.length, ResidentBlock.joined(joinBlocks(run.map(entry => entry.block)), last.group))
    }
    if (run.length > 0) this.#joined++
  }

  /** Entries that were let go must not be the last of the list: `find` begins there. */
  #clear(): void {
    this.#entries.length = this.#first = this.#joined = 0
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#first)
    this.#joined = Math.max(0, this.#joined - this.#first)
    this.#first = 0
  }
}

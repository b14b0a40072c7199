/** The end of one stream in memory: blocks that were appended and cannot be read back from the store yet. */
import { joinBlocks, segmentBytesAim, type Block } from './store/block.ts'

/** Single records that pile up at the end of a stream kept in memory are joined in runs of this many. */
const joinRecords = 64

interface Resident {
  readonly block: Block
  /** The group that made it durable; it may go when that group is applied. */
  readonly group: number
}

export class ResidentBlocks {
  #entries: Resident[] = []
  #first = 0
  /** Entries before this index are joined already. */
  #joined = 0

  get empty(): boolean {
    return this.#first === this.#entries.length
  }

  /** Position of the first byte held, or null. */
  get start(): number | null {
    return this.#entries[this.#first]?.block.start ?? null
  }

  push(block: Block, group: number): void {
    this.#entries.push({ block, group })
  }

  /** The block that holds `position`, or null. */
  find(position: number): Block | null {
    const last = this.#entries[this.#entries.length - 1]
    if (last === undefined || position >= last.block.end) return null
    if (position >= last.block.start) return last.block
    let low = this.#first
    let high = this.#entries.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.block.end ?? 0) <= position) low = middle + 1
      else high = middle
    }
    const found = this.#entries[low]?.block
    return found !== undefined && found.start <= position ? found : null
  }

  /** Forgets blocks of groups up to `group`; returns the bytes set free. */
  dropApplied(group: number): number {
    let freed = 0
    for (;;) {
      const entry = this.#entries[this.#first]
      if (entry === undefined || entry.group > group) break
      freed += entry.block.end - entry.block.start
      this.#first++
    }
    if (this.#first > 256 && this.#first * 2 > this.#entries.length) this.#compact()
    return freed
  }

  /** Takes back what was pushed at or after `position`: its group was not stored. */
  truncate(position: number): void {
    while (this.#entries.length > this.#first) {
      const last = this.#entries[this.#entries.length - 1]
      if (last === undefined || last.block.start < position) return
      this.#entries.pop()
    }
  }

  /** Joins committed single records (up to `committed`) to blocks of about 64 KiB, for stores that never apply. */
  join(committed: number): void {
    this.#joined = Math.max(this.#joined, this.#first)
    if (this.#entries.length - this.#joined < joinRecords) return
    let size = 0
    let to = this.#joined
    for (; to < this.#entries.length; to++) {
      const block = this.#entries[to]?.block
      if (block === undefined || block.end > committed || (size > 0 && size + block.end - block.start > segmentBytesAim)) break
      size += block.end - block.start
    }
    if (to === this.#entries.length && size < segmentBytesAim) {
      if (to - this.#joined < joinRecords * 16) return
    }
    const run = this.#entries.slice(this.#joined, to)
    const last = run[run.length - 1]
    if (last !== undefined && run.length > 1) {
      this.#entries.splice(this.#joined, run.length, { block: joinBlocks(run.map(entry => entry.block)), group: last.group })
    }
    if (run.length > 0) this.#joined++
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#first)
    this.#joined = Math.max(0, this.#joined - this.#first)
    this.#first = 0
  }
}

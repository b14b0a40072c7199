/** A run of whole records as stored, and where the records in it end. The unit of reading in every store. */

export interface Block {
  /** Position of the first byte in the stream. */
  readonly start: number
  /** Position after the last byte; larger than `start`. */
  readonly end: number
  readonly bytes: Uint8Array
  /** Ends of the records, relative to `start`, ascending, the last one = end - start. null: one record. */
  readonly ends: Uint32Array | null
}

/** Bytes that one stored segment aims at: what cold reads take in one piece. */
export const segmentBytesAim = 64 * 1024

/** True when a record of `block` starts or ends at `position`. */
export function isBoundary(block: Block, position: number): boolean {
  if (position === block.start || position === block.end) return true
  if (block.ends === null) return false
  const relative = position - block.start
  return block.ends[lowerBound(block.ends, relative)] === relative
}

/** The largest record end of `block` that is ≤ `limit`, or null when there is none after `from`. */
export function boundaryUpTo(block: Block, from: number, limit: number): number | null {
  if (block.end <= limit) return block.end
  if (block.ends === null) return null
  const index = lowerBound(block.ends, limit - block.start + 1) - 1
  const end = index < 0 ? undefined : block.ends[index]
  return end === undefined || block.start + end <= from ? null : block.start + end
}

/** The first record end of `block` after `from`. */
export function boundaryAfter(block: Block, from: number): number {
  if (block.ends === null) return block.end
  const end = block.ends[lowerBound(block.ends, from - block.start + 1)]
  return end === undefined ? block.end : block.start + end
}

/** Index of the first element ≥ `value`, or the length. */
function lowerBound(values: Uint32Array, value: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values[middle] ?? Infinity) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Joins consecutive blocks to one. */
export function joinBlocks(blocks: readonly Block[]): Block {
  const first = blocks[0]
  const last = blocks[blocks.length - 1]
  if (first === undefined || last === undefined) throw new Error('at least one block is joined')
  if (blocks.length === 1) return first
  const bytes = new Uint8Array(last.end - first.start)
  const ends: number[] = []
  for (const block of blocks) {
    bytes.set(block.bytes, block.start - first.start)
    const shift = block.start - first.start
    if (block.ends === null) ends.push(block.end - first.start)
    else for (const end of block.ends) ends.push(end + shift)
  }
  return { start: first.start, end: last.end, bytes, ends: Uint32Array.from(ends) }
}

/** Reads pages of committed bytes: from memory, from the store, through the sources of a fork. */
import { assert, must } from '../lib/assert.ts'
import { fail } from '../lib/errors.ts'
import type { Page } from './commands.ts'
import { PageCache } from './page-cache.ts'
import { arrayOf } from './protocol/json.ts'
import type { Registry } from './registry.ts'
import { boundaryAfter, boundaryUpTo, isBoundary, type Block } from './store/block.ts'
import type { StreamState } from './stream.ts'

export class Pages {
  readonly #registry: Registry
  readonly #pageBytes: number
  readonly #cache: PageCache

  constructor(registry: Registry, pageBytes: number, cacheBytesMax: number, now: () => number) {
    this.#registry = registry
    this.#pageBytes = pageBytes
    this.#cache = new PageCache(cacheBytesMax, now)
  }

  /**
   * The page that begins at `from` (a boundary at or before the tail), of about `pageBytes` and whole records.
   * Where a full page ends depends on the stored records only, so equal requests give equal pages.
   */
  page(stream: StreamState, from: number, pageBytes = this.#pageBytes): Page {
    const limit = stream.committedTail
    const cached = pageBytes === this.#pageBytes ? this.#cache.get(stream.id, from, limit) : null
    const { body, end } = cached ?? this.#collect(stream, from, limit, pageBytes)
    const upToDate = end === limit
    const full = end - from >= pageBytes || (!upToDate && end > from)
    if (cached === null && pageBytes === this.#pageBytes) this.#cache.put(stream.id, from, { body, end, full })
    const { id: streamId, contentType, json } = stream
    return { streamId, contentType, json, start: from, end, body, upToDate, closed: upToDate && stream.committedClosed, full }
  }

  /** True when `position` is where a record of the stream starts or ends. */
  isBoundary(stream: StreamState, position: number): boolean {
    if (position === 0 || position === stream.committedTail || position === stream.start) return true
    const owner = this.#owner(stream, position).stream
    if (position === owner.start || position === owner.committedTail) return true
    const block = this.#block(owner, position)
    return isBoundary(block, position)
  }

  /** The record that begins at `position` (a boundary before the tail): its bytes, cut where a fork leaves its source. */
  recordAt(stream: StreamState, position: number): { bytes: Uint8Array; end: number } {
    const { stream: owner, limit } = this.#owner(stream, position)
    const block = this.#block(owner, position)
    const end = Math.min(boundaryAfter(block, position), limit)
    return { bytes: block.bytes.subarray(position - block.start, end - block.start), end }
  }

  /** Drops pages that nobody asked for lately; returns the bytes set free. */
  dropUnused(): number {
    return this.#cache.dropUnused()
  }

  forget(streamId: number): void {
    this.#cache.forget(streamId)
  }

  #collect(stream: StreamState, from: number, limit: number, pageBytes: number): { body: Uint8Array; end: number } {
    const parts: Uint8Array[] = []
    let end = from
    while (end < limit) {
      const owned = this.#owner(stream, end)
      const block = this.#block(owned.stream, end)
      const blockEnd = Math.min(block.end, owned.limit)
      let cut = blockEnd
      if (blockEnd > from + pageBytes) {
        const fitting = boundaryUpTo(block, end, from + pageBytes)
        if (fitting === null && end > from) break
        cut = Math.min(fitting ?? boundaryAfter(block, end), blockEnd)
      }
      parts.push(block.bytes.subarray(end - block.start, cut - block.start))
      end = cut
      if (cut < blockEnd || end - from >= pageBytes) break
    }
    const size = end - from
    if (stream.json) return { body: arrayOf(parts, size), end }
    const [only] = parts
    return { body: parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, size), end }
  }

  /** The stream of the fork chain that holds `position`, and where the next one takes over. */
  #owner(stream: StreamState, position: number): { stream: StreamState; limit: number } {
    let owner = stream
    let limit = stream.committedTail
    while (position < owner.start) {
      limit = Math.min(limit, owner.start)
      const fork = must(owner.fork, 'a stream that starts later than 0 is a fork')
      owner = must(this.#registry.byId(fork.parentId), 'the source of a fork is kept')
    }
    return { stream: owner, limit }
  }

  #block(owner: StreamState, position: number): Block {
    const block = owner.resident.find(position) ?? this.#registry.shardOfId(owner.id).store.blockAt(owner.id, position)
    if (block === null) fail('stream_damaged', { detail: `byte ${position} of stream ${owner.id} is missing` })
    assert(block.start <= position && position < block.end, 'a block holds the position it was asked for')
    return block
  }
}

/** Recently read pages, ready to send. Bounded in bytes; pages never change, only the last one of a stream grows. */

/** Pages that nobody asked for in so long are dropped. */
const unusedMsMax = 5_000

export interface CachedPage {
  readonly body: Uint8Array
  readonly end: number
  /** What the page holds never changes. */
  readonly full: boolean
}

/** Pages smaller than this are cheaper to read again than to keep. */
const pageBytesMin = 16 * 1024

interface Kept extends CachedPage {
  usedAtMs: number
}

export class PageCache {
  readonly #bytesMax: number
  readonly #now: () => number
  readonly #streams = new Map<number, Map<number, Kept>>()
  /** Stream and start of every page, oldest first. */
  readonly #order = new Map<string, { streamId: number; from: number }>()
  #bytes = 0

  constructor(bytesMax: number, now: () => number) {
    this.#bytesMax = bytesMax
    this.#now = now
  }

  get(streamId: number, from: number, tail: number): CachedPage | null {
    const page = this.#streams.get(streamId)?.get(from)
    if (page === undefined || !(page.full || page.end === tail)) return null
    page.usedAtMs = this.#now()
    return page
  }

  put(streamId: number, from: number, page: CachedPage): void {
    const size = page.body.byteLength
    if (size < pageBytesMin || size > this.#bytesMax / 4) return
    this.#remove(streamId, from)
    let pages = this.#streams.get(streamId)
    if (pages === undefined) this.#streams.set(streamId, (pages = new Map()))
    pages.set(from, { ...page, body: ownBytes(page.body), usedAtMs: this.#now() })
    this.#order.set(`${streamId}:${from}`, { streamId, from })
    this.#bytes += size
    for (const oldest of this.#order.values()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#remove(oldest.streamId, oldest.from)
    }
  }

  /** Drops what was not used lately; returns the bytes set free. */
  dropUnused(): number {
    const before = this.#bytes
    const least = this.#now() - unusedMsMax
    for (const { streamId, from } of this.#order.values()) {
      if ((this.#streams.get(streamId)?.get(from)?.usedAtMs ?? 0) < least) this.#remove(streamId, from)
    }
    return before - this.#bytes
  }

  forget(streamId: number): void {
    for (const from of this.#streams.get(streamId)?.keys() ?? []) this.#remove(streamId, from)
  }

  #remove(streamId: number, from: number): void {
    const pages = this.#streams.get(streamId)
    const page = pages?.get(from)
    if (pages === undefined || page === undefined) return
    pages.delete(from)
    if (pages.size === 0) this.#streams.delete(streamId)
    this.#order.delete(`${streamId}:${from}`)
    this.#bytes -= page.body.byteLength
  }
}

/** A page may be a view of a whole group of writes, which would stay with it: the cache counts what it keeps. */
function ownBytes(body: Uint8Array): Uint8Array {
  return body.buffer.byteLength > 2 * body.byteLength ? new Uint8Array(body) : body
}

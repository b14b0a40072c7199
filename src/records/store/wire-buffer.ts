/** Values one after another in memory that two threads share: written by one, then read by the other. What they mean is wire.ts. */
import { assert } from '../../lib/assert.ts'
import type { SqlValue } from '../../lib/sql-value.ts'

/** What a value begins with. */
const tags = { null: 0, integer: 1, real: 2, text: 3, blob: 4, brokenText: 5, longInteger: 6 } as const
/** No value: for what the users of these classes write in place of one. */
export const firstFreeTag = 7

const initialBytes = 64 * 1024
/** A buffer that one large group needed is not kept. */
const keptBytesMax = 4 * 1024 * 1024

/** Characters from which the bytes of a text are counted before they are written; for shorter ones there is room for all that they could take. */
const exactFrom = 1024

/** Its bytes are overwritten by what follows `begin`: whoever reads them must be done by then. */
export class WireWriter {
  #at = 0
  #bytes: Uint8Array<SharedArrayBuffer>
  #text: Buffer
  #view: DataView

  constructor() {
    this.#bytes = new Uint8Array(new SharedArrayBuffer(initialBytes))
    this.#text = Buffer.from(this.#bytes.buffer)
    this.#view = new DataView(this.#bytes.buffer)
  }

  begin(): void {
    this.#at = 0
    if (this.#bytes.byteLength > keptBytesMax) this.#use(new SharedArrayBuffer(initialBytes))
  }

  /** All that was written since `begin`; a view. */
  end(): Uint8Array<SharedArrayBuffer> {
    return this.#bytes.subarray(0, this.#at)
  }

  u8(value: number): void {
    this.#room(1)
    this.#view.setUint8(this.#at++, value)
  }

  u32(value: number): void {
    this.#room(4)
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  text(value: string): void {
    this.#room(4 + (value.length < exactFrom ? value.length * 3 : Buffer.byteLength(value)))
    const length = this.#text.write(value, this.#at + 4)
    this.#view.setUint32(this.#at, length, true)
    this.#at += 4 + length
  }

  value(value: SqlValue): void {
    if (typeof value === 'string') return this.#textValue(value)
    if (value === null) return this.u8(tags.null)
    if (typeof value === 'bigint') return this.#integer(value)
    if (typeof value === 'number') {
      this.u8(tags.real)
      return this.f64(value)
    }
    this.#room(5 + value.byteLength)
    this.#view.setUint8(this.#at, tags.blob)
    this.#view.setUint32(this.#at + 1, value.byteLength, true)
    this.#bytes.set(value, this.#at + 5)
    this.#at += 5 + value.byteLength
  }

  /** UTF-8 has no half of a surrogate pair: a text that holds one goes by its UTF-16 units. */
  #textValue(value: string): void {
    if (value.isWellFormed()) {
      this.u8(tags.text)
      return this.text(value)
    }
    this.u8(tags.brokenText)
    this.#room(4 + value.length * 2)
    this.#view.setUint32(this.#at, value.length * 2, true)
    this.#text.write(value, this.#at + 4, 'utf16le')
    this.#at += 4 + value.length * 2
  }

  #integer(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) {
      this.u8(tags.longInteger) // SQLite is to refuse it, not we to cut it
      return this.text(value.toString())
    }
    this.#room(9)
    this.#view.setUint8(this.#at, tags.integer)
    this.#view.setBigInt64(this.#at + 1, value, true)
    this.#at += 9
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#bytes.byteLength) return
    const written = this.#bytes.subarray(0, this.#at)
    this.#use(new SharedArrayBuffer(Math.max(needed, this.#bytes.byteLength * 2)))
    this.#bytes.set(written)
  }

  #use(buffer: SharedArrayBuffer): void {
    this.#bytes = new Uint8Array(buffer)
    this.#text = Buffer.from(buffer)
    this.#view = new DataView(buffer)
  }
}

/** `blobs`: how a blob is taken out. `copied` for what is kept, `shared` for what is used before the writer writes again. */
export class WireReader {
  #at = 0
  readonly #bytes: Uint8Array
  readonly #text: Buffer
  readonly #view: DataView
  readonly #blobs: 'copied' | 'shared'

  constructor(bytes: Uint8Array, blobs: 'copied' | 'shared') {
    this.#bytes = bytes
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#blobs = blobs
  }

  u8(): number {
    return this.#view.getUint8(this.#at++)
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at, true)
    this.#at += 4
    return value
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  text(): string {
    const from = this.#length()
    return this.#text.toString('utf8', from, this.#at)
  }

  /** The value behind `tag`, which was read before. */
  value(tag: number): SqlValue {
    switch (tag) {
      case tags.null:
        return null
      case tags.integer:
        this.#at += 8
        return this.#view.getBigInt64(this.#at - 8, true)
      case tags.real:
        return this.f64()
      case tags.text:
        return this.text()
      case tags.blob:
        return this.#blob()
      case tags.brokenText: {
        const from = this.#length()
        return this.#text.toString('utf16le', from, this.#at)
      }
      default:
        assert(tag === tags.longInteger, `a value begins with its tag, not ${tag}`)
        return BigInt(this.text())
    }
  }

  #blob(): Uint8Array {
    const from = this.#length()
    return this.#blobs === 'copied' ? this.#bytes.slice(from, this.#at) : this.#bytes.subarray(from, this.#at)
  }

  /** Goes behind the bytes whose length stands here, and gives where they begin. */
  #length(): number {
    const from = this.#at + 4
    this.#at = from + this.#view.getUint32(this.#at, true)
    return from
  }
}

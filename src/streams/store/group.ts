/** The binary form of one group commit: what the log holds and every store replays. Knows no SQLite and no files. */
import { assert } from '../../lib/assert.ts'

/** One durable fact. Positions are bytes from the start of the stream; times are milliseconds since the epoch. */
export type LogRecord =
  | { readonly kind: 'create'; readonly stream: CreatedStream }
  | {
      readonly kind: 'append'
      readonly id: number
      readonly start: number
      readonly bytes: Uint8Array
      readonly atMs: number
      readonly closes: boolean
      readonly seq: string | null
      readonly producer: { readonly id: string; readonly epoch: number; readonly seq: number } | null
    }
  | { readonly kind: 'touch'; readonly id: number; readonly atMs: number }
  | { readonly kind: 'hide'; readonly id: number }
  | { readonly kind: 'purge'; readonly id: number }
  | { readonly kind: 'rename'; readonly id: number; readonly path: string }
  | { readonly kind: 'meta'; readonly key: string; readonly value: string | null }

export interface CreatedStream {
  readonly id: number
  readonly path: string
  readonly contentType: string
  readonly createdAtMs: number
  readonly ttlSecs: number | null
  readonly expiresAtMs: number | null
  readonly closed: boolean
  /** First own byte: 0, or where a fork leaves its source. */
  readonly start: number
  readonly fork: ForkOrigin | null
}

export interface ForkOrigin {
  readonly parentId: number
  /** As in the request, for the comparison of a repeated PUT. */
  readonly from: string
  readonly offset: string | null
  readonly subOffset: number
}

/** Bytes before the records: magic, length of the records, group number (float64), CRC-32 of number and records. */
export const groupHeaderBytes = 20
export const groupMagic = 0x31475748 // "HWG1"

const kinds = { create: 1, append: 2, touch: 3, hide: 4, purge: 5, rename: 6, meta: 7 } as const
const flags = { closes: 1, seq: 2, producer: 4 } as const
/** Stands for null; every real number, also a time before 1970, stands for itself. */
const none = NaN

/** Collects the records of the next group. `seal` hands the bytes over and begins anew. */
export class GroupEncoder {
  #buffer: Buffer = Buffer.allocUnsafeSlow(initialBytes)
  #view = view(this.#buffer)
  #at = groupHeaderBytes
  records = 0

  get byteLength(): number {
    return this.#at
  }

  /** Adds a record; of an append, returns where its bytes begin in the sealed group, else 0. */
  add(record: LogRecord): number {
    this.records++
    this.#u8(kinds[record.kind])
    switch (record.kind) {
      case 'append':
        this.#append(record)
        return this.#at - record.bytes.byteLength
      case 'create':
        this.#create(record.stream)
        return 0
      case 'touch':
        this.#number(record.id)
        this.#number(record.atMs)
        return 0
      case 'hide':
      case 'purge':
        this.#number(record.id)
        return 0
      case 'rename':
        this.#number(record.id)
        this.#text(record.path)
        return 0
      case 'meta':
        this.#text(record.key)
        this.#u8(record.value === null ? 0 : 1)
        this.#text(record.value ?? '')
        return 0
    }
  }

  /** The finished group, in memory of its own that threads can share: a writer then takes it without a copy. */
  seal(group: number): Uint8Array<SharedArrayBuffer> {
    const sealed = this.#buffer.subarray(0, this.#at)
    sealed.writeUInt32LE(groupMagic, 0)
    sealed.writeUInt32LE(this.#at - groupHeaderBytes, 4)
    sealed.writeDoubleLE(group, 8)
    sealed.writeUInt32LE(groupChecksum(sealed), 16)
    const copy = new Uint8Array(new SharedArrayBuffer(this.#at))
    copy.set(sealed)
    this.clear()
    return copy
  }

  clear(): void {
    this.#at = groupHeaderBytes
    this.records = 0
    if (this.#buffer.length > keptBytesMax) this.#use(Buffer.allocUnsafeSlow(initialBytes))
  }

  #append(record: LogRecord & { kind: 'append' }): void {
    this.#number(record.id)
    this.#number(record.start)
    this.#number(record.atMs)
    this.#u8(
      (record.closes ? flags.closes : 0) | (record.seq !== null ? flags.seq : 0) | (record.producer ? flags.producer : 0),
    )
    if (record.seq !== null) this.#text(record.seq)
    if (record.producer) {
      this.#text(record.producer.id)
      this.#number(record.producer.epoch)
      this.#number(record.producer.seq)
    }
    this.#bytes(record.bytes)
  }

  #create(stream: CreatedStream): void {
    this.#number(stream.id)
    this.#text(stream.path)
    this.#text(stream.contentType)
    this.#number(stream.createdAtMs)
    this.#number(stream.ttlSecs ?? none)
    this.#number(stream.expiresAtMs ?? none)
    this.#u8(stream.closed ? 1 : 0)
    this.#number(stream.start)
    this.#u8(stream.fork ? (stream.fork.offset === null ? 1 : 2) : 0)
    if (stream.fork) {
      this.#number(stream.fork.parentId)
      this.#text(stream.fork.from)
      this.#text(stream.fork.offset ?? '')
      this.#number(stream.fork.subOffset)
    }
  }

  #u8(value: number): void {
    this.#room(1)
    this.#buffer[this.#at++] = value
  }

  #number(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  #text(value: string): void {
    this.#room(4 + value.length * 3)
    const length = this.#buffer.write(value, this.#at + 4)
    this.#buffer.writeUInt32LE(length, this.#at)
    this.#at += 4 + length
  }

  #bytes(value: Uint8Array): void {
    this.#room(4 + value.byteLength)
    this.#buffer.writeUInt32LE(value.byteLength, this.#at)
    this.#buffer.set(value, this.#at + 4)
    this.#at += 4 + value.byteLength
  }

  #use(buffer: Buffer): void {
    this.#buffer = buffer
    this.#view = view(buffer)
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    larger.set(this.#buffer.subarray(0, this.#at))
    this.#use(larger)
  }
}

const initialBytes = 256 * 1024
const keptBytesMax = 4 * 1024 * 1024

/** The CRC-32 that the header of `group` should carry. */
export function groupChecksum(group: Uint8Array): number {
  return Bun.hash.crc32(group.subarray(groupHeaderBytes), Bun.hash.crc32(group.subarray(8, 16)))
}

export function groupNumber(group: Uint8Array): number {
  return view(group).getFloat64(8, true)
}

/** Makes a sealed group one of the log segment with `key`: its checksum fits nowhere else. */
export function stampGroup(group: Uint8Array, key: number): void {
  const header = view(group)
  header.setUint32(16, header.getUint32(16, true) ^ key, true)
}

/** True when `group` is whole: magic, length and checksum fit. `key` is that of its log segment. */
export function groupIntact(group: Uint8Array, key = 0): boolean {
  if (group.byteLength < groupHeaderBytes) return false
  const header = view(group)
  return (
    header.getUint32(0, true) === groupMagic &&
    header.getUint32(4, true) === group.byteLength - groupHeaderBytes &&
    header.getUint32(16, true) === (groupChecksum(group) ^ key) >>> 0
  )
}

/** The groups that stand one after another in `groups`; views, not copies. */
export function splitGroups(groups: Uint8Array): Uint8Array[] {
  const header = view(groups)
  const found: Uint8Array[] = []
  for (let at = 0; at < groups.byteLength; ) {
    const end = at + groupHeaderBytes + header.getUint32(at + 4, true)
    found.push(groups.subarray(at, end))
    at = end
  }
  return found
}

/** Calls `visit` for every record of an intact group, in order. Bytes of appends are views into `group`. */
export function decodeGroup(group: Uint8Array, visit: (record: LogRecord) => void): void {
  const reader = new RecordReader(group)
  while (!reader.done) visit(reader.next())
}

class RecordReader {
  readonly #group: Buffer
  #at = groupHeaderBytes

  constructor(group: Uint8Array) {
    this.#group = Buffer.from(group.buffer, group.byteOffset, group.byteLength)
  }

  get done(): boolean {
    return this.#at >= this.#group.length
  }

  next(): LogRecord {
    const kind = this.#u8()
    switch (kind) {
      case kinds.append:
        return this.#append()
      case kinds.create:
        return { kind: 'create', stream: this.#create() }
      case kinds.touch:
        return { kind: 'touch', id: this.#number(), atMs: this.#number() }
      case kinds.hide:
        return { kind: 'hide', id: this.#number() }
      case kinds.purge:
        return { kind: 'purge', id: this.#number() }
      case kinds.rename:
        return { kind: 'rename', id: this.#number(), path: this.#text() }
      default:
        assert(kind === kinds.meta, `a log record has a known kind, not ${kind}`)
        return this.#meta()
    }
  }

  #append(): LogRecord {
    const id = this.#number()
    const start = this.#number()
    const atMs = this.#number()
    const bits = this.#u8()
    const seq = bits & flags.seq ? this.#text() : null
    const producer = bits & flags.producer ? { id: this.#text(), epoch: this.#number(), seq: this.#number() } : null
    return { kind: 'append', id, start, atMs, closes: (bits & flags.closes) !== 0, seq, producer, bytes: this.#bytes() }
  }

  #create(): CreatedStream {
    const id = this.#number()
    const path = this.#text()
    const contentType = this.#text()
    const createdAtMs = this.#number()
    const ttlSecs = optional(this.#number())
    const expiresAtMs = optional(this.#number())
    const closed = this.#u8() === 1
    const start = this.#number()
    return { id, path, contentType, createdAtMs, ttlSecs, expiresAtMs, closed, start, fork: this.#fork() }
  }

  #fork(): ForkOrigin | null {
    const form = this.#u8()
    if (form === 0) return null
    const parentId = this.#number()
    const from = this.#text()
    const offset = this.#text()
    return { parentId, from, offset: form === 1 ? null : offset, subOffset: this.#number() }
  }

  #meta(): LogRecord {
    const key = this.#text()
    const present = this.#u8() === 1
    const value = this.#text()
    return { kind: 'meta', key, value: present ? value : null }
  }

  #u8(): number {
    return this.#group.readUInt8(this.#at++)
  }

  #number(): number {
    const value = this.#group.readDoubleLE(this.#at)
    this.#at += 8
    return value
  }

  #text(): string {
    const length = this.#group.readUInt32LE(this.#at)
    const text = this.#group.toString('utf8', this.#at + 4, this.#at + 4 + length)
    this.#at += 4 + length
    return text
  }

  #bytes(): Uint8Array {
    const length = this.#group.readUInt32LE(this.#at)
    const bytes = this.#group.subarray(this.#at + 4, this.#at + 4 + length)
    this.#at += 4 + length
    return bytes
  }
}

function optional(value: number): number | null {
  return Number.isNaN(value) ? null : value
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

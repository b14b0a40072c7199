/** UUIDs in SQL: 16 bytes where they are stored, the 36 characters where people read them. */
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import type { SqlValue } from '../../lib/sql-value.ts'
import { blobOf, type SqlFunction, SqlFunctionError, sqlFunction, textOf } from './sql-function.ts'

/** The checks hold of NULL, so that a nullable column can have them. */
export function uuidFunctions(ids: Ids, clock: Clock): readonly SqlFunction[] {
  const sequence = new UuidSequence(ids, clock)
  return [
    sqlFunction('is_uuid', 1, ([value]) => isUuid(value, null), { onNull: 'true' }),
    sqlFunction('is_uuid_v4', 1, ([value]) => isUuid(value, 4), { onNull: 'true' }),
    sqlFunction('is_uuid_v7', 1, ([value]) => isUuid(value, 7), { onNull: 'true' }),
    sqlFunction('uuid_v4', 0, () => uuidV4(ids), { deterministic: false }),
    sqlFunction('uuid_v7', 0, () => sequence.next(), { deterministic: false }),
    sqlFunction('uuid_text', 1, args => uuidText(blobOf(args, 0))),
    sqlFunction('uuid_parse', 1, args => uuidParse(textOf(args, 0))),
  ]
}

/** Random UUID (RFC 9562 §5.4). */
export function uuidV4(ids: Ids): Uint8Array {
  return stamped(sixteenBytes(ids), 4)
}

/** UUIDs by time (RFC 9562 §5.7, method 1 of §6.2): each is greater than the one before, also within a millisecond and when the clock goes back. */
export class UuidSequence {
  readonly #ids: Ids
  readonly #clock: Clock
  #millisecond = 0
  #counter = 0

  constructor(ids: Ids, clock: Clock) {
    this.#ids = ids
    this.#clock = clock
  }

  next(): Uint8Array {
    const bytes = sixteenBytes(this.#ids)
    const view = new DataView(bytes.buffer)
    this.#advance(view.getUint16(6))
    view.setUint16(0, Math.floor(this.#millisecond / 2 ** 32))
    view.setUint32(2, this.#millisecond % 2 ** 32)
    view.setUint16(6, this.#counter)
    return stamped(bytes, 7)
  }

  /** The counter has 12 bits and begins in the lower half of a new millisecond; when it is full it borrows the next millisecond. */
  #advance(random: number): void {
    const now = Math.floor(this.#clock.now())
    if (now <= this.#millisecond && this.#counter < 0xfff) {
      this.#counter++
      return
    }
    this.#millisecond = Math.max(now, this.#millisecond + 1)
    this.#counter = random & 0x7ff
  }
}

/** Lower case with hyphens. */
export function uuidText(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new SqlFunctionError(`a UUID has 16 bytes, not ${bytes.length}`)
  return Buffer.from(bytes).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Takes 36 characters with hyphens, 32 without, and either in braces or after `urn:uuid:`. */
export function uuidParse(text: string): Uint8Array {
  const found = /^(?:urn:uuid:(?=[^{]))?(\{)?([0-9a-f]{8}(-?)[0-9a-f]{4}\3[0-9a-f]{4}\3[0-9a-f]{4}\3[0-9a-f]{12})(\})?$/i.exec(text)
  if (found === null || found[1]?.length !== found[4]?.length) throw new SqlFunctionError('the text is not a UUID')
  return new Uint8Array(Buffer.from((found[2] ?? '').replaceAll('-', ''), 'hex'))
}

function isUuid(value: SqlValue | undefined, version: 4 | 7 | null): boolean {
  return value instanceof Uint8Array && value.length === 16 && (version === null || (value[6] ?? 0) >> 4 === version)
}

function sixteenBytes(ids: Ids): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(ids.random(), 'base64url'))
}

function stamped(bytes: Uint8Array, version: number): Uint8Array {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4)
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes
}

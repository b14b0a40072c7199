/** JSON text to values and back with every integer of 64 bits kept. What a value means for a column is column-value.ts. */
import { fail } from '../../lib/errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Nesting that a value may have; SQLite's own JSON functions stop at 1000. */
const jsonDepthMax = 64

/** Digits of one integer; a double cannot be as large either. */
const digitsMax = 400

/** 16 digits in a row: only then may a number lie beyond what a double holds exactly. */
const mayBeLong = /\d{16}/

/**
 * The value of a JSON text. Integers beyond 2^53 come as bigint, all other numbers as number. Duplicate keys: the last one counts;
 * `__proto__` is a key like others. Refuses `invalid_json`.
 */
export function parseExactJson(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes)
    return mayBeLong.test(text) ? JSON.parse(text, keepLong) : JSON.parse(text)
  } catch {
    // Also the nesting that exhausts the stack of a reviver, and numbers that are too long for it.
    fail('invalid_json', { detail: 'the body is not valid JSON in UTF-8' })
  }
}

/** The text of `value`, exact for what parseExactJson gives. Refuses `invalid_record` for a value nested too deeply, and for a number that no double holds. */
export function exactJsonText(value: unknown): string {
  if (depthOf(value, 0) > jsonDepthMax) fail('invalid_record', { detail: `JSON nested deeper than ${jsonDepthMax}` })
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return rawNumber(each)
    // JSON has no infinity; it would become null.
    return each === Infinity || each === -Infinity ? fail('invalid_record', { detail: 'a number in JSON is too large' }) : each
  })
}

interface Source {
  readonly source?: string
}

function keepLong(_: string, value: unknown, context?: Source): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  if (source === undefined || !/^-?\d+$/.test(source)) return value
  // Reading digits takes time that grows with the square of their number.
  if (source.length > digitsMax) throw new RangeError('the number has too many digits')
  return BigInt(source)
}

/** ECMAScript "JSON.parse source text access": Bun 1.4.5 has it, TypeScript's library does not yet. */
interface RawJson {
  rawJSON(text: string): unknown
}

function rawNumber(value: bigint): unknown {
  return (JSON as JSON & RawJson).rawJSON(value.toString())
}

function depthOf(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null || depth > jsonDepthMax) return depth
  let deepest = depth + 1
  for (const each of Object.values(value)) deepest = Math.max(deepest, depthOf(each, depth + 1))
  return deepest
}

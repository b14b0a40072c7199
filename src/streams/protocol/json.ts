/** JSON mode: bodies become values each followed by a comma, so that any run of them reads as an array. (PROTOCOL.md §9.1) */
import { Refusal } from '../../lib/errors.ts'
import type { Framed } from '../commands.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const comma = 0x2c
const bracketOpen = 0x5b
const bracketClose = 0x5d

/**
 * Frames a body. A top-level array is flattened by one level; the text of the values is kept as it was sent (number
 * precision, key order, duplicate keys). An empty array gives an empty record when `emptyArray` allows it.
 */
export function frameJson(body: Uint8Array, emptyArray: 'allowed' | 'refused'): Framed {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(body))
  } catch {
    return { kind: 'refused', refusal: new Refusal('invalid_json', {}) }
  }
  if (!Array.isArray(value)) return { kind: 'record', bytes: withComma(body) }
  if (value.length === 0) {
    if (emptyArray === 'allowed') return { kind: 'record', bytes: new Uint8Array(0) }
    return { kind: 'refused', refusal: new Refusal('empty_array', {}) }
  }
  return { kind: 'record', bytes: withComma(body.subarray(body.indexOf(bracketOpen) + 1, body.lastIndexOf(bracketClose))) }
}

function withComma(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(bytes.byteLength + 1)
  framed.set(bytes)
  framed[bytes.byteLength] = comma
  return framed
}

/** The array text of framed bytes; `[]` for none. */
export function arrayOf(parts: readonly Uint8Array[], byteLength: number): Uint8Array {
  if (byteLength === 0) return emptyArrayText
  const text = new Uint8Array(byteLength + 1)
  text[0] = bracketOpen
  let at = 1
  for (const part of parts) {
    text.set(part, at)
    at += part.byteLength
  }
  text[byteLength] = bracketClose // in place of the last comma
  return text
}

const emptyArrayText = new TextEncoder().encode('[]')

/**
 * Where the first `count` values of framed bytes end, their commas included; null when there are fewer.
 * Walks strings and brackets only: the bytes are known to be valid JSON.
 */
export function endOfValues(framed: Uint8Array, count: number): number | null {
  if (count === 0) return 0
  let depth = 0
  let seen = 0
  for (let i = 0; i < framed.byteLength; i++) {
    const byte = framed[i]
    if (byte === 0x22) i = endOfString(framed, i)
    else if (byte === bracketOpen || byte === 0x7b) depth++
    else if (byte === bracketClose || byte === 0x7d) depth--
    else if (byte === comma && depth === 0 && ++seen === count) return i + 1
  }
  return null
}

/** Index of the quote that ends the string which begins at `from`. */
function endOfString(framed: Uint8Array, from: number): number {
  let i = from + 1
  while (i < framed.byteLength && framed[i] !== 0x22) i += framed[i] === 0x5c ? 2 : 1
  return i
}

/** Offset tokens: `<incarnation>_<position>`, 16 decimal digits each, so that text order is stream order. (PROTOCOL.md §8) */
import { fail } from '../../lib/errors.ts'
import type { Position } from '../commands.ts'

/** The form in which positions go out. */
export function formatOffset(position: Position): string {
  const at = String(position.at)
  if (position.incarnation === 0) return (firstIncarnation[at.length] ?? '') + at
  return `${String(position.incarnation).padStart(16, '0')}_${at.padStart(16, '0')}`
}

/** What stands before a position of so many digits, for stores that were never put back from a backup. */
const firstIncarnation = Array.from({ length: 17 }, (_, length) => `${'0'.repeat(16)}_${'0'.repeat(16 - length)}`)
const tokenForm = /^(\d{16})_(\d{16})$/

/** Reads a token. Refuses what is none: invalid_offset. Whether the position exists is for the reader to say. */
export function parseOffset(token: string): Position {
  const match = tokenForm.exec(token)
  if (match === null) fail('invalid_offset', { detail: 'an offset is one that this server gave out, -1 or now' })
  return { incarnation: Number(match[1]), at: Number(match[2]) }
}

/** Reads the `offset` parameter of a read. `null` (absent) and `-1` mean the start. */
export function parseReadOffset(values: readonly string[]): Position | 'start' | 'now' {
  if (values.length > 1) fail('invalid_offset', { detail: 'offset may be given once' })
  const [value] = values
  if (value === undefined || value === '-1') return 'start'
  if (value === 'now') return 'now'
  return parseOffset(value)
}

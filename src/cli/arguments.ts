/** Readers of flag values. A bad value is a usage error that says what was expected. */
import { InvalidArgumentError } from 'commander'

/** A whole number of at least 1. */
export function count(text: string): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
  if (value < 1) throw new InvalidArgumentError('Expected a whole number of at least 1.')
  return value
}

/** Text of one line without control characters: what fits into a header. */
export function headerText(text: string): string {
  if (/[^\x20-\x7e]/.test(text) || text.trim() === '') throw new InvalidArgumentError('Expected visible ASCII characters.')
  return text
}

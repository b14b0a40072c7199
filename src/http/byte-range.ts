/** The Range header of a file (RFC 9110 §14): one range of bytes. Several are not served; then the whole comes, as §14.2 allows. */

/** `from` up to `end`, which is not in it. */
export type ByteRange = { readonly from: number; readonly end: number } | 'whole' | 'unsatisfiable'

export function byteRange(header: string | null, size: number): ByteRange {
  const found = header === null ? null : /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim())
  if (found === null) return 'whole'
  const [, first = '', last = ''] = found
  if (first === '' && last === '') return 'whole'
  if (first === '') return suffixRange(Number(last), size)
  const from = Number(first)
  // §14.1.1: a last position before the first makes the header invalid, and it is ignored.
  if (last !== '' && Number(last) < from) return 'whole'
  if (from >= size) return 'unsatisfiable'
  return { from, end: last === '' ? size : Math.min(Number(last) + 1, size) }
}

function suffixRange(length: number, size: number): ByteRange {
  if (length === 0 || size === 0) return 'unsatisfiable'
  return { from: Math.max(0, size - length), end: size }
}

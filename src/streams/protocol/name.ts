/** Stream names: from the URL to one canonical, decoded path. The only place that decodes. */
import { fail } from '../../lib/errors.ts'

export interface NameLimits {
  readonly nameBytesMax: number
  readonly nameSegmentsMax: number
}

/** First segment below the stream root that belongs to the control APIs. (PROTOCOL.md §6) */
export const reservedSegment = '__ds'

const control = /[\u0000-\u001f\u007f-\u009f]/

/**
 * The name in `encoded` (the URL path below the stream root, without query). `%2F` and `/` are the same separator, so one
 * stream has one name; Unicode is not normalised. Refuses empty, `.` and `..` segments, control characters, bad encoding, and what is too long.
 */
export function parseName(encoded: string, limits: NameLimits): string {
  // A request line has no fragment; taken as it is, the Location of the stream would lead elsewhere.
  if (encoded.includes('#')) fail('invalid_stream_name', { detail: 'a "#" in a name is written %23' })
  const name = encoded.includes('%') ? decode(encoded) : encoded
  if (name === '') fail('invalid_stream_name', { detail: 'a name has at least one segment' })
  if (control.test(name)) fail('invalid_stream_name', { detail: 'a name has no control characters' })
  if (name.length * 3 > limits.nameBytesMax && Buffer.byteLength(name) > limits.nameBytesMax) {
    fail('invalid_stream_name', { detail: `a name has ${limits.nameBytesMax} bytes at the most` })
  }
  let segments = 0
  for (const segment of name.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') {
      fail('invalid_stream_name', { detail: 'a name has no empty, "." or ".." segments' })
    }
    segments++
  }
  if (segments > limits.nameSegmentsMax) {
    fail('invalid_stream_name', { detail: `a name has ${limits.nameSegmentsMax} segments at the most` })
  }
  return name
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return fail('invalid_stream_name', { detail: 'the percent-encoding is not valid UTF-8' })
  }
}

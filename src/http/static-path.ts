/** From the path of a request to a file below a directory, and what its name says about caching. Touches no disk. */

/**
 * The segments of a path, decoded; the last one is empty for a directory. Null for what names no file that may be served: segments that are hidden, empty
 * or not whole, or that mean another file to the system than they say. `/.well-known/` is public by its definition (RFC 8615).
 */
export function staticSegments(path: string): readonly string[] | null {
  const segments: string[] = []
  const raw = path.split('/').slice(1)
  for (const [index, text] of raw.entries()) {
    const segment = decoded(text)
    if (segment === null || /[/\\\0]/.test(segment)) return null
    if (segment === '' && index < raw.length - 1) return null
    if (segment.startsWith('.') && !(index === 0 && segment === '.well-known')) return null
    segments.push(segment)
  }
  return segments
}

/** Whether the last segment looks like a file: an application that routes in the browser has pages without a suffix. */
export function hasSuffix(segments: readonly string[]): boolean {
  return (segments.at(-1) ?? '').includes('.')
}

/**
 * Whether a build put a hash of the content into the name (`index-B2xk91Qz.js`): then the file never changes. Lengths are those that bundlers use. Words that
 * end in a number, or begin with one, are no hash.
 */
export function isHashed(name: string): boolean {
  const hash = /[.-]([A-Za-z0-9_]{8}|[0-9a-f]{10}|[0-9a-f]{16}|[0-9a-f]{20}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?:\.[A-Za-z0-9]{1,5}){1,2}$/.exec(name)?.[1]
  if (hash === undefined || !/[A-Za-z]/.test(hash)) return false
  if (/^[A-Z0-9]{8}$/.test(hash)) return true
  return /[0-9]/.test(hash) && !/^[A-Za-z_]+[0-9]+$|^[0-9]+[A-Za-z_]+$/.test(hash)
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

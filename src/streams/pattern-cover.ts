/** Patterns compared with patterns: what a subscription's pattern can reach. Matching a path is lib/pattern.ts. */

/** Longest pattern that is compared, in segments; a longer one overlaps everything and is covered by nothing. */
export const comparedSegmentsMax = 64

/** True when some path matches both. */
export function overlaps(a: string, b: string): boolean {
  return walk(a.split('/'), b.split('/'), true, (one, other) => isAnySegment(one) || isAnySegment(other) || one === other)
}

/** True when every path of `inner` matches `outer`. May say false where it takes thought to see, never wrongly true. */
export function covers(outer: string, inner: string): boolean {
  return walk(outer.split('/'), inner.split('/'), false, (one, other) => isAnySegment(one) || (one === other && !isAnySegment(other)))
}

/** The segments that `outer` captures and that are the same text on every path of `inner`; fewer where that is unsure. */
export function fixedCaptures(outer: string, inner: string): Readonly<Record<string, string>> {
  const captures: Record<string, string> = {}
  const texts = inner.split('/')
  for (const [at, segment] of outer.split('/').entries()) {
    const text = texts[at]
    // Behind a `**` positions are not fixed any more.
    if (segment === '**' || text === undefined || text === '**') break
    if (isCapture(segment) && !isAnySegment(text)) captures[segment.slice(1, -1)] = text
  }
  return captures
}

/**
 * Pairs off the segments of two patterns. `eitherStars`: a `**` on either side takes any number of segments of the other
 * (overlap); else only one of `outer` does, and one of `inner` needs one of `outer` to take it (cover).
 */
function walk(
  outer: readonly string[],
  inner: readonly string[],
  eitherStars: boolean,
  fits: (outer: string, inner: string) => boolean,
): boolean {
  if (outer.length > comparedSegmentsMax || inner.length > comparedSegmentsMax) return eitherStars
  const known = new Map<number, boolean>()
  const from = (i: number, j: number): boolean => {
    const key = i * (comparedSegmentsMax + 1) + j
    const before = known.get(key)
    if (before !== undefined) return before
    const result = step(i, j)
    known.set(key, result)
    return result
  }
  const step = (i: number, j: number): boolean => {
    const one = outer[i]
    const other = inner[j]
    if (one === '**') return from(i + 1, j) || (other !== undefined && from(i, j + 1))
    if (other === '**') return eitherStars && (from(i, j + 1) || (one !== undefined && from(i + 1, j)))
    if (one === undefined || other === undefined) return one === other
    return fits(one, other) && from(i + 1, j + 1)
  }
  return from(0, 0)
}

/** A segment that mixes text and `*` counts as any: for a reach that is the safe side. */
function isAnySegment(segment: string): boolean {
  return segment.includes('*') || isCapture(segment)
}

function isCapture(segment: string): boolean {
  return /^\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(segment)
}

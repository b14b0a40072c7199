/** How large a regular expression gets when it is compiled. Counted repeats are written out then, so a short text can take long; matching is linear. */

/** A literal, class or group with what is counted behind it. */
interface Sequence {
  total: number
  /** The last part, which a repeat behind it multiplies. */
  last: number
}

const part = /\\[pP]\{[^}]*\}|\\[pPx](?!\{).?|\\.|\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|[^]/gsu

/** Parts of `pattern` with every counted repeat written out; an estimate from above for patterns that are well formed. */
export function patternSize(pattern: string): number {
  const stack: Sequence[] = []
  let current: Sequence = { total: 0, last: 0 }
  for (const [text, least, most] of pattern.matchAll(part)) {
    if (text === '(') {
      stack.push(current)
      current = { total: 0, last: 0 }
    } else if (text === ')') {
      const size = current.total + current.last + 1
      const outer = stack.pop() ?? { total: 0, last: 0 }
      current = { total: outer.total + outer.last, last: size }
    } else if (least !== undefined) {
      current.last *= Math.max(1, Number(least) + (most === '' ? 1 : 0), Number(most ?? 0))
    } else {
      current = { total: current.total + current.last, last: 1 }
    }
  }
  return [...stack, current].reduce((sum, { total, last }) => sum + total + last, 0)
}

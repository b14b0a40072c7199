/** Patterns over stream paths: `*` is one segment, `**` any number, `{name}` one captured segment. */

export interface PathPattern {
  readonly source: string
  /** Captured segments by name, or null when `path` does not match. Path segments are decoded text joined by '/'. */
  match(path: string): Readonly<Record<string, string>> | null
}

/** Compiles `source`; returns a sentence that says what is wrong instead when it is no pattern. */
export function compilePattern(source: string): PathPattern | string {
  const segments = source.split('/')
  if (source === '' || segments.some(segment => segment === '')) return 'a pattern has no empty segment'
  const names = segments.filter(isCapture)
  if (new Set(names).size !== names.length) return 'a name may be captured once only'
  const bad = segments.find(segment => !isWildcard(segment) && !isCapture(segment) && /[*{}]/.test(segment))
  if (bad !== undefined) return `segment "${bad}" mixes text and wildcard; use *, ** or {name} as a whole segment`
  return { source, match: (path: string) => matchFrom(segments, 0, path.split('/'), 0, {}) }
}

function isWildcard(segment: string): boolean {
  return segment === '*' || segment === '**'
}

function isCapture(segment: string): boolean {
  return /^\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(segment)
}

function matchFrom(
  pattern: readonly string[],
  at: number,
  path: readonly string[],
  from: number,
  captured: Record<string, string>,
): Readonly<Record<string, string>> | null {
  // Iterative with one remembered `**` (the last one wins), so no pattern costs more than pattern × path steps.
  let starAt = -1
  let starFrom = -1
  let captures = captured
  let starCaptures = captured
  while (from < path.length) {
    const segment = pattern[at]
    const part = path[from]
    if (segment === '**') {
      starAt = at++
      starFrom = from
      starCaptures = captures
    } else if (segment !== undefined && part !== undefined && isCapture(segment)) {
      // Before comparing texts: a path may have a segment that is spelt like the capture.
      captures = { ...captures, [segment.slice(1, -1)]: part }
      at++
      from++
    } else if (segment !== undefined && part !== undefined && (segment === '*' || segment === part)) {
      at++
      from++
    } else if (starAt >= 0) {
      at = starAt + 1
      from = ++starFrom
      captures = starCaptures
    } else return null
  }
  while (pattern[at] === '**') at++
  return at === pattern.length ? captures : null
}

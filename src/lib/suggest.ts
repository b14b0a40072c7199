/** The known name that somebody probably meant. Only ever a hint in a message. */

/** The nearest of `candidates` to `name`, or null when none is near enough. Capitals do not count. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null
  let bestDistance = distanceMax(name) + 1
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** The same for dotted paths: a right last name in the wrong section counts as near. */
export function nearestPath(path: string, candidates: readonly string[]): string | null {
  const near = nearest(path, candidates)
  if (near !== null) return near
  const last = lastName(path)
  return candidates.find(candidate => lastName(candidate) === last) ?? null
}

/** `; did you mean "…"?`, or nothing. */
export function hint(found: string | null): string {
  return found === null ? '' : `; did you mean "${found}"?`
}

function distanceMax(name: string): number {
  return Math.max(1, Math.min(4, Math.floor(name.length / 4)))
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}

/** Insertions, deletions, replacements and swaps of neighbours that make `source` into `target`. */
function editDistance(source: string, target: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: target.length + 1 }, (_, column) => column)
  for (let row = 1; row <= source.length; row++) {
    const current = [row]
    for (let column = 1; column <= target.length; column++) {
      const same = source[row - 1] === target[column - 1]
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && source[row - 1] === target[column - 2] && source[row - 2] === target[column - 1]
      if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return at(last, target.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}

/** How long a short piece of work takes when nothing disturbs it: the best of many rounds. Not for what waits for anything. */

/** Milliseconds of the quickest round. One round that was not interrupted is enough, so a busy machine does not count. */
export function bestMs(rounds: number, round: () => unknown): number {
  let best = Infinity
  for (let i = 0; i < rounds; i++) {
    const startMs = performance.now()
    round()
    best = Math.min(best, performance.now() - startMs)
  }
  return best
}

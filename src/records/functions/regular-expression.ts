/** Regular expressions in linear time (RE2): for patterns and texts that come from outside. Compiled once, kept while they are used. */
import type { RE2JS } from 're2js'
import { lazily } from '../../lib/lazily.ts'
import { RecentMap } from '../../lib/recent-map.ts'
import { SqlFunctionError } from './sql-function.ts'

export const patternCharsMax = 1000
/** Instructions of the compiled pattern times characters of the text: bounds one match to about a quarter of a second. */
export const matchWorkMax = 16_000_000
const compiledMax = 256

/** Loaded when the first pattern is used. */
const engine = lazily(() => (require('re2js') as typeof import('re2js')).RE2JS)
const compiled = new RecentMap<string, RE2JS>(compiledMax)

/** Whether `pattern` matches anywhere in `text`. Refuses patterns that are malformed or too long, and texts too long for their pattern. */
export function matches(pattern: string, text: string): boolean {
  const expression = compiledOf(pattern)
  if (expression.programSize() * text.length > matchWorkMax) throw new SqlFunctionError('the text is too long for this pattern')
  return expression.test(text)
}

/** Refuses what `matches` would. */
export function assertPattern(pattern: string): void {
  compiledOf(pattern)
}

function compiledOf(pattern: string): RE2JS {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  if (pattern.length > patternCharsMax) throw new SqlFunctionError(`a pattern has at most ${patternCharsMax} characters`)
  const made = engine().compile(pattern)
  compiled.set(pattern, made)
  return made
}

/** The text of `match` as an FTS5 query over the columns that an API shows. Words in columns that it does not show must not find a row. */
import { matchDepthMax } from './limits.ts'
import { refuseQuery } from './refuse.ts'

/**
 * `text` within parentheses behind a column filter, which whatever stands inside can only narrow. For that its parentheses and quotes must be closed;
 * the rest of its grammar is for SQLite to refuse. Refuses `invalid_query`.
 */
export function matchQuery(text: string, columns: readonly string[]): string {
  if (text.trim() === '') return refuseQuery('match is empty')
  if (text.includes('\0')) return refuseQuery('match has a NUL character')
  assertClosed(text)
  return `{${columns.map(name => `"${name.replaceAll('"', '""')}"`).join(' ')}} : (${text})`
}

function assertClosed(text: string): void {
  let depth = 0
  let isQuoted = false
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted // "" inside of a string closes and opens it
    else if (!isQuoted && character === '(') depth++
    else if (!isQuoted && character === ')') depth--
    if (depth < 0 || depth > matchDepthMax) refuseQuery(`the parentheses of match do not pair, or are deeper than ${matchDepthMax}`)
  }
  if (depth !== 0 || isQuoted) refuseQuery('a parenthesis or quote of match is not closed')
}

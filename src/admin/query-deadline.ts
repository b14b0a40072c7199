/** Puts a look at the clock into every SELECT of a query, so that a read can be stopped while it searches. Checks nothing: SQLite judges the result. */
import { closingOf, isOperator, isWord, tokenize, type Token } from '../records/catalog/sql-tokens.ts'

interface Insertion {
  readonly at: number
  readonly text: string
}

/**
 * `sql` with `_deadline()` as one more condition of each SELECT that has a FROM, in subqueries and common tables too. The condition belongs to no table,
 * so it is asked for each row of the outermost loop.
 */
export function withDeadlines(sql: string): string {
  const tokens = tokenize(sql)
  const insertions = group(tokens, 0, tokens.length).toSorted((a, b) => b.at - a.at)
  return insertions.reduce((text, { at, text: more }) => text.slice(0, at) + more + text.slice(at), sql)
}

/** What stands between two parentheses, or the whole statement. */
function group(tokens: readonly Token[], from: number, to: number): readonly Insertion[] {
  const insertions: Insertion[] = []
  /** Tokens of this level, in pieces between compound operators. */
  let piece: Token[] = []
  for (let i = from; i < to; i++) {
    const token = tokens[i]
    if (token === undefined) break
    if (isWord(token, 'UNION', 'INTERSECT', 'EXCEPT')) {
      insertions.push(...select(piece))
      piece = []
      continue
    }
    piece.push(token)
    if (!isOperator(token, '(')) continue
    const close = Math.min(closingOf(tokens, i), to)
    insertions.push(...group(tokens, i + 1, close))
    const end = tokens[close]
    if (end !== undefined && close < to) piece.push(end)
    i = close
  }
  return [...insertions, ...select(piece)]
}

function select(tokens: readonly Token[]): readonly Insertion[] {
  const start = tokens.findIndex(token => isWord(token, 'SELECT'))
  // `IS DISTINCT FROM` is an operator.
  const from = tokens.findIndex((token, i) => i > start && isWord(token, 'FROM') && !isWord(tokens[i - 1], 'DISTINCT'))
  if (start < 0 || from < 0) return []
  const where = tokens.findIndex((token, i) => i > from && isWord(token, 'WHERE'))
  const found = tokens.findIndex((token, i) => i > Math.max(from, where) && isEnd(token, tokens[i + 2]))
  const last = tokens[(found < 0 ? tokens.length : found) - 1]
  const first = tokens[where]
  if (last === undefined) return []
  if (where < 0 || first === undefined) return [{ at: last.end, text: ' WHERE _deadline()' }]
  return [
    { at: first.end, text: ' _deadline() AND (' },
    { at: last.end, text: ')' },
  ]
}

/** What may follow a WHERE. `window` can also be a name. */
function isEnd(token: Token, afterNext: Token | undefined): boolean {
  return isWord(token, 'GROUP', 'HAVING', 'ORDER', 'LIMIT') || (isWord(token, 'WINDOW') && isWord(afterNext, 'AS'))
}

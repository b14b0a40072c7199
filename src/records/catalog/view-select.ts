/** A parser for the SELECT of a view, as far as columns and keys have to be followed. What it does not understand it calls `null` or says why. */
import { conjuncts } from './sql-conjuncts.ts'
import { closingOf, isName, isOperator, isWord, splitTokens, type Token } from './sql-tokens.ts'

export interface ViewSelect {
  readonly results: readonly ResultText[]
  readonly sources: readonly Source[]
  /** Conditions of WHERE that all hold. */
  readonly where: readonly (readonly Token[])[]
  /** null: no GROUP BY. */
  readonly groupBy: readonly (readonly Token[])[] | null
  readonly tokens: readonly Token[]
}

export type ResultText =
  /** `*`, or `source.*`. */
  | { readonly kind: 'star'; readonly source: string | null }
  /** Without its alias. */
  | { readonly kind: 'expression'; readonly tokens: readonly Token[] }

export interface Source {
  /** null: a sub-select, a function or joins in parentheses. */
  readonly table: string | null
  /** What qualifies its columns. */
  readonly alias: string
  /** `left`: its columns may all be NULL. */
  readonly join: 'inner' | 'left'
  /** Conditions of ON that all hold. */
  readonly on: readonly (readonly Token[])[]
  readonly using: readonly string[]
}

/** The parts of the view whose CREATE VIEW statement `tokens` are, or the reason why they cannot be told. */
export function parseView(tokens: readonly Token[]): ViewSelect | string {
  const select = tokens.slice(tokens.findIndex(token => isWord(token, 'AS')) + 1)
  if (!isWord(select[0], 'SELECT')) return `the view begins with ${select[0]?.text ?? 'nothing'} instead of SELECT`
  const clauses = clausesOf(select)
  if (typeof clauses === 'string') return clauses
  const sources = parseSources(clauses.get('FROM') ?? [])
  if (typeof sources === 'string') return sources
  const list = clauses.get('SELECT') ?? []
  const results = splitTokens(isWord(list[0], 'DISTINCT', 'ALL') ? list.slice(1) : list, isComma).map(resultText)
  const group = clauses.get('GROUP')
  return {
    results,
    sources,
    where: conjunctsOf(clauses.get('WHERE')),
    groupBy: group === undefined ? null : splitTokens(group.slice(1), isComma),
    tokens: select,
  }
}

/** Names that can stand alone in an expression without being a column. */
const valueWords = ['NULL', 'TRUE', 'FALSE', 'CURRENT_TIME', 'CURRENT_DATE', 'CURRENT_TIMESTAMP', 'NOT', 'CASE', 'EXISTS', 'CAST', 'DISTINCT', 'RAISE']

export interface ColumnName {
  readonly qualifier: string | null
  readonly name: string
}

/** `column` or `source.column`, if the tokens are exactly that. */
export function columnName(tokens: readonly Token[]): ColumnName | null {
  const [first, dot, second] = tokens
  if (!isName(first) || isWord(first, ...valueWords)) return null
  if (tokens.length === 1) return { qualifier: null, name: first.value }
  return tokens.length === 3 && isOperator(dot, '.') && isName(second) ? { qualifier: first.value, name: second.value } : null
}

/** The arguments' tokens of a call of one of `functions` (in capitals) that makes up all of `tokens`. */
export function callOf(tokens: readonly Token[], ...functions: readonly string[]): readonly Token[] | null {
  const isCall = isWord(tokens[0], ...functions) && isOperator(tokens[1], '(') && closingOf(tokens, 1) === tokens.length - 1
  return isCall ? tokens.slice(2, -1) : null
}

const clauseWords = ['SELECT', 'FROM', 'WHERE', 'GROUP', 'HAVING', 'WINDOW', 'ORDER', 'LIMIT']

/** Tokens of each clause, by the word that opens it. */
function clausesOf(select: readonly Token[]): ReadonlyMap<string, readonly Token[]> | string {
  const clauses = new Map<string, Token[]>()
  let current: Token[] = []
  let depth = 0
  for (const [i, token] of select.entries()) {
    if (isOperator(token, '(')) depth++
    if (isOperator(token, ')')) depth--
    if (depth === 0 && isWord(token, 'UNION', 'INTERSECT', 'EXCEPT')) return `the view is a compound (${token.value.toUpperCase()}), whose rows cannot be told apart by a key`
    if (depth === 0 && isWord(token, ...clauseWords) && opensClause(select, i)) {
      current = []
      clauses.set(token.value.toUpperCase(), current)
    } else {
      current.push(token)
    }
  }
  return clauses
}

/** Not the FROM of `IS DISTINCT FROM`, nor a column of such a name. */
function opensClause(select: readonly Token[], i: number): boolean {
  if (isOperator(select[i - 1], '.') || isOperator(select[i + 1], '.')) return false
  if (isWord(select[i], 'FROM')) return !(isWord(select[i - 1], 'DISTINCT') && isWord(select[i - 2], 'IS', 'NOT'))
  if (isWord(select[i], 'GROUP', 'ORDER')) return isWord(select[i + 1], 'BY')
  return !isWord(select[i], 'WINDOW') || isWord(select[i + 2], 'AS')
}

function isComma(token: Token): boolean {
  return isOperator(token, ',')
}

function conjunctsOf(tokens: readonly Token[] | undefined): readonly (readonly Token[])[] {
  return tokens === undefined || tokens.length === 0 ? [] : conjuncts(tokens)
}

function resultText(tokens: readonly Token[]): ResultText {
  if (tokens.length === 1 && isOperator(tokens[0], '*')) return { kind: 'star', source: null }
  if (tokens.length === 3 && isOperator(tokens[1], '.') && isOperator(tokens[2], '*')) return { kind: 'star', source: tokens[0]?.value ?? '' }
  return { kind: 'expression', tokens: withoutAlias(tokens) }
}

/** Only a name that follows an operand can be an alias. */
function withoutAlias(tokens: readonly Token[]): readonly Token[] {
  if (isWord(tokens.at(-2), 'AS')) return tokens.slice(0, -2)
  const last = tokens.at(-1)
  const before = tokens.at(-2)
  const canBeAlias = (isName(last) || last?.kind === 'string') && !isWord(last, 'END', 'NULL', 'ISNULL', 'NOTNULL')
  const isOperand = before !== undefined && (before.kind !== 'operator' || isOperator(before, ')')) && !isWord(before, 'COLLATE')
  return canBeAlias && isOperand ? tokens.slice(0, -1) : tokens
}

const joinWords = ['NATURAL', 'LEFT', 'RIGHT', 'FULL', 'INNER', 'OUTER', 'CROSS', 'JOIN']

function parseSources(from: readonly Token[]): readonly Source[] | string {
  const sources: Source[] = []
  let at = 0
  while (at < from.length) {
    const words: string[] = []
    while (isJoinWord(from, at) || isOperator(from[at], ',')) words.push((from[at++]?.value ?? '').toUpperCase())
    const refused = words.find(word => word === 'NATURAL' || word === 'RIGHT' || word === 'FULL')
    if (refused !== undefined) return `the view has a ${refused} JOIN; only INNER and LEFT JOIN can be followed`
    const read = parseSource(from, at, words.includes('LEFT') ? 'left' : 'inner')
    sources.push(read.source)
    if (read.end <= at) return `FROM cannot be followed at "${from[at]?.text ?? ''}"`
    at = read.end
  }
  return sources
}

function isJoinWord(tokens: readonly Token[], i: number): boolean {
  return isWord(tokens[i], ...joinWords) && !isOperator(tokens[i + 1], '(', '.') && !isOperator(tokens[i - 1], '.')
}

function parseSource(from: readonly Token[], start: number, join: Source['join']): { readonly source: Source; readonly end: number } {
  let at = start
  let table: string | null = null
  if (isOperator(from[at], '(')) {
    at = closingOf(from, at) + 1
  } else {
    at += isOperator(from[at + 1], '.') ? 2 : 0
    table = from[at]?.value ?? ''
    at++
    if (isOperator(from[at], '(')) {
      at = closingOf(from, at) + 1
      table = null
    }
  }
  let alias = table ?? ''
  if (isWord(from[at], 'AS')) at++
  if (isName(from[at]) && !isJoinWord(from, at) && !isWord(from[at], 'ON', 'USING', 'INDEXED', 'NOT')) alias = from[at++]?.value ?? ''
  if (isWord(from[at], 'NOT')) at += 2
  if (isWord(from[at], 'INDEXED')) at += 3
  const using: string[] = []
  if (isWord(from[at], 'USING')) {
    const close = closingOf(from, at + 1)
    using.push(...from.slice(at + 2, close).filter(isName).map(token => token.value))
    at = close + 1
  }
  const end = isWord(from[at], 'ON') ? endOfCondition(from, at + 1) : at
  return { source: { table, alias, join, on: conjunctsOf(from.slice(at + 1, end)), using }, end }
}

/** The next comma or join outside of parentheses. */
function endOfCondition(from: readonly Token[], start: number): number {
  let at = start
  while (at < from.length && !isOperator(from[at], ',') && !isJoinWord(from, at)) at = isOperator(from[at], '(') ? closingOf(from, at) + 1 : at + 1
  return at
}

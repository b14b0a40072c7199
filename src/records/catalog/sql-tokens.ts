/** SQLite's lexical grammar: text to tokens, each with its place. What they mean is for the parsers beside it and for rules/. */

export type TokenKind = 'word' | 'quoted' | 'string' | 'blob' | 'number' | 'parameter' | 'operator'

export interface Token {
  readonly kind: TokenKind
  /** As it stands in the text. */
  readonly text: string
  /** What it says: a quoted identifier or string without its quotes; otherwise the text. */
  readonly value: string
  /** Place in the text, in UTF-16 units. */
  readonly start: number
  readonly end: number
}

/** The text is no SQL from `at` on: an open quote or a character that SQLite does not know. */
export class SqlTextError extends Error {
  override name = 'SqlTextError'
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message)
  }
}

/** The tokens of `sql`; white space and comments are left out. Throws SqlTextError. */
export function tokenize(sql: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < sql.length) {
    const end = skipped(sql, at)
    if (end > at) {
      at = end
      continue
    }
    const token = tokenAt(sql, at)
    tokens.push(token)
    at = token.end
  }
  return tokens
}

/** Is the token the keyword (in capitals)? Quoted identifiers never are. */
export function isWord(token: Token | undefined, ...keywords: readonly string[]): boolean {
  return token?.kind === 'word' && keywords.includes(token.value.toUpperCase())
}

export function isOperator(token: Token | undefined, ...operators: readonly string[]): boolean {
  return token?.kind === 'operator' && operators.includes(token.text)
}

/** Can the token be a name? SQLite takes a string in single quotes as a name in some places; we do not. */
export function isName(token: Token | undefined): token is Token & { readonly kind: 'word' | 'quoted' } {
  return token?.kind === 'word' || token?.kind === 'quoted'
}

/** Names in SQL are equal when they differ by ASCII capitals only. */
export function sameName(a: string, b: string): boolean {
  return foldName(a) === foldName(b)
}

/** `name` with ASCII capitals made small, as SQLite compares names. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** Index of the parenthesis that closes the one at `open`, or `tokens.length` when none does. */
export function closingOf(tokens: readonly Token[], open: number): number {
  let depth = 0
  for (let i = open; i < tokens.length; i++) {
    if (isOperator(tokens[i], '(')) depth++
    if (isOperator(tokens[i], ')') && --depth === 0) return i
  }
  return tokens.length
}

/** `tokens` cut at every `separator` outside of parentheses. */
export function splitTokens(tokens: readonly Token[], separator: (token: Token, index: number) => boolean): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]]
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (depth === 0 && separator(token, i)) {
      parts.push([])
      continue
    }
    if (isOperator(token, '(')) depth++
    if (isOperator(token, ')')) depth--
    parts.at(-1)?.push(token)
  }
  return parts
}

/** End of the white space or comment at `at`, or `at`. An open block comment goes to the end of the text, as in SQLite. */
function skipped(sql: string, at: number): number {
  if (/[ \t\n\f\r\ufeff]/.test(sql[at] ?? '')) return at + 1
  if (sql.startsWith('--', at)) return endAfter(sql, '\n', at)
  if (sql.startsWith('/*', at)) return endAfter(sql, '*/', at + 2)
  return at
}

function endAfter(sql: string, mark: string, from: number): number {
  const found = sql.indexOf(mark, from)
  return found < 0 ? sql.length : found + mark.length
}

const wordPattern = /[A-Za-z_\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*/uy
const numberPattern = /(0[xX][0-9a-fA-F_]+|(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d[\d_]*)?)/y
const parameterPattern = /\?\d*|[:@#$][\w$\u0080-\u{10ffff}]+/uy
const operatorPattern = /->>|->|\|\||<<|>>|<=|>=|<>|==|!=|[-+*\/%&|~<>=(),;.]/y
const blobPattern = /[xX]'[0-9a-fA-F]*'/y

function tokenAt(sql: string, at: number): Token {
  const first = sql[at] ?? ''
  if (first === "'") return quotedToken(sql, at, "'", 'string')
  if (first === '"' || first === '`') return quotedToken(sql, at, first, 'quoted')
  if (first === '[') return bracketToken(sql, at)
  const token =
    matched(sql, at, blobPattern, 'blob') ??
    matched(sql, at, wordPattern, 'word') ??
    matched(sql, at, numberPattern, 'number') ??
    matched(sql, at, parameterPattern, 'parameter') ??
    matched(sql, at, operatorPattern, 'operator')
  if (token === null) throw new SqlTextError(`"${String.fromCodePoint(sql.codePointAt(at) ?? 0)}" is no part of SQL`, at)
  return token
}

function matched(sql: string, at: number, pattern: RegExp, kind: TokenKind): Token | null {
  pattern.lastIndex = at
  const text = pattern.exec(sql)?.[0]
  return text === undefined || text === '' ? null : { kind, text, value: text, start: at, end: at + text.length }
}

/** A doubled quote stands for one. */
function quotedToken(sql: string, at: number, quote: string, kind: 'string' | 'quoted'): Token {
  let end = at + 1
  for (;;) {
    end = sql.indexOf(quote, end)
    if (end < 0) throw new SqlTextError(`the ${quote} is not closed`, at)
    if (sql[end + 1] !== quote) break
    end += 2
  }
  const text = sql.slice(at, end + 1)
  return { kind, text, value: text.slice(1, -1).replaceAll(quote + quote, quote), start: at, end: end + 1 }
}

function bracketToken(sql: string, at: number): Token {
  const end = sql.indexOf(']', at)
  if (end < 0) throw new SqlTextError('the [ is not closed', at)
  return { kind: 'quoted', text: sql.slice(at, end + 1), value: sql.slice(at + 1, end), start: at, end: end + 1 }
}

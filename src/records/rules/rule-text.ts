/** A rule's text with its one-row relations replaced by parameters, or by relations where it needs them as such. Statements around it are rules.ts. */
import { assert } from '../../lib/assert.ts'
import { quoted } from '../../storage/identifier.ts'
import type { Column } from '../catalog/relation.ts'
import { unwrapped } from '../catalog/sql-conjuncts.ts'
import { isName, isOperator, isWord, sameName, tokenize, type Token } from '../catalog/sql-tokens.ts'

/** What stands for one parameter, in order from the first. */
export type RuleParam =
  /** 16 bytes of `userIdOf(principal)`, or null. */
  | { readonly kind: 'user' }
  /** Part of the record key. */
  | { readonly kind: 'key'; readonly index: number }
  /** The request's value of the column, null when it has none. */
  | { readonly kind: 'request'; readonly column: Column }
  /** A JSON array of the names of the columns in the request. */
  | { readonly kind: 'requestFields' }
  /** A value of the row that is judged. */
  | { readonly kind: 'row'; readonly column: Column }

/** Numbers parameters from `first`; the same param has one number however often it is used. */
export class RuleParams {
  readonly list: RuleParam[] = []
  readonly #numbers = new Map<string, number>()
  readonly #first: number

  constructor(first: number) {
    this.#first = first
  }

  /** The parameter's text: `?n`. */
  textOf(param: RuleParam): string {
    const name = `${param.kind} ${'column' in param ? param.column.name : 'index' in param ? param.index : ''}`
    const known = this.#numbers.get(name)
    if (known !== undefined) return `?${known}`
    const number = this.#first + this.list.push(param) - 1
    this.#numbers.set(name, number)
    return `?${number}`
  }
}

export interface RuleScope {
  /** The alias that `_ROW_` is written as. */
  readonly rowAlias: string
  /** Columns of `_REQ_`; null: the operation has none. */
  readonly request: readonly Column[] | null
}

export interface RuleText {
  /** The expression. It has no comments, and its parentheses are balanced. */
  readonly sql: string
  /** Common table expressions that have to stand before it, as `"_USER_"("id") AS (…)`. */
  readonly relations: readonly string[]
  /** `_REQ_` has to stand in FROM beside the row. */
  readonly readsRequestRelation: boolean
}

/** `rule` as it runs in `scope`; its parameters go to `params`. The rule was checked by catalog/check-rule.ts. */
export function ruleText(rule: string, scope: RuleScope, params: RuleParams): RuleText {
  const tokens = tokenize(rule)
  const request = requestRelation(tokens, scope.request ?? [])
  let usesUserRelation = false
  const written: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    assert(token !== undefined, 'a token stands at every index')
    const column = columnAfter(tokens, i)
    let text = token.text
    if (isRelation(token, '_USER_')) {
      const isId = column !== null && sameName(column, 'id')
      usesUserRelation ||= !isId
      text = isId ? params.textOf({ kind: 'user' }) : quoted('_USER_')
      if (isId) i += 2
    } else if (isRelation(token, '_REQ_')) {
      const found = scope.request?.find(candidate => column !== null && sameName(candidate.name, column))
      const isValue = found !== undefined && !request.includes(found)
      text = isValue ? params.textOf({ kind: 'request', column: found }) : quoted('_REQ_')
      if (isValue) i += 2
    } else if (isRelation(token, '_REQ_FIELDS_')) {
      text = `(SELECT value FROM json_each(${params.textOf({ kind: 'requestFields' })}))`
    } else if (isRelation(token, '_ROW_')) {
      text = quoted(scope.rowAlias)
    }
    written.push(text)
  }
  const user = usesUserRelation ? [`"_USER_"("id") AS (SELECT ${params.textOf({ kind: 'user' })})`] : []
  return { sql: written.join(' '), relations: [...user, ...requestTable(request, params)], readsRequestRelation: request.length > 0 }
}

/** A quoted or plain name that is exactly `name`. */
export function isRelation(token: Token | undefined, name: string): boolean {
  return isName(token) && token.value === name
}

/** The `x` of `relation.x`, where `relation` is the token at `i`. */
export function columnAfter(tokens: readonly Token[], i: number): string | null {
  const name = tokens[i + 2]
  return isOperator(tokens[i + 1], '.') && isName(name) && !isOperator(tokens[i - 1], '.') ? name.value : null
}

/** Does the rule name `column` of `relation`, or a name alone that may be it? In a sub-select such a name may be another table's column. */
export function mentions(tokens: readonly Token[], relation: '_ROW_' | '_REQ_', column: Column): boolean {
  const isQualified = (token: Token, i: number) => isRelation(token, relation) && sameName(columnAfter(tokens, i) ?? '', column.name)
  return tokens.some(isQualified) || mentionsAlone(tokens, column)
}

function mentionsAlone(tokens: readonly Token[], { name }: Column): boolean {
  return tokens.some((token, i) => isName(token) && sameName(token.value, name) && !isOperator(tokens[i - 1], '.') && !isOperator(tokens[i + 1], '.', '('))
}

/**
 * Is the expression certainly 0, 1 or NULL? Then it can stand in WHERE as it is, where an index serves it. Its root is a comparison or a
 * logical operator when one stands outside of parentheses, since arithmetic binds closer. Two things turn that round, and are left
 * out: arithmetic behind a closed operand such as `a IN (…) * 0.5`, and a NOT behind an operator, as in `0.5 + NOT a = b`.
 */
export function isTruthValue(sql: string): boolean {
  const tokens = topLevel(unwrapped(tokenize(sql)))
  const isClosed = (i: number) => tokens.slice(0, i).some(token => isWord(token, 'IN', 'ISNULL', 'NOTNULL', 'NULL'))
  if (tokens.some((token, i) => isOperator(token, ...arithmetic) && isClosed(i))) return false
  if (tokens.some((token, i) => isWord(token, 'NOT') && tokens[i - 1]?.kind === 'operator' && !isOperator(tokens[i - 1], ')'))) return false
  if (tokens.length === 3 + Number(isWord(tokens[0], 'NOT')) && isWord(tokens.at(-3), 'EXISTS')) return true
  return tokens.some(token => isOperator(token, '=', '==', '<>', '!=', '<', '>', '<=', '>=') || isWord(token, 'AND', 'OR', 'IS', 'IN', 'LIKE', 'GLOB', 'BETWEEN', 'ISNULL', 'NOTNULL'))
}

const arithmetic = ['+', '-', '*', '/', '%', '||', '&', '|', '<<', '>>', '->', '->>', '~']

/** What is not inside of parentheses, which stay as a pair, or of CASE … END. */
function topLevel(tokens: readonly Token[]): readonly Token[] {
  let depth = 0
  return tokens.filter(token => {
    const opens = isOperator(token, '(') || isWord(token, 'CASE')
    const closes = isOperator(token, ')') || isWord(token, 'END')
    if (closes) depth--
    if (opens) depth++
    return opens ? depth === 1 : depth === 0
  })
}

/**
 * Columns of `_REQ_` that the rule reads from a relation. A parameter has no collation, a column of a relation has BINARY, so text has
 * to come from one (trailbase-api.md §7.2 describes relations); so do names without `_REQ_.`, and `_REQ_` used as a table.
 */
function requestRelation(tokens: readonly Token[], columns: readonly Column[]): readonly Column[] {
  const isTable = tokens.some((token, i) => isRelation(token, '_REQ_') && columnAfter(tokens, i) === null)
  if (isTable) return columns
  const mentioned = columns.filter(column => mentions(tokens, '_REQ_', column))
  const isRelationNeeded = mentioned.some(column => mentionsAlone(tokens, column))
  return isRelationNeeded ? mentioned : mentioned.filter(column => column.type === 'TEXT' || column.type === 'ANY')
}

function requestTable(columns: readonly Column[], params: RuleParams): readonly string[] {
  if (columns.length === 0) return []
  const names = columns.map(column => quoted(column.name)).join(', ')
  const values = columns.map(column => params.textOf({ kind: 'request', column })).join(', ')
  return [`"_REQ_"(${names}) AS (SELECT ${values})`]
}

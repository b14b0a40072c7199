/** The columns of a view followed to where they come from. Which of them are its key is view-key.ts. */
import type { Column, ColumnType, Relation } from './relation.ts'
import { unwrapped } from './sql-conjuncts.ts'
import { foldName, isName, isOperator, isWord, sameName, splitTokens, type Token } from './sql-tokens.ts'
import { callOf, columnName, type Source, type ViewSelect } from './view-select.ts'

export interface KnownSource extends Source {
  /** null: not a table or view that we know. */
  readonly relation: Relation | null
}

/** A column of a source. */
export interface Origin {
  readonly source: number
  readonly column: Column
}

export type ViewColumn =
  /** The column itself, under whatever name. */
  | { readonly kind: 'direct'; readonly origin: Origin }
  /** MIN or MAX of a column. */
  | { readonly kind: 'extreme'; readonly origin: Origin }
  /** CAST to this type. */
  | { readonly kind: 'cast'; readonly declared: string; readonly tokens: readonly Token[] }
  | { readonly kind: 'count' }
  | { readonly kind: 'literal'; readonly type: ColumnType }
  | { readonly kind: 'other'; readonly tokens: readonly Token[] }

/** Each column of the result in order; null when a `*` cannot be followed. */
export function viewColumns(select: ViewSelect, sources: readonly KnownSource[]): readonly ViewColumn[] | null {
  const columns: ViewColumn[] = []
  for (const result of select.results) {
    if (result.kind === 'expression') {
      columns.push(expressionColumn(unwrapped(result.tokens), sources))
      continue
    }
    const all = starColumns(result.source, sources)
    if (all === null) return null
    columns.push(...all)
  }
  return columns
}

/** The column that `tokens` name, if they name one and nothing else. */
export function originOf(tokens: readonly Token[], sources: readonly KnownSource[]): Origin | null {
  const name = columnName(unwrapped(tokens))
  if (name === null) return null
  for (const [source, { relation, alias }] of sources.entries()) {
    if (name.qualifier !== null && !sameName(name.qualifier, alias)) continue
    const column = relation?.columns.find(candidate => sameName(candidate.name, name.name))
    if (column !== undefined) return { source, column }
  }
  return null
}

export function isSameOrigin(a: Origin, b: Origin): boolean {
  return a.source === b.source && a.column.index === b.column.index
}

/** A column's meaning stays when it is passed on; what a default or a generation says of writing does not. */
export function passedOn(name: string, index: number, { column }: Origin, isNullable: boolean): Column {
  return { ...column, name, index, isNullable: column.isNullable || isNullable, defaultSql: null, isGenerated: false, isHidden: name.startsWith('_') }
}

/** Could `tokens` give away a secret column of a relation that they, or the view they stand in, name? */
export function mayBeSecret(tokens: readonly Token[], select: ViewSelect, relations: readonly Relation[], hasUnknownSource: boolean): boolean {
  const names = new Set(select.tokens.filter(isName).map(token => foldName(token.value)))
  const secrets = relations.filter(relation => names.has(foldName(relation.name))).flatMap(relation => relation.columns.filter(column => column.isSecret))
  if (secrets.length === 0) return false
  const looked = hasUnknownSource ? select.tokens : tokens
  const isNamed = looked.some(token => isName(token) && secrets.some(secret => sameName(secret.name, token.value)))
  // `SELECT *` of a sub-select names nothing; a `*` behind an operand is a product or count(*).
  return isNamed || looked.some((token, i) => isOperator(token, '*') && (isWord(looked[i - 1], 'SELECT', 'DISTINCT', 'ALL') || isOperator(looked[i - 1], '.', ',')))
}

function expressionColumn(tokens: readonly Token[], sources: readonly KnownSource[]): ViewColumn {
  const origin = originOf(tokens, sources)
  if (origin !== null) return { kind: 'direct', origin }
  const cast = callOf(tokens, 'CAST')
  const as = cast?.findLastIndex(token => isWord(token, 'AS')) ?? -1
  if (cast !== null && as > 0) return { kind: 'cast', declared: cast.slice(as + 1).map(token => token.value).join(' '), tokens }
  const extreme = callOf(tokens, 'MIN', 'MAX')
  const extremeOrigin = extreme !== null && splitTokens(extreme, token => isOperator(token, ',')).length === 1 ? originOf(extreme, sources) : null
  if (extremeOrigin !== null) return { kind: 'extreme', origin: extremeOrigin }
  if (callOf(tokens, 'COUNT') !== null) return { kind: 'count' }
  const type = literalType(tokens)
  return type === null ? { kind: 'other', tokens } : { kind: 'literal', type }
}

function literalType(tokens: readonly Token[]): ColumnType | null {
  const [token] = tokens
  if (token === undefined || tokens.length !== 1) return null
  if (token.kind === 'string') return 'TEXT'
  if (token.kind === 'blob') return 'BLOB'
  if (token.kind !== 'number') return null
  return /^(0[xX].*|[\d_]{1,18})$/.test(token.text) ? 'INTEGER' : 'REAL'
}

/** `USING` shows its columns once, at the left. The row id of a search table is not in `*`. */
function starColumns(alias: string | null, sources: readonly KnownSource[]): readonly ViewColumn[] | null {
  const columns: ViewColumn[] = []
  for (const [source, { relation, alias: own, using }] of sources.entries()) {
    if (alias !== null && !sameName(alias, own)) continue
    if (relation === null) return null
    const shown = relation.columns.filter(column => (alias !== null || !using.some(name => sameName(name, column.name))) && !(relation.kind === 'search' && relation.key.includes(column)))
    columns.push(...shown.map((column): ViewColumn => ({ kind: 'direct', origin: { source, column } })))
  }
  return columns
}

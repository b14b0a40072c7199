/** The record key of a view: columns by which its rows can be told apart for certain. Safe: in doubt there is no key, and a reason. */
import { isOperator, isWord, splitTokens, type Token } from './sql-tokens.ts'
import { isSameOrigin, originOf, type KnownSource, type Origin, type ViewColumn } from './view-columns.ts'
import type { ViewSelect } from './view-select.ts'

/** Two columns, or a column and a constant (null), that are equal in every row. */
interface Equality {
  readonly sides: readonly [Origin, Origin | null]
  /** The source in whose LEFT JOIN it stands: it says nothing of others. null: it holds for all rows. */
  readonly left: number | null
}

/** Places of the key among `columns`, or why there is none. `names` are the names of the view's columns. */
export function viewKey(select: ViewSelect, sources: readonly KnownSource[], columns: readonly ViewColumn[], names: readonly string[]): readonly number[] | string {
  const groups = select.groupBy?.map(term => groupOrigin(term, sources, columns, names)) ?? null
  if (groups === null && columns.some(isAggregate)) return 'it sums up all rows into one; add GROUP BY and the key of a table'
  const equalities = equalitiesOf(select, sources)
  let repeated: string | null = null
  for (const [base, source] of sources.entries()) {
    if (source.join === 'left' || source.relation === null || source.relation.key.length === 0) continue
    const key = source.relation.key.map((column): Origin => ({ source: base, column }))
    const isOnce = repeatedBy(base, sources, equalities) === null
    const places = key.map(part => columns.findIndex(column => column.kind === 'direct' && isSameOrigin(column.origin, part)))
    const isShown = places.every(place => place >= 0)
    if (groups === null) {
      if (isShown && isOnce) return places
      if (isShown) repeated ??= `${repeatedBy(base, sources, equalities)} may repeat the rows of "${source.alias}"; join it by its whole primary key or a UNIQUE column, or GROUP BY the key`
      continue
    }
    if (isShown && isGroupedBy(key, groups, isOnce)) return places
    const extreme = columns.findIndex(column => column.kind === 'extreme' && key.length === 1 && key.some(part => isSameOrigin(column.origin, part)))
    if (extreme >= 0 && isOnce) return [extreme]
  }
  return repeated ?? (groups === null ? 'the primary key of a table in its FROM has to be among its columns' : 'with GROUP BY the key is the grouped primary key of a table, or its MIN or MAX; both have to be among its columns')
}

/** The view groups by the key alone, or by more while no join repeats its rows. */
function isGroupedBy(key: readonly Origin[], groups: readonly (Origin | null)[], isOnce: boolean): boolean {
  const isKey = (group: Origin | null) => group !== null && key.some(part => isSameOrigin(part, group))
  const hasAll = key.every(part => groups.some(group => group !== null && isSameOrigin(part, group)))
  return hasAll && (isOnce || groups.every(isKey))
}

/** A column, the number of a result, or the name of one; columns come first, as in SQLite. */
function groupOrigin(term: readonly Token[], sources: readonly KnownSource[], columns: readonly ViewColumn[], names: readonly string[]): Origin | null {
  const origin = originOf(term, sources)
  if (origin !== null || term.length !== 1) return origin
  const [token] = term
  const place = token?.kind === 'number' ? Number(token.value) - 1 : names.indexOf(token?.value ?? '')
  const column = columns[place]
  return column?.kind === 'direct' ? column.origin : null
}

const aggregates = ['COUNT', 'SUM', 'AVG', 'TOTAL', 'MIN', 'MAX', 'GROUP_CONCAT', 'STRING_AGG', 'JSON_GROUP_ARRAY', 'JSON_GROUP_OBJECT', 'JSONB_GROUP_ARRAY', 'JSONB_GROUP_OBJECT', 'MEDIAN', 'PERCENTILE', 'PERCENTILE_CONT', 'PERCENTILE_DISC']

/** An aggregate in a sub-select counts too: that errs on the safe side. */
function isAggregate(column: ViewColumn): boolean {
  if (column.kind === 'extreme' || column.kind === 'count') return true
  if (column.kind === 'direct' || column.kind === 'literal' || column.tokens.some(token => isWord(token, 'OVER', 'SELECT'))) return false
  return column.tokens.some((token, i) => isWord(token, ...aggregates) && isOperator(column.tokens[i + 1], '('))
}

/** The first source of which more than one row may meet a row of `base`, or null: each row of `base` appears at most once. */
function repeatedBy(base: number, sources: readonly KnownSource[], equalities: readonly Equality[]): string | null {
  const determined = new Set([base])
  for (let size = 0; size < determined.size; ) {
    size = determined.size
    for (const [i, source] of sources.entries()) if (!determined.has(i) && isDetermined(i, source, determined, equalities)) determined.add(i)
  }
  const other = sources.find((_, i) => !determined.has(i))
  return other === undefined ? null : `the join with "${other.alias}"`
}

/** Is every column of its key, or of something else that is unique, equal to something of `determined`? */
function isDetermined(index: number, source: KnownSource, determined: ReadonlySet<number>, equalities: readonly Equality[]): boolean {
  const { relation } = source
  if (relation === null) return false
  const usable = equalities.filter(({ left }) => left === null || left === index)
  const isFixed = (part: Origin) => usable.some(({ sides: [a, b] }) => fixes(a, b, part, determined) || (b !== null && fixes(b, a, part, determined)))
  const keys = [relation.key, ...(relation.uniques ?? []).map(places => places.flatMap(place => relation.columns[place] ?? []))]
  return keys.some(key => key.length > 0 && key.every(column => isFixed({ source: index, column })))
}

function fixes(side: Origin, other: Origin | null, part: Origin, determined: ReadonlySet<number>): boolean {
  return isSameOrigin(side, part) && (other === null || determined.has(other.source))
}

function equalitiesOf(select: ViewSelect, sources: readonly KnownSource[]): readonly Equality[] {
  const own = (condition: readonly Token[], left: number | null) => equality(condition, left, sources) ?? []
  return [
    ...select.where.flatMap(condition => own(condition, null)),
    ...sources.flatMap((source, i) => {
      const left = source.join === 'left' ? i : null
      return [...source.on.flatMap(condition => own(condition, left)), ...source.using.flatMap(name => usingEquality(name, i, left, sources))]
    }),
  ]
}

function equality(condition: readonly Token[], left: number | null, sources: readonly KnownSource[]): Equality | null {
  if (condition.some(token => isWord(token, 'NOT', 'OR', 'COLLATE'))) return null
  const parts = splitTokens(condition, token => isOperator(token, '=', '=='))
  const [a, b] = parts
  if (a === undefined || b === undefined || parts.length !== 2) return null
  const [first, second] = [originOf(a, sources), originOf(b, sources)]
  if (first !== null && (second !== null || isConstant(b))) return compared(first, second, left)
  return second !== null && isConstant(a) ? compared(second, null, left) : null
}

/** Equal under another collation than that of the key is not the same; nor is what compares as numbers, such as '1' and '01'. */
function compared(a: Origin, b: Origin | null, left: number | null): Equality | null {
  const isAlike = b === null || (a.column.collation === b.column.collation && a.column.type === b.column.type)
  return isAlike ? { sides: [a, b], left } : null
}

function isConstant(tokens: readonly Token[]): boolean {
  return tokens.length === 1 && ['number', 'string', 'blob'].includes(tokens[0]?.kind ?? '')
}

function usingEquality(name: string, index: number, left: number | null, sources: readonly KnownSource[]): readonly Equality[] {
  const token: Token = { kind: 'quoted', text: name, value: name, start: 0, end: 0 }
  const first = originOf([token], sources.slice(0, index))
  const second = originOf([token], sources.slice(index, index + 1))
  const found = first !== null && second !== null ? compared(first, { ...second, source: index }, left) : null
  return found === null ? [] : [found]
}

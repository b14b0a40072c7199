/** What only the text of a CREATE statement says, for the list of tables: checks, generated columns, parts of indexes, the query of a view. */
import { closingOf, foldName, isOperator, isWord, splitTokens, tokenize, type Token } from '../records/catalog/sql-tokens.ts'

export interface TableText {
  /** By folded column name. */
  readonly columns: ReadonlyMap<string, ColumnText>
  /** CHECKs of the table as a whole. */
  readonly checks: readonly { readonly name: string | null; readonly expr: string }[]
}

interface ColumnText {
  readonly checks: readonly string[]
  readonly collation: string | null
  /** Expression of a generated column. */
  readonly generated: string | null
}

const constraintWords = ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN']

/** `sql` is a CREATE TABLE statement; of a virtual table nothing is known. */
export function tableText(sql: string): TableText {
  const columns = new Map<string, ColumnText>()
  const checks: { name: string | null; expr: string }[] = []
  for (const entry of listBehind(tokenize(sql), 0)) {
    const isConstraint = isWord(entry[0], ...constraintWords)
    const found = bracketsBehind(sql, entry, 'CHECK')
    if (!isConstraint) columns.set(foldName(entry[0]?.value ?? ''), { checks: found, collation: collationOf(entry), generated: bracketsBehind(sql, entry, 'AS')[0] ?? null })
    else for (const expr of found) checks.push({ name: isWord(entry[0], 'CONSTRAINT') ? (entry[1]?.value ?? null) : null, expr })
  }
  return { columns, checks }
}

export interface IndexText {
  readonly columns: readonly { readonly column_name: string; readonly ascending: boolean | null; readonly nulls_first: null }[]
  /** Of a partial index. */
  readonly predicate: string | null
}

/** `sql` is a CREATE INDEX statement. */
export function indexText(sql: string): IndexText {
  const tokens = tokenize(sql)
  const on = tokens.findIndex(token => isWord(token, 'ON'))
  const columns = listBehind(tokens, on).map(entry => {
    const last = entry.at(-1)
    const isOrdered = isWord(last, 'ASC', 'DESC')
    return { column_name: nameOrText(sql, isOrdered ? entry.slice(0, -1) : entry), ascending: isOrdered ? isWord(last, 'ASC') : null, nulls_first: null }
  })
  const where = tokens.findIndex((token, i) => i > on && isWord(token, 'WHERE'))
  return { columns, predicate: where < 0 ? null : textOf(sql, tokens.slice(where + 1)) }
}

/** The SELECT of a CREATE VIEW statement. */
export function viewQuery(sql: string): string {
  const tokens = tokenize(sql)
  return textOf(sql, tokens.slice(tokens.findIndex(token => isWord(token, 'AS')) + 1))
}

/** The entries between the first parentheses behind `from`. */
function listBehind(tokens: readonly Token[], from: number): readonly (readonly Token[])[] {
  const open = tokens.findIndex((token, i) => i >= from && isOperator(token, '('))
  if (open < 0) return []
  return splitTokens(tokens.slice(open + 1, closingOf(tokens, open)), token => isOperator(token, ','))
}

/** What stands in parentheses behind each `word` of the entry. */
function bracketsBehind(sql: string, entry: readonly Token[], word: string): readonly string[] {
  const found: string[] = []
  for (let i = 1; i < entry.length; i++) {
    if (!isOperator(entry[i], '(')) continue
    const close = closingOf(entry, i)
    if (isWord(entry[i - 1], word)) found.push(textOf(sql, entry.slice(i + 1, close)))
    i = close
  }
  return found
}

function collationOf(entry: readonly Token[]): string | null {
  const at = entry.findIndex(token => isWord(token, 'COLLATE'))
  return at < 0 ? null : (entry[at + 1]?.value ?? null)
}

function nameOrText(sql: string, tokens: readonly Token[]): string {
  const [only] = tokens
  return tokens.length === 1 && only !== undefined ? only.value : textOf(sql, tokens)
}

function textOf(sql: string, tokens: readonly Token[]): string {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return first === undefined || last === undefined ? '' : sql.slice(first.start, last.end)
}

/** What only the text of a CREATE TABLE says of its columns: CHECKs, collations, references. Everything else comes from PRAGMAs (read-table.ts). */
import { closingOf, foldName, isName, isOperator, isWord, splitTokens, type Token } from './sql-tokens.ts'

export interface ColumnText {
  readonly name: string
  /** The expressions of its CHECK constraints, without their parentheses. */
  readonly checks: readonly (readonly Token[])[]
  /** COLLATE, in capitals; null: BINARY. */
  readonly collation: string | null
  /** REFERENCES on the column itself. */
  readonly reference: { readonly table: string; readonly column: string | null } | null
}

/** The columns that `tokens`, those of a whole CREATE TABLE statement, declare, by folded name. */
export function columnTexts(tokens: readonly Token[]): ReadonlyMap<string, ColumnText> {
  const open = tokens.findIndex(token => isOperator(token, '('))
  const columns = new Map<string, ColumnText>()
  if (open < 0) return columns
  const body = tokens.slice(open + 1, closingOf(tokens, open))
  for (const entry of splitTokens(body, token => isOperator(token, ','))) {
    // The first table constraint ends the columns; SQLite allows to leave out commas between constraints, not between columns.
    if (isWord(entry[0], 'CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN')) break
    const column = columnText(entry)
    if (column !== null) columns.set(foldName(column.name), column)
  }
  return columns
}

function columnText(entry: readonly Token[]): ColumnText | null {
  const [name] = entry
  if (name === undefined || (!isName(name) && name.kind !== 'string')) return null
  const checks: (readonly Token[])[] = []
  let collation: string | null = null
  let reference: ColumnText['reference'] = null
  for (let i = 1; i < entry.length; i++) {
    const token = entry[i]
    if (isOperator(token, '(')) {
      i = closingOf(entry, i)
    } else if (isWord(token, 'CHECK') && isOperator(entry[i + 1], '(')) {
      const close = closingOf(entry, i + 1)
      checks.push(entry.slice(i + 2, close))
      i = close
    } else if (isWord(token, 'COLLATE')) {
      collation = entry[++i]?.value.toUpperCase() ?? null
    } else if (isWord(token, 'REFERENCES')) {
      reference = referenceText(entry, i)
      i++
    }
  }
  return { name: name.value, checks, collation, reference }
}

function referenceText(entry: readonly Token[], at: number): ColumnText['reference'] {
  const table = entry[at + 1]
  if (table === undefined) return null
  const column = isOperator(entry[at + 2], '(') ? entry[at + 3] : undefined
  return { table: table.value, column: column?.value ?? null }
}

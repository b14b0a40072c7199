/** One value of an INSERT: a literal, or one of the few calls in which dumps write texts that a literal cannot hold on one line. */
import { closingOf, isOperator, isWord, splitTokens, type Token } from '../records/catalog/sql-tokens.ts'
import type { SqlValue } from '../lib/sql-value.ts'
import { integerOf, LineError, shown } from './table-import-rows.ts'

/** Throws LineError for anything else. */
export function literalOf(tokens: readonly Token[], line: number): SqlValue {
  const [first, second] = tokens
  if (tokens.length === 1 && first !== undefined) return oneToken(first, line)
  if (tokens.length === 2 && first !== undefined && isOperator(first, '-', '+') && second?.kind === 'number') return numberOf(`${first.text}${second.text}`, line)
  const isCall = isOperator(second, '(') && closingOf(tokens, 1) === tokens.length - 1
  return isCall ? called(tokens, line) : unknown(tokens, line)
}

function oneToken(token: Token, line: number): SqlValue {
  switch (token.kind) {
    case 'string':
      return token.value
    case 'blob':
      return Uint8Array.fromHex(token.text.slice(2, -1))
    case 'number':
      return numberOf(token.text, line)
    default:
      if (isWord(token, 'NULL')) return null
      return isWord(token, 'TRUE', 'FALSE') ? BigInt(isWord(token, 'TRUE')) : unknown([token], line)
  }
}

function numberOf(text: string, line: number): SqlValue {
  const number = Number(text)
  if (Number.isNaN(number)) throw new LineError(line, `${shown(text)} is no number`)
  return integerOf(text) ?? number
}

/** `CAST(x'…' AS TEXT)` of our exports; `unistr('…')`, `replace('…','\\n',char(10))` of sqlite3 before and after 3.50. */
function called(tokens: readonly Token[], line: number): SqlValue {
  const args = splitTokens(tokens.slice(2, -1), token => isOperator(token, ','))
  const [name] = tokens
  if (isWord(name, 'CAST')) return castText(tokens, line)
  const values = args.map(arg => literalOf(arg, line))
  const [text, from, to] = values
  if (isWord(name, 'UNISTR') && values.length === 1 && typeof text === 'string') return unescaped(text)
  if (isWord(name, 'CHAR') && values.every(value => typeof value === 'bigint' && value >= 0n && value <= 0x10ffffn)) return values.map(value => String.fromCodePoint(Number(value))).join('')
  if (isWord(name, 'REPLACE') && typeof text === 'string' && typeof from === 'string' && typeof to === 'string' && from !== '') return text.replaceAll(from, () => to)
  return unknown(tokens, line)
}

function castText(tokens: readonly Token[], line: number): SqlValue {
  const [, , blob, as, type] = tokens
  if (tokens.length !== 6 || blob?.kind !== 'blob' || !isWord(as, 'AS') || !isWord(type, 'TEXT')) return unknown(tokens, line)
  return Buffer.from(blob.text.slice(2, -1), 'hex').toString()
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:\\|u([0-9a-f]{4})|\+([0-9a-f]{6})|U([0-9a-f]{8})|([0-9a-f]{4}))/gi, (_, ...groups: (string | undefined)[]) => {
    const hex = groups.slice(0, 4).find(group => group !== undefined)
    return hex === undefined ? '\\' : String.fromCodePoint(Number.parseInt(hex, 16))
  })
}

function unknown(tokens: readonly Token[], line: number): never {
  throw new LineError(line, `a literal value is expected, not ${shown(tokens.map(({ text }) => text).join(' '))}`)
}

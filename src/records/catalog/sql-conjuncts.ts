/** Conditions taken apart at their ANDs. Knows tokens, not what they mean. */
import { closingOf, isOperator, isWord, splitTokens, type Token } from './sql-tokens.ts'

/** The parts of `tokens` that are joined by AND at the top. One part when OR is there, or BETWEEN, whose AND is another one. */
export function conjuncts(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const inner = unwrapped(tokens)
  const parts = splitTokens(inner, token => isWord(token, 'AND'))
  const isMixed = splitTokens(inner, token => isWord(token, 'OR', 'BETWEEN', 'CASE')).length > 1
  if (isMixed || parts.length === 1) return [inner]
  return parts.flatMap(conjuncts)
}

/** `tokens` without parentheses around all of them. */
export function unwrapped(tokens: readonly Token[]): readonly Token[] {
  const isWrapped = isOperator(tokens[0], '(') && closingOf(tokens, 0) === tokens.length - 1
  return isWrapped ? unwrapped(tokens.slice(1, -1)) : tokens
}

/** The statements of an SQL script, each with its place. Knows where a statement ends and nothing else of SQL: what it means is SQLite's business. */

export interface ScriptStatement {
  /** Without the semicolon at its end. */
  readonly text: string
  /** Line of its first letter, counted from 1. */
  readonly line: number
  /** Its first word in capitals; empty when it begins with something else. */
  readonly verb: string
}

/**
 * Splits at semicolons outside of strings, quoted names and comments; a CREATE TRIGGER ends at the semicolon behind `; END`, as
 * sqlite3_complete() has it (the END of a CASE never follows a semicolon). What is left open at the end of the script is a statement too.
 */
export function splitStatements(script: string): readonly ScriptStatement[] {
  const statements: ScriptStatement[] = []
  let words: string[] = []
  let start = -1
  let end = 0
  let previous = ''
  let beforeThat = ''
  const finish = () => {
    if (start >= 0) statements.push({ text: script.slice(start, end), line: lineOf(script, start), verb: words[0] ?? '' })
    words = []
    start = -1
    previous = ''
    beforeThat = ''
  }
  for (const token of tokensOf(script)) {
    if (token.kind === 'blank') continue
    if (token.text === ';' && (!isTrigger(words) || (previous === 'END' && beforeThat === ';'))) {
      finish()
      continue
    }
    if (start < 0) start = token.from
    end = token.from + token.text.length
    const word = token.kind === 'word' ? token.text.toUpperCase() : token.text
    if (words.length < headWords) words.push(token.kind === 'word' ? word : '')
    beforeThat = previous
    previous = word
  }
  finish()
  return statements
}

/** `CREATE TEMPORARY TRIGGER`: more words are not needed to know one. */
const headWords = 3

interface Token {
  readonly kind: 'blank' | 'word' | 'other'
  readonly text: string
  readonly from: number
}

/** Comments and blanks; strings and quoted names, also such as are never closed; words and numbers; any other letter. */
const grammar =
  /((?:[\s\uFEFF]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+)|('(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$))|([\p{L}\p{N}_$]+)|[\s\S]/guy

function* tokensOf(script: string): Generator<Token> {
  for (const match of script.matchAll(grammar)) {
    const [text, blank, , word] = match
    yield { kind: blank !== undefined ? 'blank' : word !== undefined ? 'word' : 'other', text, from: match.index }
  }
}

function isTrigger(words: readonly string[]): boolean {
  if (words[0] !== 'CREATE') return false
  return words[1] === 'TRIGGER' || ((words[1] === 'TEMP' || words[1] === 'TEMPORARY') && words[2] === 'TRIGGER')
}

function lineOf(script: string, offset: number): number {
  return script.slice(0, offset).split('\n').length
}

/** A query string as names, brackets and values, decoded. What they mean is parse.ts. */
import { bracketsMax, parametersMax, queryBytesMax } from './limits.ts'
import { refuseQuery } from './refuse.ts'

export interface Parameter {
  readonly name: string
  /** Texts of the brackets behind the name: `filter[a][$gt]` has `a` and `$gt`. */
  readonly path: readonly string[]
  readonly value: string
}

/** The parameters of `raw` (with or without `?`) in their order. Brackets may be percent-encoded. Refuses `invalid_query`. */
export function parseQueryString(raw: string): readonly Parameter[] {
  if (raw.length > queryBytesMax) return refuseQuery(`the query string has more than ${queryBytesMax} bytes`)
  const pairs = (raw.startsWith('?') ? raw.slice(1) : raw).split('&').filter(pair => pair !== '')
  if (pairs.length > parametersMax) return refuseQuery(`there are more than ${parametersMax} parameters`)
  return pairs.map(parameter)
}

function parameter(pair: string): Parameter {
  const equals = pair.indexOf('=')
  const key = decoded(equals === -1 ? pair : pair.slice(0, equals))
  const value = decoded(equals === -1 ? '' : pair.slice(equals + 1))
  const bracket = key.indexOf('[')
  if (bracket === -1) return { name: key, path: [], value }
  return { name: key.slice(0, bracket), path: bracketTexts(key.slice(bracket)), value }
}

/** `[a][b]` → a, b. */
function bracketTexts(text: string): readonly string[] {
  const texts: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(']', at)
    if (text[at] !== '[' || end === -1) return refuseQuery('a bracket of a parameter is not closed')
    texts.push(text.slice(at + 1, end))
    if (texts.length > bracketsMax) return refuseQuery(`a parameter has more than ${bracketsMax} brackets`)
    at = end + 1
  }
  return texts
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return refuseQuery('a percent-encoded text is not UTF-8')
  }
}

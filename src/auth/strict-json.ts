/** JSON objects from tokens, without what two readers could understand differently: duplicate names, bad UTF-8, great depth. */

/** Deeper nesting than any identity provider uses. */
export const jsonDepthMax = 16

/** The object that `bytes` hold, or null when they hold anything else or an ambiguous one. */
export function parseStrictObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    return isObject(value) && hasPlainShape(text) ? value : null
  } catch {
    return null
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// A byte order mark stays in the text, where JSON.parse refuses it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Names of the object being read, or null inside an array. */
type Level = { readonly names: Set<string>; nameNext: boolean } | null

/** Expects text that JSON.parse took; false when a name repeats within an object or nesting is too deep. */
function hasPlainShape(text: string): boolean {
  const levels: Level[] = []
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1) ?? null
    switch (text[at]) {
      case '"': {
        const end = stringEnd(text, at)
        if (level?.nameNext && !addName(level.names, text.slice(at, end + 1))) return false
        if (level) level.nameNext = false
        at = end
        break
      }
      case '{':
      case '[':
        if (levels.length === jsonDepthMax) return false
        levels.push(text[at] === '{' ? { names: new Set(), nameNext: true } : null)
        break
      case '}':
      case ']':
        levels.pop()
        break
      case ',':
        if (level) level.nameNext = true
    }
  }
  return true
}

function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

/** Compares decoded names, so that an escape cannot hide a repetition. */
function addName(names: Set<string>, quoted: string): boolean {
  const name: unknown = JSON.parse(quoted)
  if (typeof name !== 'string' || names.has(name)) return false
  names.add(name)
  return true
}

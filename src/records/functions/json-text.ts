/** JSON text that checks look at: parsed with bounds, and stricter than `JSON.parse` where that would not give back what was said. */

/** Characters of a text that is checked. */
export const jsonCharsMax = 1024 * 1024
/** Arrays and objects within each other. */
export const jsonDepthMax = 128

/** The value; undefined when `text` is no JSON, is beyond the limits, or has a number or half a surrogate pair that cannot be told exactly. */
export function parseJsonText(text: string, charsMax = jsonCharsMax): unknown {
  if (text.length > charsMax || depthOf(text) > jsonDepthMax) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isExact(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The deepest nesting, counted before anything is built: a text of brackets alone would take a hundred times its size. */
function depthOf(text: string): number {
  let [depth, deepest, quoted] = [0, 0, false]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (quoted) {
      if (code === backslash) i++
      else if (code === quote) quoted = false
    } else if (code === quote) quoted = true
    else if (code === openBracket || code === openBrace) deepest = Math.max(deepest, ++depth)
    else if (code === closeBracket || code === closeBrace) depth--
  }
  return deepest
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

function isExact(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isExact)
  for (const [key, member] of Object.entries(value)) if (!key.isWellFormed() || !isExact(member)) return false
  return true
}

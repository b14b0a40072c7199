/** Makes values fit for a log line: secrets hidden, errors with stack, depth and length bounded. Writes nothing. */

/** Longest text that is kept of one value, in UTF-16 units. */
export const logTextCharsMax = 8_192
/** How deep objects are followed, and how many entries of each. */
const depthMax = 4
const entriesMax = 50

const hidden = '***'
const secretWords = new Set([
  'authorization', 'token', 'password', 'passwd', 'passphrase', 'secret', 'key', 'cookie', 'apikey', 'credential', 'credentials', 'jwt',
])

/** What is written of the field `name`. */
export function logValue(name: string, value: unknown, depth = 0): unknown {
  if (isSecret(name) && value !== null && value !== undefined && typeof value !== 'boolean') return hidden
  switch (typeof value) {
    case 'string':
      return logText(value)
    case 'bigint':
      return String(value)
    case 'object':
      return value === null ? null : logObject(value, depth)
    case 'function':
    case 'symbol':
      return logText(String(value))
    default:
      return value
  }
}

/** `text` without credentials, cut to logTextCharsMax. */
export function logText(text: string): string {
  const kept = text.length > logTextCharsMax ? `${text.slice(0, logTextCharsMax)}… (${text.length} characters)` : text
  // Cheap tests first: nearly no line holds a credential.
  if (!/bearer|basic|eyJ|=|@/i.test(kept)) return kept
  return kept
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}/gi, `$1 ${hidden}`)
    .replace(/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, hidden)
    .replace(/((?:^|[?&;\s])(?:access_token|refresh_token|token|secret|password|api_key|key)=)[^&\s]+/gi, `$1${hidden}`)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi, `$1${hidden}@`)
}

function isSecret(name: string): boolean {
  if (name.length < 3) return false
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase().split(/[^a-z0-9]+/)
  return words.some(word => secretWords.has(word))
}

function logObject(value: object, depth: number): unknown {
  if (value instanceof Error) return logError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`
  if (depth >= depthMax) return Array.isArray(value) ? '[…]' : '{…}'
  if (Array.isArray(value)) return value.slice(0, entriesMax).map(item => logValue('', item, depth + 1))
  const entries = Object.entries(value).slice(0, entriesMax)
  return Object.fromEntries(entries.map(([name, item]) => [name, logValue(name, item, depth + 1)]))
}

function logError(error: Error, depth: number): unknown {
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? { code: error.code } : {}
  const cause = error.cause === undefined || depth >= depthMax ? {} : { cause: logValue('cause', error.cause, depth + 1) }
  return { name: error.name, message: logText(error.message), ...code, stack: logText(error.stack ?? ''), ...cause }
}

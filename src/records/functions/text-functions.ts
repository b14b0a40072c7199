/** Text in SQL: `is_email`, `regexp` (which is also the operator REGEXP), and the two forms of base64. */
import type { SqlValue } from '../../lib/sql-value.ts'
import { isEmail } from './email.ts'
import { matches } from './regular-expression.ts'
import { type SqlFunction, SqlFunctionError, sqlFunction, textOf } from './sql-function.ts'

/** Of one value of base64, in either direction. */
export const base64BytesMax = 16 * 1024 * 1024

export function textFunctions(): readonly SqlFunction[] {
  return [
    sqlFunction('is_email', 1, ([value]) => typeof value === 'string' && isEmail(value), { onNull: 'true' }),
    sqlFunction('regexp', 2, regexp, { onNull: 'pass' }),
    sqlFunction('base64', 1, ([value = null]) => base64(value, 'base64')),
    sqlFunction('base64_url_safe', 1, ([value = null]) => base64(value, 'base64url')),
  ]
}

/** `text REGEXP pattern`. Holds of a text that is NULL, as TrailBase's does; a pattern that is NULL gives NULL. */
function regexp(args: readonly SqlValue[]): boolean | null {
  if (args[0] === null) return null
  return args[1] === null || matches(textOf(args, 0), textOf(args, 1))
}

/** A BLOB becomes text, text becomes the BLOB. Both forms are padded; only what this function would write itself is read. */
function base64(value: SqlValue, alphabet: 'base64' | 'base64url'): SqlValue {
  if (value instanceof Uint8Array) {
    if (value.length > base64BytesMax) throw new SqlFunctionError(`at most ${base64BytesMax} bytes`)
    return encoded(value, alphabet)
  }
  if (typeof value !== 'string') throw new SqlFunctionError('the argument must be a BLOB or TEXT')
  const text = value.trim()
  if (text.length > (base64BytesMax * 4) / 3 + 4) throw new SqlFunctionError(`at most ${base64BytesMax} bytes`)
  const bytes = Buffer.from(text, alphabet)
  if (encoded(bytes, alphabet) !== text) throw new SqlFunctionError('the text is not padded base64 of this alphabet')
  return new Uint8Array(bytes)
}

function encoded(bytes: Uint8Array, alphabet: 'base64' | 'base64url'): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(alphabet)
  return alphabet === 'base64' ? text : text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

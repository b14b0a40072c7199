/** Bodies of the account routes to named texts: JSON, form or multipart, with what stands in the query string (trailbase-api.md §2.1, §9.3). */
import { readBody } from '../../http/body.ts'
import { fail } from '../../lib/errors.ts'
import { parseStrictObject } from '../strict-json.ts'

/** Largest body; names, passwords and tokens are all that it holds. */
export const accountBodyBytesMax = 64 * 1024
/** Longest single value, in characters. */
const valueCharsMax = 16 * 1024

export interface Fields {
  /** A form's sender is a browser: it gets cookies and is sent on. */
  readonly isForm: boolean
  /** The text of a field; null when it is missing, null or empty. */
  text(name: string): string | null
  /** The same, from the query string if it is there. */
  parameter(name: string): string | null
  /** Whether the body itself holds a text of that name. */
  inBody(name: string): boolean
}

/** By the prefix of Content-Type; none means JSON, and no body no fields. Refuses `bad_request`, `invalid_json`, `body_too_large`. */
export async function readFields(request: Request): Promise<Fields> {
  const type = request.headers.get('content-type')?.toLowerCase() ?? 'application/json'
  const bytes = await readBody(request, accountBodyBytesMax)
  const query = new URL(request.url).searchParams
  if (type.startsWith('application/json')) return fieldsOf(false, bytes.length === 0 ? [] : jsonValues(bytes), query)
  if (type.startsWith('application/x-www-form-urlencoded')) return fieldsOf(true, new URLSearchParams(decoded(bytes)), query)
  if (type.startsWith('multipart/form-data')) return fieldsOf(true, await multipartValues(bytes, request.headers.get('content-type') ?? ''), query)
  return fail('bad_request', { detail: 'Content-Type is one of application/json, application/x-www-form-urlencoded, multipart/form-data' })
}

/** Texts of a body that must be a JSON object with all of `names`. Refuses `unsupported_media_type`, `invalid_json`, `invalid_form`. */
export async function readJsonTexts<Name extends string>(request: Request, names: readonly Name[]): Promise<Readonly<Record<Name, string>>> {
  const bytes = await readBody(request, accountBodyBytesMax)
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) fail('unsupported_media_type', { detail: 'Expected Content-Type: application/json' })
  const value = parseStrictObject(bytes) ?? fail('invalid_json', { detail: 'Expected a JSON object' })
  const texts = names.map(name => {
    const text = Object.hasOwn(value, name) ? value[name] : undefined
    return typeof text === 'string' && text.length <= valueCharsMax ? [name, text] : fail('invalid_form', { detail: `Expected "${name}"` })
  })
  return Object.fromEntries(texts) as Record<Name, string>
}

type Values = Iterable<readonly [string, unknown]>

function fieldsOf(isForm: boolean, values: Values, query: URLSearchParams): Fields {
  const found = new Map<string, string>()
  for (const [name, value] of values) {
    if (value === null) continue
    if (typeof value !== 'string' || value.length > valueCharsMax || found.has(name)) fail('bad_request', { detail: 'Expected one text for each field' })
    found.set(name, value)
  }
  const text = (name: string) => found.get(name) || null
  return { isForm, text, inBody: name => text(name) !== null, parameter: name => query.get(name) || text(name) }
}

function jsonValues(bytes: Uint8Array): Values {
  return Object.entries(parseStrictObject(bytes) ?? fail('invalid_json', { detail: 'Expected a JSON object' }))
}

async function multipartValues(bytes: Uint8Array<ArrayBuffer>, type: string): Promise<Values> {
  try {
    return [...(await new Response(bytes, { headers: { 'Content-Type': type } }).formData())]
  } catch {
    return fail('bad_request', { detail: 'The body is no multipart/form-data' })
  }
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Answers of the account routes in the forms that TrailBase's clients read (trailbase-api.md §2.2, §9.5). What they say is decided elsewhere. */
import { asRefusal, errorResponse } from '../../http/errors.ts'
import type { Refusal } from '../../lib/errors.ts'
import { silentLog } from '../../lib/log.ts'

/** Header fields that every answer carries (CORS, security). */
export type CommonFields = Readonly<Record<string, string>>

export interface AnswerExtras {
  readonly status?: number
  readonly cookies?: readonly string[]
}

/** Nobody on the way keeps it, nor tells the next page where it came from. */
const privately = { 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' }

export function jsonAnswer(value: object, common: CommonFields, extras: AnswerExtras = {}): Response {
  return answer(JSON.stringify(value), 'application/json', common, extras)
}

export function textAnswer(text: string, common: CommonFields, extras: AnswerExtras = {}): Response {
  return answer(text === '' ? null : text, 'text/plain; charset=utf-8', common, extras)
}

export function redirectAnswer(location: string, common: CommonFields, extras: AnswerExtras = {}): Response {
  const response = answer(null, null, common, { ...extras, status: 303 })
  response.headers.set('Location', location)
  return response
}

/** A refusal as text, empty where it has none; its stable code stands in a header. What is no refusal is thrown again. */
export function refusalAnswer(error: unknown, common: CommonFields): Response {
  const refusal = asRefusal(error)
  if (refusal === null || refusal.status === 500) throw error
  const { headers } = errorResponse(refusal, { requestId: '', log: silentLog })
  // The layer around knows it.
  headers.delete('X-Request-Id')
  headers.set('Content-Type', 'text/plain; charset=utf-8')
  headers.set('Headwater-Error', refusal.code)
  for (const [name, value] of Object.entries(common)) headers.set(name, value)
  return new Response(detailOf(refusal) || null, { status: refusal.status, headers })
}

/** `401 Unauthorized`, as forms tell people. */
export function statusWords(refusal: Refusal): string {
  const words: Readonly<Record<number, string>> = { 401: 'Unauthorized', 429: 'Too Many Requests', 503: 'Service Unavailable' }
  const reason = words[refusal.status]
  return reason === undefined ? String(refusal.status) : `${refusal.status} ${reason}`
}

function detailOf({ details }: Refusal): string {
  return 'detail' in details && typeof details.detail === 'string' ? details.detail : ''
}

function answer(body: string | null, type: string | null, common: CommonFields, { status = 200, cookies = [] }: AnswerExtras): Response {
  const headers = new Headers({ ...common, ...privately })
  if (type !== null) headers.set('Content-Type', type)
  for (const cookie of cookies) headers.append('Set-Cookie', cookie)
  return new Response(body, { status, headers })
}

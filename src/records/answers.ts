/** Answers of the record APIs, in the forms that TrailBase's clients read (trailbase-api.md §2.2). What they say is decided elsewhere. */
import { asRefusal, errorResponse, type ErrorContext } from '../http/errors.ts'
import type { Refusal } from '../lib/errors.ts'

/** Header fields by name. */
export type Fields = Readonly<Record<string, string>>

/** The number of the transaction that wrote, for clients that wait until they see it. */
export const txnHeader = 'Headwater-Txn'

export function jsonAnswer(text: string, common: Fields, more: Fields = {}): Response {
  return new Response(text, { status: 200, headers: { ...common, 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...more } })
}

export function textAnswer(text: string, common: Fields, more: Fields = {}): Response {
  return new Response(text === '' ? null : text, { status: 200, headers: { ...common, 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...more } })
}

/** A page that an HTML form goes on to. */
export function redirectAnswer(location: string, common: Fields, more: Fields = {}): Response {
  return new Response(null, { status: 303, headers: { ...common, Location: location, 'Cache-Control': 'no-store', ...more } })
}

/**
 * Refusals as clients of TrailBase know them: the text alone, empty where it has none; the stable code stands in a header beside it.
 * Anything else is the opaque 500 of http/errors.ts.
 */
export function recordErrorResponse(error: unknown, context: ErrorContext): Response {
  const refusal = asRefusal(error)
  const response = errorResponse(error, context)
  if (refusal === null || refusal.status === 500) return response
  const headers = new Headers(response.headers)
  headers.set('Content-Type', 'text/plain; charset=utf-8')
  headers.set('Headwater-Error', refusal.code)
  const text = context.method === 'HEAD' ? '' : textOf(refusal)
  return new Response(text === '' ? null : text, { status: refusal.status, headers })
}

/** `Invalid query: order names no column`: TrailBase's words, then the reason. */
function textOf({ details }: Refusal): string {
  const { detail, reason } = details as { detail?: unknown; reason?: unknown }
  if (typeof detail !== 'string') return ''
  return typeof reason === 'string' ? `${detail}: ${reason}` : detail
}

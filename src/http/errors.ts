/** Forms every error answer: RFC 9457 problem details from the catalogue. Which refusals exist is lib/errors.ts. */
import { InvalidCookieSignature, InvalidFileType, NotFoundError, ParseError, ValidationError } from 'elysia'
import { catalogue, type ErrorCode, Refusal } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { HeaderPair } from './headers.ts'

export interface ErrorContext {
  readonly requestId: string
  readonly log: Log
  /** Path of the request, told back as `instance`. */
  readonly instance?: string
  /** Method of the request; the answer to HEAD has no body. */
  readonly method?: string
  /** Security and CORS headers of this request (cors.ts). */
  readonly headers?: readonly HeaderPair[]
}

export const problemType = 'application/problem+json'

/** Never throws. Refusals tell their code and details; anything else is an opaque 500, whole in the log. */
export function errorResponse(error: unknown, context: ErrorContext): Response {
  const refusal = asRefusal(error)
  if (refusal === null || refusal.status === 500) context.log.error('request failed', { error, request_id: context.requestId, path: context.instance })
  const code = refusal?.code ?? 'internal'
  const details: object = refusal?.details ?? {}
  const headers = new Headers([
    ['Content-Type', problemType],
    ['Cache-Control', 'no-store'],
    ['X-Request-Id', context.requestId],
    ...(context.headers ?? []).map(([name, value]): [string, string] => [name, value]),
    ...Object.entries(catalogueHeaders(code, details)),
  ])
  const status = catalogue[code].status
  if (context.method === 'HEAD') return new Response(null, { status, headers })
  return new Response(problemText(code, details, context), { status, headers })
}

/** The refusal that `error` stands for, or null when it is a fault of ours. */
export function asRefusal(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error
  if (error instanceof NotFoundError) return new Refusal('not_found', {})
  if (error instanceof ParseError) return new Refusal('bad_request', { detail: 'the body cannot be parsed' })
  // What the framework found is not told: its text repeats the whole input.
  if (error instanceof ValidationError || error instanceof InvalidFileType) return new Refusal('invalid_request', {})
  if (error instanceof InvalidCookieSignature) return new Refusal('bad_request', { detail: 'a cookie is not valid' })
  // Nobody is left to read the answer; it is only kept out of the error log.
  if (error instanceof DOMException && error.name === 'AbortError') return new Refusal('bad_request', { detail: 'aborted' })
  return null
}

function catalogueHeaders(code: ErrorCode, details: object): Readonly<Record<string, string>> {
  const entry: { readonly headers?: unknown } = catalogue[code]
  // The catalogue ties the details to the code; that tie is checked where a refusal is made (fail), not here.
  return entry.headers === undefined ? {} : (entry.headers as (details: object) => Record<string, string>)(details)
}

function problemText(code: ErrorCode, details: object, context: ErrorContext): string {
  const { status, title } = catalogue[code]
  return JSON.stringify({
    ...extensions(details),
    type: `urn:headwater:error:${code}`,
    title,
    status,
    code,
    detail: 'detail' in details ? details.detail : undefined,
    instance: context.instance,
    request_id: context.requestId,
  })
}

/** Details that are no header, as members of the problem (RFC 9457 §3.2). */
function extensions(details: object): object {
  if (!hasExtensions(details)) return {}
  const { challenge: _challenge, retryAfterSecs: _retryAfterSecs, ...rest } = details as Record<string, unknown>
  return rest
}

function hasExtensions(details: object): boolean {
  for (const key in details) if (key !== 'detail') return true
  return false
}

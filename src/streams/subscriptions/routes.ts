/** The HTTP surface below `{base}/__ds/`: parse, call, format. The stream route dispatches to it before any stream is looked at. */
import { readBody } from '../../http/body.ts'
import { catalogue, fail, Refusal, type ErrorCode } from '../../lib/errors.ts'
import type { Principal } from '../../lib/principal.ts'
import { idBytesMax, jwksCacheSecs, requestBodyBytesMax } from './limits.ts'
import { normalizePath, readClaim, readCreate, readReport, readStreams } from './schema.ts'
import type { Caller, Subscriptions } from './subscriptions.ts'

/** Wire codes of the protocol where they are not just the catalogue's code in capitals (PROTOCOL.md §6, §7). */
const wireCodes: Partial<Record<ErrorCode, string>> = {
  subscription_exists: 'SUBSCRIPTION_ALREADY_EXISTS',
  invalid_ack: 'INVALID_OFFSET',
  invalid_json: 'INVALID_REQUEST',
  bad_request: 'INVALID_REQUEST',
}

/** Actions whose `Authorization` is a token of a wake, not of a user: the authentication hook must leave these requests alone. */
const tokenActions = new Set(['callback', 'ack', 'release'])

/**
 * True when the request below `__ds/` (`segments` as in `handleSubscriptionRequest`) is not for the authentication hook: it carries a
 * wake token, or reads the public keys.
 */
export function authenticatesItself(segments: readonly string[]): boolean {
  if (segments.length === 1) return segments[0] === 'jwks.json'
  return segments.length === 3 && segments[0] === 'subscriptions' && tokenActions.has(segments[2] ?? '')
}

/**
 * Answers `request`; `segments` are the path segments after `__ds`, undecoded. `origin` is the scheme and host under which the client
 * reached the server. Refusals are answered here, in the protocol's form `{"error":{"code","message"}}`; other errors are thrown.
 */
export async function handleSubscriptionRequest(
  subscriptions: Subscriptions,
  request: Request,
  segments: readonly string[],
  caller: { readonly principal: Principal; readonly origin: string },
): Promise<Response> {
  try {
    return await dispatch(subscriptions, request, segments, caller)
  } catch (error) {
    if (error instanceof Refusal) return refusal(error)
    throw error
  }
}

async function dispatch(subscriptions: Subscriptions, request: Request, segments: readonly string[], caller: Caller): Promise<Response> {
  const [kind, id, action, ...rest] = segments
  if (kind === 'jwks.json' && id === undefined) return jwks(subscriptions, request)
  if (kind !== 'subscriptions' || id === undefined || id === '') fail('not_found', {})
  const name = readId(id)
  if (action === undefined) return whole(subscriptions, request, name, caller)
  if (action === 'streams') return membership(subscriptions, request, name, rest, caller)
  if (rest.length > 0) fail('not_found', {})
  if (action === 'claim') {
    allow(request, 'POST')
    return json(200, await subscriptions.claim(name, readClaim(await readJson(request)), caller))
  }
  if (!tokenActions.has(action)) fail('not_found', {})
  return wakeReport(subscriptions, request, name, action)
}

function jwks(subscriptions: Subscriptions, request: Request): Response {
  allow(request, 'GET', 'HEAD')
  return new Response(JSON.stringify(subscriptions.jwks()), {
    headers: { 'Content-Type': 'application/jwk-set+json', 'Cache-Control': `public, max-age=${jwksCacheSecs}` },
  })
}

async function whole(subscriptions: Subscriptions, request: Request, id: string, caller: Caller): Promise<Response> {
  allow(request, 'GET', 'HEAD', 'PUT', 'DELETE')
  if (request.method === 'PUT') {
    const { created, view } = await subscriptions.create(id, readCreate(await readJson(request)), caller)
    return json(created ? 201 : 200, view)
  }
  if (request.method === 'DELETE') {
    await subscriptions.delete(id, caller)
    return empty()
  }
  return json(200, await subscriptions.get(id, caller))
}

async function membership(subscriptions: Subscriptions, request: Request, id: string, rest: readonly string[], caller: Caller): Promise<Response> {
  if (rest.length === 0) {
    allow(request, 'POST')
    await subscriptions.addStreams(id, readStreams(await readJson(request)), caller)
  } else {
    allow(request, 'DELETE')
    await subscriptions.removeStream(id, normalizePath(decode(rest.join('/'))), caller)
  }
  return empty()
}

async function wakeReport(subscriptions: Subscriptions, request: Request, id: string, action: string): Promise<Response> {
  allow(request, 'POST')
  const authorization = request.headers.get('Authorization')
  const report = readReport(await readJson(request))
  if (action === 'release') {
    await subscriptions.release(id, authorization, report)
    return empty()
  }
  return json(200, await subscriptions.report(id, action === 'callback' ? 'webhook' : 'pull-wake', authorization, report))
}

function readId(segment: string): string {
  const id = decode(segment)
  if (Buffer.byteLength(id) > idBytesMax) fail('invalid_request', { detail: `A subscription id has at most ${idBytesMax} bytes` })
  return id
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return fail('invalid_request', { detail: 'The path is not valid percent-encoding' })
  }
}

async function readJson(request: Request): Promise<unknown> {
  const bytes = await readBody(request, requestBodyBytesMax)
  try {
    return bytes.length === 0 ? {} : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return fail('invalid_json', {})
  }
}

function allow(request: Request, ...methods: readonly string[]): void {
  if (!methods.includes(request.method)) fail('method_not_allowed', { allow: methods.join(', ') })
}

function json(status: number, body: object): Response {
  // Claims carry a token, and positions are stale at once.
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' } })
}

function empty(): Response {
  return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store' } })
}

function refusal(error: Refusal): Response {
  const { title, headers } = catalogue[error.code]
  const { detail, ...rest } = error.details as { readonly detail?: string; readonly current_holder?: string; readonly generation?: number }
  const { current_holder, generation } = rest
  const holder = error.code === 'already_claimed' ? { current_holder, generation } : {}
  const body = { error: { code: wireCodes[error.code] ?? error.code.toUpperCase(), message: detail ?? title, ...holder } }
  const response = json(error.status, body)
  for (const [name, value] of Object.entries((headers as ((details: object) => Record<string, string>) | undefined)?.(error.details) ?? {})) {
    response.headers.set(name, value)
  }
  return response
}

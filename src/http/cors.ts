/**
 * Which web origins may read our answers. One set of settings feeds both `@elysiajs/cors` (preflights) and the ready-made
 * pairs that other answers carry: run on every request, the plugin costs a third of the append rate. No access control.
 */
import { cors } from '@elysiajs/cors'
import { Elysia } from 'elysia'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { securityHeaders, type HeaderPair } from './headers.ts'

export interface CorsSettings {
  /** `*`, or origins such as `https://app.example.com`. Empty = no other origin may read. */
  readonly origins: readonly string[]
  /** For development: every origin may do everything, with credentials. */
  readonly dev?: boolean
}

export interface Cors {
  /** Security and CORS headers for the answer to `request`: constant arrays. */
  headers(request: Request): readonly HeaderPair[]
  /** The answer to any OPTIONS request. Looks at no resource and needs no credential. */
  preflight(request: Request): Promise<Response>
}

/** How long a browser may remember a preflight, in seconds. */
export const preflightMaxAgeSecs = 86_400

export const allowedMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const

export const allowedRequestHeaders = [
  'Content-Type', 'Authorization', 'Stream-Seq', 'Stream-TTL', 'Stream-Expires-At', 'Stream-Closed',
  'Stream-Forked-From', 'Stream-Fork-Offset', 'Stream-Fork-Sub-Offset', 'Producer-Id', 'Producer-Epoch', 'Producer-Seq',
  'If-None-Match', 'If-Match', 'Idempotency-Key', 'Last-Event-ID', 'CSRF-Token', 'Refresh-Token', 'Credentials', 'Range', 'Cache-Control',
  'X-Request-Id',
] as const

export const exposedResponseHeaders = [
  'Stream-Next-Offset', 'Stream-Cursor', 'Stream-Up-To-Date', 'Stream-Closed', 'Stream-TTL', 'Stream-Expires-At',
  'Stream-SSE-Data-Encoding', 'Producer-Epoch', 'Producer-Seq', 'Producer-Expected-Seq', 'Producer-Received-Seq', 'ETag',
  'Location', 'Retry-After', 'Cache-Control', 'Content-Type', 'Content-Encoding', 'Vary', 'Headwater-Txn', 'Headwater-Error',
  'Idempotency-Replayed', 'Content-Disposition', 'Content-Range', 'X-Request-Id',
] as const

/** Builds both halves from `settings`. Refuses an entry that is no origin (OperatorError, exit 78). */
export function createCors(settings: CorsSettings): Cors {
  settings.origins.forEach(checkOrigin)
  if (settings.dev === true) return developmentCors
  const plugin = lazily(() => new Elysia().use(corsPlugin(settings)))
  return {
    headers: headersByOrigin(settings),
    async preflight(request) {
      // The plugin's app finds the path from character 11 on, and the path plays no part: any address will do.
      const response = await plugin().handle(new Request('http://localhost/', { method: 'OPTIONS', headers: request.headers }))
      // The plugin answers `Vary: *` for any origin, which means "never the same answer": wrong, and it forbids caching.
      if (settings.origins.includes('*')) response.headers.delete('Vary')
      response.headers.set('Allow', allowedMethods.join(', '))
      for (const [name, value] of securityHeaders) response.headers.set(name, value)
      return response
    },
  }
}

const exposed: HeaderPair = ['Access-Control-Expose-Headers', exposedResponseHeaders.join(', ')]

/** What was asked for is allowed: whichever page a developer serves may call, with cookies. */
const developmentCors: Cors = {
  headers(request) {
    const origin = request.headers.get('Origin')
    if (origin === null) return [...securityHeaders, ['Vary', 'Origin']]
    return [...securityHeaders, ['Vary', 'Origin'], ['Access-Control-Allow-Origin', origin], ['Access-Control-Allow-Credentials', 'true'], exposed]
  },
  preflight(request) {
    const asked = (name: string, otherwise: readonly string[]): string => request.headers.get(name) ?? otherwise.join(', ')
    const headers = new Headers(this.headers(request).map(([name, value]): [string, string] => [name, value]))
    headers.set('Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
    headers.set('Access-Control-Allow-Methods', asked('Access-Control-Request-Method', allowedMethods))
    headers.set('Access-Control-Allow-Headers', asked('Access-Control-Request-Headers', allowedRequestHeaders))
    headers.set('Access-Control-Max-Age', String(preflightMaxAgeSecs))
    headers.set('Allow', allowedMethods.join(', '))
    return Promise.resolve(new Response(null, { status: 204, headers }))
  },
}

/** The plugin with our settings. */
export function corsPlugin(settings: CorsSettings) {
  const allows = originTest(settings)
  return cors({
    // A function, because the plugin looks strings up with `in`, which finds `constructor` too.
    origin: settings.origins.includes('*') ? '*' : (request: Request) => allows(request.headers.get('Origin')),
    methods: [...allowedMethods],
    allowedHeaders: [...allowedRequestHeaders],
    exposeHeaders: [...exposedResponseHeaders],
    credentials: false,
    maxAge: preflightMaxAgeSecs,
  })
}

function originTest(settings: CorsSettings): (origin: string | null) => boolean {
  const known = new Set(settings.origins)
  return origin => origin !== null && known.has(origin)
}

function headersByOrigin(settings: CorsSettings): (request: Request) => readonly HeaderPair[] {
  if (settings.origins.length === 0) return () => securityHeaders
  if (settings.origins.includes('*')) {
    const anyone: readonly HeaderPair[] = [...securityHeaders, ['Access-Control-Allow-Origin', '*'], exposed]
    return () => anyone
  }
  const others: readonly HeaderPair[] = [...securityHeaders, ['Vary', 'Origin']]
  const known = new Map(
    settings.origins.map(origin => [origin, [...others, ['Access-Control-Allow-Origin', origin], exposed] as readonly HeaderPair[]]),
  )
  return request => known.get(request.headers.get('Origin') ?? '') ?? others
}

function checkOrigin(origin: string): void {
  if (origin === '*' || /^[a-z][a-z0-9+.-]*:\/\/[^/\s,*A-Z]+$/.test(origin)) return
  throw new OperatorError(
    `http.cors_origins: expected "*" or an origin such as "https://app.example.com", got "${origin}"`,
    'Write scheme, host and port only, in lower case and without a path or a slash at the end.',
    78,
  )
}

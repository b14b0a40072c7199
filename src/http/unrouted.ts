/** The answer to an address that nothing else serves: a file of the public directory, or a 404 without words. Streams and records refuse for themselves. */
import type { HeaderPair } from './headers.ts'
import type { ServeStatic } from './static-files.ts'

export interface UnroutedParts {
  /** Files to serve; null: there are none. */
  readonly files: ServeStatic | null
  /** Paths below these are never files; each ends with a slash. */
  readonly reserved: readonly string[]
  readonly headers: (request: Request) => readonly HeaderPair[]
}

/** TrailBase's client puts the reason phrase in place of an empty body (trailbase-api.md §2), so the body is empty unless files are served. */
export async function unrouted(parts: UnroutedParts, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const mayBeFile = (request.method === 'GET' || request.method === 'HEAD') && !parts.reserved.some(prefix => `${pathname}/`.startsWith(prefix))
  const headers = parts.headers(request)
  if (parts.files === null || !mayBeFile) return new Response(null, { status: 404, headers: missing(headers) })
  const found = await parts.files(request, headers)
  if (found !== null) return found
  const text = request.method === 'HEAD' ? null : 'Not found'
  return new Response(text, { status: 404, headers: [['Content-Type', 'text/plain; charset=utf-8'], ...missing(headers)] })
}

function missing(headers: readonly HeaderPair[]): [string, string][] {
  return [['Cache-Control', 'no-store'], ...headers.map(([name, value]): [string, string] => [name, value])]
}

/** HTTP surface of streams: one resource, one function per method. Parses, calls, formats; decides nothing. */
import { fail } from '../lib/errors.ts'
import { anonymous, type Principal } from '../lib/principal.ts'
import { addMissingHeaders } from '../http/headers.ts'
import { readBody } from '../http/body.ts'
import { idleTimeoutSecs } from '../http/listener.ts'
import { answer as plain, type HeaderFields } from './protocol/answer.ts'
import type { ReadCommand } from './commands.ts'
import { appendResponse, parseAppend } from './protocol/append.ts'
import { createResponse, parseCreate, type CreateRules } from './protocol/create.ts'
import { parseName, reservedSegment } from './protocol/name.ts'
import { headResponse, nothingNewResponse, pageResponse, parseRead } from './protocol/read.ts'
import { sseEncoding } from './protocol/sse.ts'
import type { Streams } from './streams.ts'

export interface StreamRoutesParts {
  readonly streams: Streams
  readonly rules: CreateRules
  readonly bodyBytesMax: number
  /** Answers requests below the reserved segment `__ds`. */
  readonly control: (request: Request, segments: readonly string[], principal: Principal) => Promise<Response>
  /** True for requests below `__ds` that carry a credential of their own instead of a user's. */
  readonly authenticatesItself: (segments: readonly string[]) => boolean
  /** Public base such as `https://streams.example.com`; null: as the request was addressed. */
  readonly publicUrl: string | null
}

/** One request to a stream, as the composition root hands it over. */
export interface StreamRequest {
  readonly request: Request
  /** Who asks; throws or rejects with the refusals of http/authenticate.ts. */
  readonly authenticate: (request: Request) => Principal | Promise<Principal>
  /** CORS and security headers of the answer. */
  readonly common: HeaderFields
  /** Sets the idle limit of the connection; 0 = none, for live readers are quiet for long. */
  readonly idleLimit: (secs: number) => void
}

/** Answers one request below the stream root. Throws or rejects with refusals. */
export type StreamHandler = (asked: StreamRequest) => Promise<Response>

interface Target {
  /** Canonical name of the stream. */
  readonly path: string
  /** Path of the URL as it came, and the query without its question mark. */
  readonly urlPath: string
  readonly query: string
  readonly principal: Principal
}

const controlRoot = `${reservedSegment}/`
const allowed = 'GET, HEAD, POST, PUT, DELETE, OPTIONS'

export function streamHandler(parts: StreamRoutesParts): StreamHandler {
  const { rules } = parts
  return asked => {
    const { url } = asked.request
    const pathAt = url.indexOf('/', url.indexOf('//') + 2)
    const queryAt = url.indexOf('?', pathAt)
    const urlPath = url.slice(pathAt, queryAt < 0 ? undefined : queryAt)
    const query = queryAt < 0 ? '' : url.slice(queryAt + 1)
    const encoded = urlPath.slice(rules.root.length)
    if (encoded.startsWith(controlRoot)) return control(parts, asked, encoded.slice(controlRoot.length).split('/'))
    const path = parseName(encoded, rules.names)
    if (path === reservedSegment || path.startsWith(controlRoot)) fail('not_found', {})
    const principal = asked.authenticate(asked.request)
    if (!(principal instanceof Promise)) return dispatch(parts, asked, { path, urlPath, query, principal })
    return principal.then(known => dispatch(parts, asked, { path, urlPath, query, principal: known }))
  }
}

/** One function per method; a promise is made by the one that waits. */
function dispatch(parts: StreamRoutesParts, asked: StreamRequest, target: Target): Promise<Response> {
  switch (asked.request.method) {
    case 'POST':
      return append(parts, asked, target)
    case 'GET':
      return read(parts, asked, target)
    case 'PUT':
      return create(parts, asked, target)
    case 'HEAD':
      return head(parts, asked, target)
    case 'DELETE':
      return remove(parts, asked, target)
    default:
      return fail('method_not_allowed', { allow: allowed })
  }
}

async function append(parts: StreamRoutesParts, { request, common }: StreamRequest, { path, principal }: Target): Promise<Response> {
  const { streams } = parts
  const body = await readBody(request, parts.bodyBytesMax)
  const result = await streams.append(principal, parseAppend(path, request.headers, body))
  streams.countAppend(result, body.byteLength)
  return appendResponse(result, streams.incarnation, common)
}

async function head(parts: StreamRoutesParts, { common }: StreamRequest, { path, principal }: Target): Promise<Response> {
  return headResponse(parts.streams.head(principal, path), parts.streams.incarnation, common)
}

async function remove(parts: StreamRoutesParts, { common }: StreamRequest, { path, principal }: Target): Promise<Response> {
  await parts.streams.remove(principal, path)
  return plain(204, { ...common, 'Cache-Control': 'no-store' })
}

async function control(parts: StreamRoutesParts, { request, authenticate, common }: StreamRequest, segments: string[]): Promise<Response> {
  const principal = parts.authenticatesItself(segments) ? anonymous : await authenticate(request)
  return addMissingHeaders(await parts.control(request, segments, principal), Object.entries(common))
}

async function create(parts: StreamRoutesParts, { request, common }: StreamRequest, { path, urlPath, principal }: Target): Promise<Response> {
  const body = await readBody(request, parts.bodyBytesMax)
  const result = await parts.streams.create(principal, parseCreate(path, request.headers, body, parts.rules))
  const origin = parts.publicUrl ?? request.url.slice(0, request.url.indexOf('/', request.url.indexOf('//') + 2))
  return createResponse(result, origin + urlPath, parts.streams.incarnation, common)
}

async function read(parts: StreamRoutesParts, asked: StreamRequest, { path, query, principal }: Target): Promise<Response> {
  const { request, common } = asked
  const { streams } = parts
  const command = parseRead(path, new URLSearchParams(query), request.headers)
  const visibility = streams.public(path) ? 'public' : 'private'
  const { ifNoneMatch } = command
  const answer = { incarnation: streams.incarnation, visibility, ifNoneMatch } as const
  if (command.live === null) {
    const page = streams.read(principal, command)
    return pageResponse({ ...answer, page, cursor: null, cacheable: command.from !== 'now' }, common)
  }
  asked.idleLimit(0)
  if (command.live === 'sse') return sse(parts, asked, principal, command)
  const polled = await streams.longPoll(principal, command, request.signal).finally(() => asked.idleLimit(idleTimeoutSecs))
  const cursor = streams.cursor(command.cursor)
  if (polled.kind === 'page') return pageResponse({ ...answer, page: polled.page, cursor, cacheable: true }, common)
  return nothingNewResponse({ ...polled, incarnation: streams.incarnation, cursor }, common)
}

function sse(parts: StreamRoutesParts, { common, idleLimit }: StreamRequest, principal: Principal, command: ReadCommand): Response {
  // Ending a response does not close a connection whose client takes nothing: only its idle limit does.
  const reader = parts.streams.sse(principal, command, how => idleLimit(how === 'abandoned' ? 1 : idleTimeoutSecs))
  const headers: HeaderFields = {
    ...common,
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
  }
  if (sseEncoding(reader.stream.mediaType) === 'base64') headers['Stream-SSE-Data-Encoding'] = 'base64'
  return plain(200, headers, reader.body)
}

/** HTTP surface of streams: one resource, one function per method. Parses, calls, formats; decides nothing. */
import { fail } from '../lib/errors.ts'
import { anonymous, type Principal } from '../lib/principal.ts'
import { addMissingHeaders } from '../http/headers.ts'
import { readBody } from '../http/body.ts'
import { idleTimeoutSecs } from '../http/listener.ts'
import { answer as plain, type HeaderFields } from './protocol/answer.ts'
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
  /** Seconds without a byte after which the connection is closed; 0 = never: a live reader is quiet for long. */
  readonly idleLimit: (secs: number) => void
}

/** The same with its principal known. */
interface Identified extends StreamRequest {
  readonly principal: Principal
}

/** Answers one request below the stream root. Throws refusals. */
export type StreamHandler = (asked: StreamRequest) => Promise<Response>

const controlRoot = `${reservedSegment}/`
const allowed = 'GET, HEAD, POST, PUT, DELETE, OPTIONS'

export function streamHandler(parts: StreamRoutesParts): StreamHandler {
  const { rules } = parts
  return async asked => {
    const { url, method } = asked.request
    const pathAt = url.indexOf('/', url.indexOf('//') + 2)
    const queryAt = url.indexOf('?', pathAt)
    const encoded = url.slice(pathAt + rules.root.length, queryAt < 0 ? undefined : queryAt)
    if (encoded.startsWith(controlRoot)) return control(parts, asked, encoded.slice(controlRoot.length).split('/'))
    const path = parseName(encoded, rules.names)
    if (path === reservedSegment || path.startsWith(controlRoot)) fail('not_found', {})
    const found = asked.authenticate(asked.request)
    const incoming = { ...asked, principal: found instanceof Promise ? await found : found }
    switch (method) {
      case 'POST':
        return append(parts, incoming, path)
      case 'GET':
        return read(parts, incoming, path, queryAt < 0 ? '' : url.slice(queryAt + 1))
      case 'PUT':
        return create(parts, incoming, path, url.slice(pathAt, queryAt < 0 ? undefined : queryAt))
      case 'HEAD':
        return headResponse(parts.streams.head(incoming.principal, path), parts.streams.incarnation, incoming.common)
      case 'DELETE':
        await parts.streams.remove(incoming.principal, path)
        return plain(204, { ...incoming.common, 'Cache-Control': 'no-store' })
      default:
        return fail('method_not_allowed', { allow: allowed })
    }
  }
}

async function control(parts: StreamRoutesParts, { request, authenticate, common }: StreamRequest, segments: string[]): Promise<Response> {
  const principal = parts.authenticatesItself(segments) ? anonymous : await authenticate(request)
  return addMissingHeaders(await parts.control(request, segments, principal), Object.entries(common))
}

async function append(parts: StreamRoutesParts, { request, principal, common }: Identified, path: string): Promise<Response> {
  const { streams } = parts
  const body = await readBody(request, parts.bodyBytesMax)
  const result = await streams.append(principal, parseAppend(path, request.headers, body))
  streams.countAppend(result, body.byteLength)
  return appendResponse(result, streams.incarnation, common)
}

async function create(parts: StreamRoutesParts, incoming: Identified, path: string, urlPath: string): Promise<Response> {
  const { request, principal, common } = incoming
  const body = await readBody(request, parts.bodyBytesMax)
  const result = await parts.streams.create(principal, parseCreate(path, request.headers, body, parts.rules))
  const origin = parts.publicUrl ?? request.url.slice(0, request.url.indexOf('/', request.url.indexOf('//') + 2))
  return createResponse(result, origin + urlPath, parts.streams.incarnation, common)
}

async function read(parts: StreamRoutesParts, incoming: Identified, path: string, query: string): Promise<Response> {
  const { request, principal, common } = incoming
  const { streams } = parts
  const command = parseRead(path, new URLSearchParams(query), request.headers)
  const visibility = streams.public(path) ? 'public' : 'private'
  const { ifNoneMatch } = command
  const answer = { incarnation: streams.incarnation, visibility, ifNoneMatch } as const
  if (command.live === null) {
    const page = streams.read(principal, command)
    return pageResponse({ ...answer, page, cursor: null, cacheable: command.from !== 'now' }, common)
  }
  incoming.idleLimit(0)
  if (command.live === 'sse') return sse(parts, incoming, command)
  const polled = await streams.longPoll(principal, command, request.signal).finally(() => incoming.idleLimit(idleTimeoutSecs))
  const cursor = streams.cursor(command.cursor)
  if (polled.kind === 'page') return pageResponse({ ...answer, page: polled.page, cursor, cacheable: true }, common)
  return nothingNewResponse({ ...polled, incarnation: streams.incarnation, cursor }, common)
}

function sse(parts: StreamRoutesParts, { principal, common, idleLimit }: Identified, command: ReturnType<typeof parseRead>): Response {
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

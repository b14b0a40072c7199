/** What the routes of reading answer: lists, single records, schemas, with their caching. Routing is routes.ts, deciding is records.ts. */
import { idleTimeoutSecs } from '../http/listener.ts'
import { fail } from '../lib/errors.ts'
import { jsonAnswer, type Fields } from './answers.ts'
import { schemaModes } from './json-schema.ts'
import type { RecordText } from './read.ts'
import type { Records } from './records.ts'
import { recordHandler, type ApiRequest, type RecordHandler } from './routes.ts'
import { parseSubscribe } from './subscriptions/subscribe-request.ts'

/** Answers depend on who asks and change with every write: a cache may keep one only to ask again with its tag. */
const revalidated: Fields = { 'Cache-Control': 'private, no-cache', Vary: 'Authorization, Cookie' }

/** What routing needs besides the records themselves. */
export interface RecordHttpOptions {
  readonly bodyBytesMax: number
  /** Off: `/api/transaction/v1/execute` does not exist. */
  readonly transactions: boolean
  /** Refuses `invalid_redirect`; gives the location to go to. */
  readonly checkRedirect: (uri: string) => string
}

/** All routes of `records`. */
export function recordEndpoints(records: Records, options: RecordHttpOptions): RecordHandler {
  return recordHandler({
    ...options,
    api: name => records.api(name),
    writer: records.writer,
    readMultipart: api => (request, bodyBytesMax) => records.files.readMultipart(request, bodyBytesMax, api),
    list: asked => listAnswer(records, asked),
    read: (asked, id) => readAnswer(records, asked, id),
    schema: asked => schemaAnswer(records, asked),
    subscribe: (asked, target) => subscribeAnswer(records, asked, target),
    file: (asked, id, column, filename) => fileAnswer(records, asked, id, column, filename),
  })
}

export async function listAnswer(records: Records, { api, principal, query, common }: ApiRequest): Promise<Response> {
  return jsonAnswer(await records.list(api, principal, query), common)
}

export function readAnswer(records: Records, asked: ApiRequest, id: string): Response | Promise<Response> {
  const found = records.read(asked.api, asked.principal, id, asked.query)
  return found instanceof Promise ? found.then(record => recordAnswer(record, asked)) : recordAnswer(found, asked)
}

export function schemaAnswer(records: Records, { api, principal, query, common }: ApiRequest): Response {
  const mode = new URLSearchParams(query).get('mode') ?? 'Insert'
  const known = schemaModes.find(each => each === mode)
  if (known === undefined) fail('invalid_query', { detail: 'Invalid query', reason: `mode is one of ${schemaModes.join(', ')}` })
  return jsonAnswer(JSON.stringify(records.schema(api, principal, known)), common)
}

/** The changes of a record, or with `*` of the table, as an event stream (trailbase-api.md §5.8). */
export function subscribeAnswer(records: Records, { api, principal, query, request, common, idleLimit }: ApiRequest, target: string): Response | Promise<Response> {
  if (request.method === 'HEAD') fail('method_not_allowed', { allow: 'GET, OPTIONS' }) // it would be a subscription that nobody reads
  const command = parseSubscribe(target, query, request.headers)
  // Ending a response does not close a connection whose client takes nothing: only its idle limit does.
  const ended = (how: 'finished' | 'abandoned') => idleLimit(how === 'abandoned' ? 1 : idleTimeoutSecs)
  const body = records.subscriptions.subscribe({ api, principal, command, ended })
  const headers = { ...common, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' }
  const answer = (stream: ReadableStream<Uint8Array>) => {
    idleLimit(0)
    return new Response(stream, { headers })
  }
  return body instanceof Promise ? body.then(answer) : answer(body)
}

/** `filename` is the unique name of a file; null: the file that the column holds. */
export async function fileAnswer(records: Records, asked: ApiRequest, id: string, column: string, filename: string | null): Promise<Response> {
  const file = await records.file(asked.api, asked.principal, { id, column, filename })
  const { method, headers } = asked.request
  return await records.files.answer(asked.api, file, filename !== null, asked.query, { method, headers, common: asked.common })
}

/** The tag stands for the stored record; with fields or expansions it says the same of another text, so it is weak there (RFC 9110 §8.8.1). */
function recordAnswer({ text, tag }: RecordText, { request, query, common }: ApiRequest): Response {
  const etag = query === '' ? `"${tag}"` : `W/"${tag}"`
  const known = request.headers.get('if-none-match')
  // An expanded record changes with others that its tag does not know.
  const isSame = known !== null && !query.includes('expand') && tagsOf(known).includes(tag)
  if (isSame) return new Response(null, { status: 304, headers: { ...common, ...revalidated, ETag: etag } })
  return new Response(text, { headers: { ...common, 'Content-Type': 'application/json', ...revalidated, ETag: etag } })
}

function tagsOf(header: string): string[] {
  return [...header.matchAll(/"([^"]*)"/g)].map(match => match[1] ?? '')
}

/** HTTP surface of the record APIs: parses, calls, formats; decides nothing. Streams are streams/routes.ts. */
import { readBody } from '../http/body.ts'
import { fail } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import { jsonAnswer, redirectAnswer, textAnswer, txnHeader, type Fields } from './answers.ts'
import { checkAcl, checkWritable } from './access.ts'
import { parseExactJson } from './body/exact-json.ts'
import { readRecordBody, singleRecord, type ReadMultipart, type RecordBody } from './body/record-body.ts'
import type { RecordApi } from './record-api.ts'
import { idempotencyKey } from './writing/idempotency.ts'
import type { Versions } from './writing/plans.ts'
import type { Created, RecordWriter, WriteContext } from './writing/record-writer.ts'
import { parseTransaction } from './writing/transaction.ts'

/** One request below `/api/`, as the composition root hands it over. */
export interface RecordRequest {
  readonly request: Request
  readonly principal: Principal
  /** CORS and security headers of the answer. */
  readonly common: Fields
  /** Sets the idle limit of the connection; 0 = none. */
  readonly idleLimit: (secs: number) => void
}

/** What a route knows besides: the API, and the query string without its question mark. */
export interface ApiRequest extends RecordRequest {
  readonly api: RecordApi
  readonly query: string
}

export interface RecordRoutesParts {
  readonly api: (name: string) => RecordApi | undefined
  readonly writer: RecordWriter
  readonly bodyBytesMax: number
  /** Reads a form whose files are for an API: their bytes are stored on the way. */
  readonly readMultipart: (api: RecordApi) => ReadMultipart
  /** Off: `/api/transaction/v1/execute` does not exist. */
  readonly transactions: boolean
  /** Refuses `invalid_redirect`; gives the location to go to (trailbase-api.md §9.3). */
  readonly checkRedirect: (uri: string) => string
  readonly list: (asked: ApiRequest) => Promise<Response>
  readonly read: (asked: ApiRequest, id: string) => Response | Promise<Response>
  readonly schema: (asked: ApiRequest) => Response | Promise<Response>
  readonly subscribe: (asked: ApiRequest, target: string) => Response | Promise<Response>
  readonly file: (asked: ApiRequest, id: string, column: string, filename: string | null) => Promise<Response>
}

/** Answers a request whose path begins with `/api/records/v1/` or is that of transactions; null for other paths. */
export type RecordHandler = (asked: RecordRequest) => Response | Promise<Response> | null

const recordsRoot = '/api/records/v1/'
const transactionPath = '/api/transaction/v1/execute'

export function recordHandler(parts: RecordRoutesParts): RecordHandler {
  return asked => {
    const { url } = asked.request
    const pathAt = url.indexOf('/', url.indexOf('//') + 2)
    const queryAt = url.indexOf('?', pathAt)
    const path = url.slice(pathAt, queryAt < 0 ? undefined : queryAt)
    if (path === transactionPath && parts.transactions) return transaction(parts, asked)
    if (!path.startsWith(recordsRoot)) return null
    const segments = path.slice(recordsRoot.length).split('/')
    const api = parts.api(segments[0] ?? '')
    if (api === undefined) fail('unknown_record_api', {})
    const { request, principal, common, idleLimit } = asked
    return dispatch(parts, { request, principal, common, idleLimit, api, query: queryAt < 0 ? '' : url.slice(queryAt + 1) }, segments)
  }
}

/** By the raw segments, so that a TEXT key such as `schema` can be addressed percent-encoded. */
function dispatch(parts: RecordRoutesParts, asked: ApiRequest, segments: readonly string[]): Response | Promise<Response> {
  const [, first, second, third, fourth] = segments
  if (segments.length > 5) fail('not_found', {})
  if (first === undefined || first === '') return second === undefined ? collection(parts, asked) : fail('not_found', {})
  if (second === undefined) return first === 'schema' ? onlyGet(asked, () => parts.schema(asked)) : record(parts, asked, decoded(first))
  if (first === 'subscribe') return third === undefined ? onlyGet(asked, () => parts.subscribe(asked, decoded(second))) : fail('not_found', {})
  if (third === undefined) fail('not_found', {})
  if (second === 'file' && fourth === undefined) return onlyGet(asked, () => parts.file(asked, decoded(first), decoded(third), null))
  if (second === 'files' && fourth !== undefined) return onlyGet(asked, () => parts.file(asked, decoded(first), decoded(third), decoded(fourth)))
  return fail('not_found', {})
}

function collection(parts: RecordRoutesParts, asked: ApiRequest): Promise<Response> {
  switch (asked.request.method) {
    case 'GET':
    case 'HEAD':
      return parts.list(asked)
    case 'POST':
      return create(parts, asked)
    default:
      return fail('method_not_allowed', { allow: 'GET, HEAD, POST, OPTIONS' })
  }
}

function record(parts: RecordRoutesParts, asked: ApiRequest, id: string): Response | Promise<Response> {
  switch (asked.request.method) {
    case 'GET':
    case 'HEAD':
      return parts.read(asked, id)
    case 'PATCH':
      return update(parts, asked, id)
    case 'DELETE':
      return remove(parts, asked, id)
    default:
      return fail('method_not_allowed', { allow: 'GET, HEAD, PATCH, DELETE, OPTIONS' })
  }
}

function onlyGet(asked: ApiRequest, answer: () => Response | Promise<Response>): Response | Promise<Response> {
  const { method } = asked.request
  return method === 'GET' || method === 'HEAD' ? answer() : fail('method_not_allowed', { allow: 'GET, HEAD, OPTIONS' })
}

async function create(parts: RecordRoutesParts, asked: ApiRequest): Promise<Response> {
  const redirect = redirectOf(parts, asked.query)
  const created = await withBody(parts, asked, 'create', body => parts.writer.create(asked.api, body.records, body.form, contextOf(asked, body.bytes)))
  if (redirect !== null) return redirectAnswer(redirect, asked.common, writtenFields(created))
  return jsonAnswer(createdText(created), asked.common, writtenFields(created))
}

async function update(parts: RecordRoutesParts, asked: ApiRequest, id: string): Promise<Response> {
  const versions = versionsOf(asked.request.headers)
  const changed = await withBody(parts, asked, 'update', body => parts.writer.update(asked.api, id, singleRecord(body), body.form, versions, contextOf(asked, body.bytes)))
  return textAnswer('', asked.common, writtenFields(changed))
}

async function remove(parts: RecordRoutesParts, asked: ApiRequest, id: string): Promise<Response> {
  const changed = await parts.writer.remove(asked.api, id, versionsOf(asked.request.headers), contextOf(asked, noBytes))
  return textAnswer('deleted', asked.common, writtenFields(changed))
}

async function transaction(parts: RecordRoutesParts, asked: RecordRequest): Promise<Response> {
  const { request, common } = asked
  if (request.method !== 'POST') fail('method_not_allowed', { allow: 'POST, OPTIONS' })
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) fail('unsupported_media_type', { detail: 'Expected Content-Type: application/json' })
  const bytes = await readBody(request, parts.bodyBytesMax)
  const batch = parseTransaction(parseExactJson(bytes))
  const api = (name: string) => parts.api(name) ?? fail('unknown_record_api', {})
  const { results, txn, isReplayed } = await parts.writer.transaction(batch, api, contextOf(asked, bytes))
  const fields: Fields = txn === null ? {} : writtenFields({ txn, isReplayed })
  // The published client reads `ids`, of the created records; the reference server writes `results` (trailbase-api.md §5.9): both are there.
  const ids = results.flatMap((each, i) => ('Id' in each && batch.operations[i]?.kind === 'create' ? [each.Id] : []))
  return jsonAnswer(JSON.stringify(txn === null ? { results, ids } : { results, ids, txn }), common, fields)
}

const noBytes = new Uint8Array(0)

function createdText({ ids, txn }: Created): string {
  return `{"ids":${JSON.stringify(ids)},"txn":${txn}}`
}

/** Who may not write sends no body: its files would be stored. */
async function withBody<Answer>(parts: RecordRoutesParts, { api, request, principal }: ApiRequest, action: 'create' | 'update', write: (body: RecordBody) => Promise<Answer>): Promise<Answer> {
  checkWritable(api)
  checkAcl(api, action, principal)
  const body = await readRecordBody(request, parts.bodyBytesMax, parts.readMultipart(api))
  if (body.discard === null) return write(body)
  try {
    return await write(body)
  } finally {
    await body.discard()
  }
}

/** An idempotency key belongs to one method, address and body. */
function contextOf({ request, principal }: RecordRequest, body: Uint8Array): WriteContext {
  const { method, url, headers } = request
  const key = headers.get('idempotency-key')
  return { principal, idempotency: key === null ? null : idempotencyKey(key, principal, [method, url.slice(url.indexOf('/', 8)), body]) }
}

function writtenFields(written: Pick<Created, 'txn' | 'isReplayed'>): Fields {
  const txn = String(written.txn)
  return written.isReplayed ? { [txnHeader]: txn, 'Idempotency-Replayed': 'true' } : { [txnHeader]: txn }
}

/** ETags of If-Match (RFC 9110 §13.1.1); weak ones never match a write. */
function versionsOf(headers: Headers): Versions {
  const header = headers.get('if-match')
  if (header === null) return null
  if (header.trim() === '*') return ['*']
  const tags = [...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(match => match[1] === undefined).map(match => match[2] ?? '')
  return tags
}

function redirectOf(parts: RecordRoutesParts, query: string): string | null {
  if (query === '') return null
  const uri = new URLSearchParams(query).get('redirect_uri')
  return uri === null ? null : parts.checkRedirect(uri)
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return fail('bad_request', { detail: 'The path is not percent-encoded UTF-8' })
  }
}

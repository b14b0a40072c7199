/** The catalogue of refusals: code → status, title, headers. Forming the HTTP answer is http/errors.ts. */

type HeaderMap = Readonly<Record<string, string>>

interface Entry<Details> {
  readonly status: number
  readonly title: string
  readonly headers?: (details: Details) => HeaderMap
}

function entry<Details extends object = { detail?: string }>(value: Entry<Details>): Entry<Details> {
  return value
}

/** Every refusal that a caller can meet. Codes are stable; the text is for people. */
export const catalogue = {
  // Requests that are wrong in themselves
  bad_request: entry({ status: 400, title: 'The request is malformed' }),
  invalid_offset: entry({ status: 400, title: 'The offset is not a position of this stream' }),
  invalid_stream_name: entry({ status: 400, title: 'The stream name is not allowed' }),
  invalid_json: entry({ status: 400, title: 'The body is not valid JSON' }),
  empty_body: entry({ status: 400, title: 'The body is empty' }),
  empty_array: entry({ status: 400, title: 'An empty array appends nothing' }),
  invalid_ttl: entry({ status: 400, title: 'The time to live or expiry is not valid' }),
  invalid_fork: entry({ status: 400, title: 'The fork position is not valid' }),
  invalid_producer: entry({ status: 400, title: 'The producer headers are not valid' }),
  producer_epoch_start: entry({ status: 400, title: 'A new producer epoch starts at sequence 0' }),
  missing_content_type: entry({ status: 400, title: 'Content-Type is required with a body' }),
  invalid_request: entry({ status: 400, title: 'The request does not fit this resource' }),
  invalid_archive: entry({ status: 400, title: 'The archive is damaged, incomplete or not an export' }),
  webhook_url_rejected: entry({ status: 400, title: 'The webhook URL is not allowed' }),
  invalid_record: entry({ status: 400, title: 'The record does not fit the columns of its table' }),
  invalid_record_id: entry({ status: 400, title: 'The id has not the form of this table’s key' }),
  invalid_query: entry<{ detail?: string; reason?: string }>({ status: 400, title: 'The query string is not valid' }),
  invalid_redirect: entry({ status: 400, title: 'The redirect target is not allowed' }),
  constraint_failed: entry({ status: 400, title: 'A constraint of the database refused the write' }),
  invalid_sql: entry({ status: 400, title: 'SQLite does not run the query' }),
  import_failed: entry<{ detail?: string; row: number | null }>({ status: 400, title: 'A row of the import does not fit the table' }),
  // Who is asking
  unauthorized: entry<{ detail?: string; challenge?: string }>({
    status: 401,
    title: 'A valid credential is required',
    headers: d => ({ 'WWW-Authenticate': d.challenge ?? 'Bearer' }),
  }),
  token_invalid: entry({
    status: 401,
    title: 'The token is not valid',
    headers: () => ({ 'WWW-Authenticate': 'Bearer error="invalid_token"' }),
  }),
  token_expired: entry({
    status: 401,
    title: 'The token has expired',
    headers: () => ({ 'WWW-Authenticate': 'Bearer error="invalid_token", error_description="The token has expired"' }),
  }),
  forbidden: entry({ status: 403, title: 'The rules do not allow this' }),
  producer_fenced: entry<{ detail?: string; epoch: number }>({
    status: 403,
    title: 'A newer producer epoch exists',
    headers: d => ({ 'Producer-Epoch': String(d.epoch) }),
  }),
  // State of the stream
  not_found: entry({ status: 404, title: 'There is nothing at this address' }),
  stream_not_found: entry({ status: 404, title: 'The stream does not exist' }),
  fork_source_not_found: entry({ status: 404, title: 'The fork source does not exist' }),
  record_not_found: entry({ status: 404, title: 'The record or file does not exist' }),
  unknown_record_api: entry({ status: 405, title: 'There is no such record API, or it is read-only' }),
  subscription_not_found: entry({ status: 404, title: 'The subscription does not exist' }),
  method_not_allowed: entry<{ detail?: string; allow: string }>({
    status: 405,
    title: 'The method is not supported here',
    headers: d => ({ Allow: d.allow }),
  }),
  stream_exists: entry({ status: 409, title: 'The stream exists with a different configuration' }),
  path_blocked: entry({ status: 409, title: 'The name belongs to a deleted stream that still has forks' }),
  fork_source_deleted: entry({ status: 409, title: 'The fork source is deleted' }),
  content_type_mismatch: entry({ status: 409, title: 'The content type differs from the stream’s' }),
  stream_closed: entry<{ detail?: string; tail: string }>({
    status: 409,
    title: 'The stream accepts no further data',
    headers: d => ({ 'Stream-Closed': 'true', 'Stream-Next-Offset': d.tail }),
  }),
  sequence_conflict: entry({ status: 409, title: 'Stream-Seq is not greater than the last one' }),
  producer_gap: entry<{ detail?: string; expected: number; received: number }>({
    status: 409,
    title: 'Producer sequence numbers are missing',
    headers: d => ({ 'Producer-Expected-Seq': String(d.expected), 'Producer-Received-Seq': String(d.received) }),
  }),
  conflict: entry({ status: 409, title: 'Somebody else has this name' }),
  subscription_exists: entry({ status: 409, title: 'The subscription exists with a different configuration' }),
  already_claimed: entry<{ detail?: string; current_holder: string; generation: number }>({
    status: 409,
    title: 'Another worker holds the lease',
  }),
  no_pending_work: entry({ status: 409, title: 'There is nothing to claim' }),
  fenced: entry({ status: 409, title: 'A newer lease exists' }),
  invalid_ack: entry({ status: 409, title: 'The acknowledged offset is not valid' }),
  gone: entry({ status: 410, title: 'The stream is deleted' }),
  offset_gone: entry({ status: 410, title: 'The offset belongs to an earlier state of the store' }),
  precondition_failed: entry({ status: 412, title: 'The record is not the version that If-Match names' }),
  statement_refused: entry({ status: 412, title: 'This statement is not run here' }),
  unsupported_media_type: entry({ status: 415, title: 'The content type is not supported here' }),
  invalid_form: entry({ status: 422, title: 'The body has not the members that are expected' }),
  invalid_transaction: entry({ status: 422, title: 'The batch has not the form that is expected' }),
  idempotency_key_reused: entry({ status: 422, title: 'The idempotency key was used with a different request' }),
  config_rejected: entry({ status: 422, title: 'The new configuration cannot be used; the old one stays' }),
  query_too_costly: entry({ status: 422, title: 'The query takes longer than allowed' }),
  account_unsuitable: entry({ status: 424, title: 'The account is not in a state for this' }),
  range_not_satisfiable: entry<{ detail?: string; size: number }>({
    status: 416,
    title: 'The range lies beyond the end of the file',
    headers: d => ({ 'Content-Range': `bytes */${d.size}`, 'Accept-Ranges': 'bytes' }),
  }),
  // Limits and state of the server
  body_too_large: entry({ status: 413, title: 'The body is larger than allowed' }),
  stream_too_large: entry({ status: 413, title: 'The stream would grow beyond its limit' }),
  too_many_requests: entry<{ detail?: string; retryAfterSecs?: number }>({
    status: 429,
    title: 'Too many requests',
    headers: d => ({ 'Retry-After': String(d.retryAfterSecs ?? 1) }),
  }),
  stream_damaged: entry({ status: 500, title: 'Stored data of this stream is damaged and is not served' }),
  overloaded: entry<{ detail?: string; retryAfterSecs?: number }>({
    status: 503,
    title: 'The server is at its limit',
    headers: d => ({ 'Retry-After': String(d.retryAfterSecs ?? 1) }),
  }),
  shutting_down: entry({ status: 503, title: 'The server is stopping', headers: () => ({ 'Retry-After': '1' }) }),
  storage_fenced: entry({ status: 503, title: 'Storage failed and accepts nothing', headers: () => ({ 'Retry-After': '5' }) }),
  identity_unavailable: entry({
    status: 503,
    title: 'The identity provider cannot be reached',
    headers: () => ({ 'Retry-After': '5' }),
  }),
  insufficient_storage: entry({ status: 507, title: 'There is no room left', headers: () => ({ 'Retry-After': '5' }) }),
  internal: entry({ status: 500, title: 'Something went wrong; the log has the details under this request id' }),
} as const

export type ErrorCode = keyof typeof catalogue
export type DetailsOf<Code extends ErrorCode> = (typeof catalogue)[Code] extends Entry<infer Details extends object> ? Details : never

/** A caller's fault or a named limit. Carries a code of the catalogue and its details. */
export class Refusal<Code extends ErrorCode = ErrorCode> extends Error {
  override name = 'Refusal'
  constructor(
    readonly code: Code,
    readonly details: DetailsOf<Code>,
  ) {
    super(`${code}${'detail' in details && details.detail ? `: ${String(details.detail)}` : ''}`)
  }

  get status(): number {
    return catalogue[this.code].status
  }
}

/** Throws the refusal `code`. Never returns. */
export function fail<Code extends ErrorCode>(code: Code, details: DetailsOf<Code>): never {
  throw new Refusal(code, details)
}

/** An operator's mistake (configuration, files, ports): `message` says what is wrong, `remedy` what to do. */
export class OperatorError extends Error {
  override name = 'OperatorError'
  constructor(
    message: string,
    readonly remedy: string,
    /** sysexits: 78 configuration, 73 cannot create, 75 temporary, 74 input/output, 1 other. */
    readonly exitCode: number,
  ) {
    super(message)
  }
}

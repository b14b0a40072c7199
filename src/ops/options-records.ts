/** The part of the table of options (options.ts) about the depot's tables and record APIs, and what TrailBase has in its section `server`. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { boolean, bytes, integer, text } from './config-kinds.ts'
import { baseUrl, path } from './config-kinds-network.ts'
import { databases, jsonSchemas, recordApis } from './config-messages-records.ts'
import { derived, option, unset, type Values } from './config-option.ts'

const bytesMax = Number.MAX_SAFE_INTEGER
const secsMax = 100 * 366 * 86_400
const words = text('a string that is not empty')
const trail = { isTrail: true }
const unused = { isTrail: true, isUnused: true }

/** Behind `server.url`. The names of TrailBase's message ServerConfig are in this section. */
export const serverOptions = {
  'server.site_url': unset(baseUrl, 'Canonical URL of the application, for mails and redirects. Unset: server.url.', {
    ...trail,
    defaultText: 'server.url',
    derive: values => textOrNull(values.get('server.url')),
  }),
  'server.application_name': option(text('letters, digits, blanks, "_", "." and "-"', value => /^[A-Za-z0-9_. -]{1,128}$/.test(value)), 'Headwater', 'Name of the application, as people see it.', trail),
  'server.request_size_limit_bytes': derived(bytes(1, 512 * 1024 ** 2), 'limits.max_request_body_bytes', values => Number(values.get('limits.max_request_body_bytes')), 'Largest body of a request to the record APIs; a larger one is answered with 413.', trail),
  'server.enable_record_transactions': option(boolean, false, 'Serve `/api/transaction/v1/execute`: several record operations in one transaction.', trail),
  'server.logs_retention_sec': option(integer(0, secsMax), 604_800, 'How long the log of requests is kept in the depot.', unused),
  'server.auth_ip_rate_limit': unset(integer(1, 1_048_576), 'Most posts to the account routes that one address may send at once; it gets back one a second. Unset: any number.', trail),
  'server.backup_window_size': option(integer(1, 1_048_576), 5, 'How many backups are kept.', unused),
  'server.s3_storage_config.endpoint': unset(words, 'Address of an S3 service for files of records. Set: they go there instead of records.uploads_dir.', trail),
  'server.s3_storage_config.region': unset(words, 'Region of the bucket.', trail),
  'server.s3_storage_config.bucket_name': unset(words, 'Name of the bucket.', trail),
  'server.s3_storage_config.access_key': unset(words, 'Access key for the bucket.', trail),
  'server.s3_storage_config.secret_access_key': unset(words, 'The secret that belongs to the access key.', { ...trail, secret: true }),
  'server.dev': option(boolean, false, 'For development only: pages of every origin may call the server, with credentials.', {
    flags: [{ flags: '--dev', help: 'for development: pages of every origin may call, with credentials' }],
  }),
  'server.public_dir': unset(path, 'Directory whose files are served where nothing else is. Below `/api/`, `/_/` and the streams there are none. Hidden files are not served. A name with a hash of the content in it is cached for a year, all else is asked for again each time; `x.br`, `x.zst` and `x.gz` beside `x` are sent to who takes them.', {
    envAliases: ['PUBLIC_DIR'],
    flags: [{ flags: '--public-dir <DIR>', help: 'directory of files to serve' }],
  }),
  'server.spa': option(boolean, false, 'The files are an application that routes in the browser: paths without a suffix that name no file get its `index.html`.', {
    envAliases: ['SPA'],
    flags: [{ flags: '--spa', help: 'answer unknown paths without a suffix with index.html' }],
  }),
  'server.runtime_threads': unset(integer(1, 1024), 'Accepted for command lines of other servers. Readers are records.readers_max.', {
    flags: [{ flags: '--runtime-threads <COUNT>', help: 'accepted for command lines of other servers' }],
  }),
}

export const recordOptions = {
  'records.query_timeout_ms': option(integer(1, 3_600_000), 2000, 'How long one list or aggregate may take, in milliseconds; a longer one is refused.'),
  'records.readers_max': derived(integer(1, 64), 'the number of processors, but from 2 to 4', () => Math.min(4, Math.max(2, availableParallelism())), 'Most threads that run lists and aggregates.'),
  'records.changes_retention_secs': option(integer(1, secsMax), 604_800, 'How long the change log keeps a change; a subscription cannot resume from before it.'),
  'records.changes_retention_bytes': option(bytes(1024, bytesMax), 1024 ** 3, 'Most bytes of changes that the change log keeps for each database.'),
  'records.idempotency_retention_secs': option(integer(1, secsMax), 86_400, 'How long the answer to a write with an Idempotency-Key is kept.'),
  'records.subscriptions_max': option(integer(1, 1_048_576), 16_384, 'Subscriptions at a time; more are answered with 503 and Retry-After.'),
  'records.event_queue_max': option(integer(1, 1_048_576), 1024, 'Events that may wait in memory for one slow subscriber. What comes then it reads from the change log.'),
  'records.uploads_dir': derived(path, '<depot>/uploads', values => below(values, 'uploads'), 'Directory of the files that records hold.'),
  'records.migrations_dir': derived(path, '<depot>/migrations', values => below(values, 'migrations'), 'Directory of migrations: `main/` and one for each additional database. It may be read-only.'),
  databases: option(databases, [], 'Databases beside main.', { ...trail, isLive: true }),
  schemas: option(jsonSchemas, [], 'JSON Schemas by name, for CHECK constraints.', { ...trail, isLive: true }),
  record_apis: option(recordApis, [], 'Tables and views that clients may use through `/api/records/v1/<name>`, and who may do what with them.', { ...trail, isLive: true }),
}

function below(values: Values, name: string): string {
  return join(String(values.get('depot')), name)
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** The one table of options. Config type, schema, environment names, flags, help and docs/configuration.md come from it; reading values is config.ts. */
import { join } from 'node:path'
import { boolean, bytes, integer, listOf, oneOf, seconds, text } from './config-kinds.ts'
import { address, basePath, baseUrl, logFilter, network, origin, path, shardCount } from './config-kinds-network.ts'
import { issuers, streamApis } from './config-messages.ts'
import { derived, option, unset, type Nested, type Option, type Values } from './config-option.ts'
import { accountOptions } from './options-accounts.ts'
import { recordOptions, serverOptions } from './options-records.ts'

const bytesMax = Number.MAX_SAFE_INTEGER
const daySecs = 86_400
const tlsVersion = oneOf(['1.2', '1.3'])
const portAlias = { prefix: ':', expected: 'a port from 0 to 65535' }

/** Every option by its path in the file. The order is that of the reference page. */
export const options = {
  depot: option(path, './depot', 'Directory that holds everything the server writes, and its config file.', {
    envAliases: ['DEPOT', 'DATA_DIR'],
    flags: [
      { flags: '--depot <DIR>', help: 'directory of the configuration and all data' },
      { flags: '--data-dir <DIR>', help: 'another name of --depot' },
    ],
  }),

  'server.bind_address': option(address, { host: '127.0.0.1', port: 4437 }, 'Where to listen. Port 0 takes a free port. The host or the port alone leaves the other as it was.', {
    envAliases: [{ name: 'DS_SERVER__PORT', ...portAlias }, { name: 'PORT', ...portAlias }, 'ADDRESS'],
    flags: [{ flags: '-a, --address <HOST:PORT>', help: 'where to listen' }],
  }),
  'server.url': unset(baseUrl, 'Public URL of the server, for Location headers and webhook callbacks. Unset: server.site_url, else taken from each request.', {
    defaultText: 'server.site_url',
    derive: values => otherUrl(values.get('server.site_url')),
    envAliases: ['PUBLIC_URL'],
    flags: [{ flags: '--public-url <URL>', help: 'public URL of the server' }],
  }),

  ...serverOptions,

  'storage.mode': option(oneOf(['memory', 'file-fast', 'file-durable', 'acid'], { redb: 'acid' }), 'acid', 'What an acknowledged write means. memory: it is in memory. file-fast: it survives a crash of the process. file-durable and acid: it is on disk; acid also commits producer state, closure and expiry with it.', {
    flags: [{ flags: '--storage <MODE>', help: 'memory, file-fast, file-durable or acid' }],
  }),
  'storage.data_dir': derived(path, '<depot>/data/streams', values => join(String(values.get('depot')), 'data', 'streams'), 'Directory of the streams. acid mode writes below its `acid/`.'),
  'storage.acid_shard_count': option(shardCount(256), 'auto', 'SQLite files in acid mode. Fixed when the store is created; another number later is refused. auto keeps the number of an existing store.'),
  'storage.acid_backend': option(oneOf(['file']), 'file', 'Accepted for configurations of other servers. For streams in memory use storage.mode.'),

  'limits.max_memory_bytes': option(bytes(1024, bytesMax), 104_857_600, 'Memory that all streams together may hold in memory mode, and that writes waiting for storage may hold in every mode. Beyond it writes are refused.', {
    envAliases: ['MAX_MEMORY_BYTES'],
  }),
  'limits.max_stream_bytes': derived(bytes(0, bytesMax), '10485760 in memory mode, else 0', values => (values.get('storage.mode') === 'memory' ? 10_485_760 : 0), 'Most bytes of one stream. 0 = unlimited.', {
    envAliases: ['MAX_STREAM_BYTES'],
  }),
  'limits.max_request_body_bytes': option(bytes(1, 512 * 1024 ** 2), 10_485_760, 'Largest body of a request; a larger one is answered with 413.'),
  'limits.max_stream_name_bytes': option(integer(1, 4096), 1024, 'Longest stream name, decoded.'),
  'limits.max_stream_name_segments': option(integer(1, 64), 8, 'Most segments of a stream name.'),
  'limits.max_storage_jobs': option(integer(1, 1_048_576), 65_536, 'Writes that may wait for storage; more are answered with 503 and Retry-After.'),
  'limits.max_connections': option(integer(1, 1_048_576), 65_536, 'Requests in flight, live readers included; more are answered with 503 and Retry-After.'),
  'limits.max_live_readers': option(integer(1, 1_048_576), 32_768, 'Live readers (long-poll and SSE); more are answered with 503 and Retry-After.'),
  'limits.slow_reader_secs': option(seconds(1, daySecs), 30, 'How long a live reader may take nothing of what waits for it. Then its connection is closed; it comes back with its last offset.'),
  'limits.page_bytes': option(bytes(1024, 64 * 1024 ** 2), 1_048_576, 'A catch-up read ends after the record that reaches this size; the reader asks again from there.'),

  'http.cors_origins': option(listOf(origin), ['*'], 'Origins whose pages may call the server; * allows all.', {
    envAliases: ['CORS_ORIGINS'],
    flags: [{ flags: '--cors-allowed-origins <ORIGIN>', help: 'origins whose pages may call the server; may be repeated', repeated: true }],
  }),
  'http.allow_wildcard_cors': option(boolean, true, 'false makes the start fail while http.cors_origins is *.'),
  'http.stream_base_path': option(basePath, '/v1/stream', 'Path below which streams live.'),
  'http.allow_insecure_webhooks': option(boolean, false, 'Allow webhooks over http:// to this machine, for development.'),
  'http.allow_open_streams': option(boolean, false, 'Allow listening beyond loopback with no stream_apis entry, that is, with streams open to everybody.'),
  'http.metrics_token': unset(text('a token of 16 to 256 visible ASCII characters', value => /^[\x21-\x7e]{16,256}$/.test(value)), 'Bearer token that /metrics asks for.', {
    secret: true,
  }),
  'http.metrics_public': option(boolean, false, 'Serve /metrics to everybody. Otherwise it takes http.metrics_token, or a caller on this machine when there is none.'),

  'transport.mode': derived(oneOf(['http', 'tls', 'mtls']), 'mtls with tls.client_ca_path, tls with tls.cert_path, else http', transportMode, 'How connections are secured. Only needed to be sure of it: a mode that does not fit the tls section is refused.'),
  'transport.http.versions': derived(listOf(oneOf(['http1', 'http2']), { least: 1 }), 'http1, http2 with TLS, else http1', httpVersions, 'Versions of HTTP. http1 is always served; http2 needs TLS.'),
  'transport.connection.long_poll_timeout_secs': option(seconds(0, 3600), 30, 'How long a long-poll waits for data.', {
    envAliases: ['DS_SERVER__LONG_POLL_TIMEOUT_SECS', 'LONG_POLL_TIMEOUT_SECS'],
  }),
  'transport.connection.sse_reconnect_interval_secs': option(seconds(0, daySecs), 60, 'After this time an SSE response ends and the reader comes back. 0 = never.', {
    envAliases: ['DS_SERVER__SSE_RECONNECT_INTERVAL_SECS', 'SSE_IDLE_CLOSE_SECS'],
  }),
  'transport.connection.sse_keep_alive_secs': option(seconds(1, 50), 15, 'After this time without an event an SSE response gets a comment, so that nobody on the way takes it for dead. Connections are idle after 60 s.'),

  'tls.cert_path': unset(path, 'Certificate chain (PEM). With tls.key_path the server speaks HTTPS; one of the two alone is refused.', {
    pathAliases: ['transport.tls.cert_path'],
    flags: [{ flags: '--tls-cert <FILE>', help: 'certificate chain (PEM)' }],
    reloadable: true,
  }),
  'tls.key_path': unset(path, 'Private key of the certificate (PEM).', {
    pathAliases: ['transport.tls.key_path'],
    flags: [{ flags: '--tls-key <FILE>', help: 'private key (PEM)' }],
    reloadable: true,
  }),
  'tls.client_ca_path': unset(path, 'Certificate authority (PEM) that every client certificate must come from (mTLS).', {
    pathAliases: ['transport.tls.client_ca_path'],
    reloadable: true,
  }),
  'tls.min_version': option(tlsVersion, '1.2', 'Oldest TLS version.', { pathAliases: ['transport.tls.min_version'] }),
  'tls.max_version': option(oneOf(['1.3']), '1.3', 'Accepted for configurations of other servers.', {
    pathAliases: ['transport.tls.max_version'],
  }),

  'proxy.trusted_proxies': option(listOf(network), [], 'Networks of proxies whose X-Request-Id is believed. X-Forwarded-* is never read: the public address is server.url.'),
  'proxy.enabled': derived(boolean, 'true with proxy.trusted_proxies', values => trusts(values), 'Accepted for configurations of other servers. It must agree with proxy.trusted_proxies.'),
  'proxy.forwarded_headers': option(oneOf(['none']), 'none', 'Accepted for configurations of other servers.'),

  'log.filter': option(logFilter, 'info', 'What is logged: a level, and target=level pairs. RUST_LOG wins over every other name.', {
    pathAliases: ['log.rust_log', 'observability.rust_log'],
    envAliases: [{ name: 'RUST_LOG', first: true }],
    flags: [{ flags: '--log <FILTER>', help: 'what is logged, for instance info,streams=debug' }],
  }),
  'log.format': option(oneOf(['auto', 'pretty', 'json']), 'auto', 'auto is pretty on a terminal and JSON lines otherwise.'),

  'shutdown.drain_secs': option(seconds(0, 3600), 25, 'How long a stop waits for requests in flight.'),

  'auth.issuers': option(issuers, [], 'Who may make tokens that this server accepts. None: tokens are not looked at.'),
  stream_apis: option(streamApis, [], 'Who may do what with which streams; the first entry whose pattern fits decides. None: streams are open.'),
  ...accountOptions,
  ...recordOptions,
}

/** Paths that other servers of the protocol have, and what to do here instead. */
export const foreignPaths: Readonly<Record<string, string>> = {
  'transport.tls.alpn_protocols': 'it follows from transport.http.versions',
  'admin.enabled': 'the admin surface is the local control socket, always there; remove it',
  'admin.base_path': 'the admin surface is the local control socket; remove it',
  'proxy.identity.mode': 'callers are known by tokens (auth.issuers); remove it',
  'proxy.identity.header_name': 'callers are known by tokens (auth.issuers); remove it',
  'proxy.identity.require_tls': 'callers are known by tokens (auth.issuers); remove it',
}

/** The configuration as the rest of the product sees it: `config.storage.dataDir`. */
export type Config = Nested<typeof options>

export type OptionPath = keyof typeof options

/** The table for code that goes through all of it. */
export const optionTable: ReadonlyMap<OptionPath, Option<unknown>> = new Map(
  Object.entries<Option<unknown>>(options).map(([path, option]) => [path as OptionPath, option]),
)

function otherUrl(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function transportMode(values: Values): 'http' | 'tls' | 'mtls' {
  if ((values.get('tls.cert_path') ?? null) === null) return 'http'
  return (values.get('tls.client_ca_path') ?? null) === null ? 'tls' : 'mtls'
}

function httpVersions(values: Values): readonly ('http1' | 'http2')[] {
  return transportMode(values) === 'http' ? ['http1'] : ['http1', 'http2']
}

function trusts(values: Values): boolean {
  const proxies = values.get('proxy.trusted_proxies')
  return Array.isArray(proxies) && proxies.length > 0
}

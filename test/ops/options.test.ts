/** Every name of the founding server, older and newer, sets what it says: by environment, by file and by flag. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { envNames, isFileOnly } from '../../src/ops/config-option.ts'
import { loadConfig } from '../../src/ops/config.ts'
import { flagSpecs } from '../../src/ops/config-flags.ts'
import { optionTable, type OptionPath } from '../../src/ops/options.ts'
import { createWorkspace, type Workspace } from './config-inputs.ts'

let workspace: Workspace
beforeAll(() => void (workspace = createWorkspace()))
afterAll(() => workspace.remove())

type Names = readonly (readonly [name: string, text: string, path: OptionPath, value: unknown])[]

describe('environment', () => {
  const names: Names = [
    // The founding production page
    ['DS_STORAGE__MODE', 'file-durable', 'storage.mode', 'file-durable'],
    ['DS_STORAGE__MODE', 'redb', 'storage.mode', 'acid'],
    ['DS_STORAGE__DATA_DIR', '/var/lib/streams', 'storage.data_dir', '/var/lib/streams'],
    ['DS_STORAGE__ACID_SHARD_COUNT', '16', 'storage.acid_shard_count', 16],
    ['DS_STORAGE__ACID_SHARD_COUNT', 'auto', 'storage.acid_shard_count', 'auto'],
    ['DS_LIMITS__MAX_MEMORY_BYTES', '209715200', 'limits.max_memory_bytes', 209_715_200],
    ['DS_LIMITS__MAX_STREAM_BYTES', '20971520', 'limits.max_stream_bytes', 20_971_520],
    ['DS_HTTP__CORS_ORIGINS', 'https://app.example.com, https://b.example.com', 'http.cors_origins', ['https://app.example.com', 'https://b.example.com']],
    ['DS_HTTP__CORS_ORIGINS', '*', 'http.cors_origins', ['*']],
    ['RUST_LOG', 'debug', 'log.filter', 'debug'],
    // Older names
    ['PORT', '8080', 'server.bind_address', { host: '127.0.0.1', port: 8080 }],
    ['DS_SERVER__PORT', '8080', 'server.bind_address', { host: '127.0.0.1', port: 8080 }],
    ['MAX_MEMORY_BYTES', '1048576', 'limits.max_memory_bytes', 1_048_576],
    ['MAX_STREAM_BYTES', '0', 'limits.max_stream_bytes', 0],
    ['CORS_ORIGINS', 'http://localhost:3000', 'http.cors_origins', ['http://localhost:3000']],
    ['DS_SERVER__LONG_POLL_TIMEOUT_SECS', '5', 'transport.connection.long_poll_timeout_secs', 5],
    ['LONG_POLL_TIMEOUT_SECS', '5', 'transport.connection.long_poll_timeout_secs', 5],
    ['DS_SERVER__SSE_RECONNECT_INTERVAL_SECS', '0', 'transport.connection.sse_reconnect_interval_secs', 0],
    ['SSE_IDLE_CLOSE_SECS', '90', 'transport.connection.sse_reconnect_interval_secs', 90],
    ['DS_LOG__RUST_LOG', 'info,headwater::streams=debug', 'log.filter', 'info,headwater::streams=debug'],
    ['DEPOT', '/srv/depot', 'depot', '/srv/depot'],
    // Newer names
    ['DS_SERVER__BIND_ADDRESS', '0.0.0.0:8080', 'server.bind_address', { host: '0.0.0.0', port: 8080 }],
    ['DS_SERVER__BIND_ADDRESS', '[::1]:0', 'server.bind_address', { host: '::1', port: 0 }],
    ['DS_SERVER__BIND_ADDRESS', '0.0.0.0', 'server.bind_address', { host: '0.0.0.0', port: 4437 }],
    ['DS_LIMITS__MAX_REQUEST_BODY_BYTES', '1MiB', 'limits.max_request_body_bytes', 1_048_576],
    ['DS_LIMITS__MAX_STREAM_NAME_BYTES', '512', 'limits.max_stream_name_bytes', 512],
    ['DS_LIMITS__MAX_STREAM_NAME_SEGMENTS', '4', 'limits.max_stream_name_segments', 4],
    ['DS_LIMITS__MAX_STORAGE_JOBS', '64', 'limits.max_storage_jobs', 64],
    ['DS_HTTP__ALLOW_WILDCARD_CORS', 'true', 'http.allow_wildcard_cors', true],
    ['DS_HTTP__STREAM_BASE_PATH', '/streams', 'http.stream_base_path', '/streams'],
    ['DS_HTTP__ALLOW_INSECURE_WEBHOOKS', '1', 'http.allow_insecure_webhooks', true],
    ['DS_STORAGE__ACID_BACKEND', 'file', 'storage.acid_backend', 'file'],
    ['DS_TRANSPORT__MODE', 'http', 'transport.mode', 'http'],
    ['DS_TRANSPORT__HTTP__VERSIONS', 'http1', 'transport.http.versions', ['http1']],
    ['DS_TRANSPORT__TLS__MIN_VERSION', '1.3', 'tls.min_version', '1.3'],
    ['DS_TRANSPORT__TLS__MAX_VERSION', '1.3', 'tls.max_version', '1.3'],
    ['DS_TRANSPORT__CONNECTION__LONG_POLL_TIMEOUT_SECS', '0.5', 'transport.connection.long_poll_timeout_secs', 0.5],
    ['DS_TRANSPORT__CONNECTION__SSE_RECONNECT_INTERVAL_SECS', '60', 'transport.connection.sse_reconnect_interval_secs', 60],
    ['DS_PROXY__TRUSTED_PROXIES', '10.0.0.0/8,::1', 'proxy.trusted_proxies', ['10.0.0.0/8', '::1']],
    ['DS_OBSERVABILITY__RUST_LOG', 'warn', 'log.filter', 'warn'],
    // Ours
    ['DS_LOG__FILTER', 'trace', 'log.filter', 'trace'],
    ['DS_LOG__FORMAT', 'json', 'log.format', 'json'],
    ['DS_SHUTDOWN__DRAIN_SECS', '5', 'shutdown.drain_secs', 5],
    ['DS_SERVER__URL', 'https://streams.example.org/', 'server.url', 'https://streams.example.org'],
    ['DS_HTTP__METRICS_TOKEN', '0123456789abcdef', 'http.metrics_token', '0123456789abcdef'],
    ['DS_DEPOT', '/srv/depot', 'depot', '/srv/depot'],
    ['DS_RECORDS__QUERY_TIMEOUT_MS', '500', 'records.query_timeout_ms', 500],
    ['DS_RECORDS__CHANGES_RETENTION_BYTES', '16MiB', 'records.changes_retention_bytes', 16 * 1024 ** 2],
    // TrailBase's
    ['DATA_DIR', '/srv/depot', 'depot', '/srv/depot'],
    ['ADDRESS', 'localhost:4000', 'server.bind_address', { host: 'localhost', port: 4000 }],
    ['PUBLIC_URL', 'https://app.example.org', 'server.url', 'https://app.example.org'],
    ['TRAIL_SERVER_SITE_URL', 'https://app.example.org', 'server.site_url', 'https://app.example.org'],
    ['TRAIL_SERVER_ENABLE_RECORD_TRANSACTIONS', 'true', 'server.enable_record_transactions', true],
    ['TRAIL_AUTH_AUTH_TOKEN_TTL_SEC', '60', 'auth.auth_token_ttl_sec', 60],
  ]
  test.each(names)('%s=%s', (name, text, path, value) => {
    const loaded = loadConfig(workspace.inputs({ [name]: text }))
    expect(loaded.values.get(path)).toEqual(value)
    expect(loaded.origins.get(path)).toBe(`env ${name}`)
    expect(loaded.warnings).toEqual([])
  })

  test.each(['DS_TLS__', 'DS_TRANSPORT__TLS__'])('%sCERT_PATH and KEY_PATH make TLS', prefix => {
    const { config } = loadConfig(workspace.inputs({ [`${prefix}CERT_PATH`]: 'tls.crt', [`${prefix}KEY_PATH`]: '/etc/tls.key' }))
    expect(config.tls).toMatchObject({ certPath: `${workspace.path}/tls.crt`, keyPath: '/etc/tls.key', minVersion: '1.2' })
    expect(config.transport).toMatchObject({ mode: 'tls', http: { versions: ['http1', 'http2'] } })
    const mutual = loadConfig(workspace.inputs({ [`${prefix}CERT_PATH`]: 'c', [`${prefix}KEY_PATH`]: 'k', [`${prefix}CLIENT_CA_PATH`]: 'ca' }))
    expect(mutual.config.transport.mode).toBe('mtls')
  })

  test('no two options share a name', () => {
    const names = [...optionTable].flatMap(([path, option]) => envNames(path, option).map(alias => alias.name))
    expect(names.length).toBe(new Set(names).size)
  })

  test('every scalar has its name', () => {
    const fileOnly = ['auth.issuers', 'auth.oauth_providers', 'databases', 'jobs.system_jobs', 'record_apis', 'schemas', 'stream_apis']
    for (const [path, option] of optionTable) {
      const name = `DS_${path.toUpperCase().replaceAll('.', '__')}`
      expect([path, envNames(path, option).some(alias => alias.name === name)]).toEqual([path, true])
      expect([path, isFileOnly(option)]).toEqual([path, fileOnly.includes(path)])
    }
  })
})

test('paths of other servers in the file', () => {
  workspace.write(
    'aliases.textproto',
    `transport { tls { cert_path: "c.pem" key_path: "k.pem" client_ca_path: "ca.pem" min_version: "1.3" } }
     observability { rust_log: "warn" }`,
  )
  const { config } = loadConfig(workspace.inputs({}, { config: 'aliases.textproto' }))
  const path = (name: string) => `${workspace.path}/${name}`
  expect(config.tls).toMatchObject({ certPath: path('c.pem'), keyPath: path('k.pem'), clientCaPath: path('ca.pem'), minVersion: '1.3' })
  expect(config.log.filter).toBe('warn')
})

describe('flags', () => {
  const names: Names = [
    ['depot', 'd', 'depot', 'd'],
    ['dataDir', 'd', 'depot', 'd'],
    ['address', ':0', 'server.bind_address', { host: '127.0.0.1', port: 0 }],
    ['publicUrl', 'http://h:1/base/', 'server.url', 'http://h:1/base'],
    ['storage', 'memory', 'storage.mode', 'memory'],
    ['log', 'debug', 'log.filter', 'debug'],
    ['runtimeThreads', '1', 'server.runtime_threads', 1],
  ]
  test.each(names)('%s=%s', (attribute, text, path, value) => {
    const loaded = loadConfig(workspace.inputs({}, { [attribute]: text }))
    expect(loaded.values.get(path)).toEqual(path === 'depot' ? `${workspace.path}/${text}` : value)
    expect(loaded.origins.get(path)).toMatch(/^flag --/)
  })

  test('--set sets any option', () => {
    const { config, origins } = loadConfig(workspace.inputs({}, { set: ['limits.page_bytes=2MiB', 'http.cors_origins=https://a.example,https://b.example'] }))
    expect(config.limits.pageBytes).toBe(2 * 1024 * 1024)
    expect(config.http.corsOrigins).toEqual(['https://a.example', 'https://b.example'])
    expect(origins.get('limits.page_bytes')).toBe('flag --set')
  })

  test('flags without a value, and repeated ones', () => {
    const { config, origins } = loadConfig(workspace.inputs({}, { dev: true, corsAllowedOrigins: ['https://a.example', 'https://b.example'] }))
    expect(config.server.dev).toBe(true)
    expect(config.http.corsOrigins).toEqual(['https://a.example', 'https://b.example'])
    expect(origins.get('server.dev')).toBe('flag --dev')
  })

  test('attributes are what commander makes of the flags', async () => {
    const { Option } = await import('commander')
    for (const flag of flagSpecs) expect(new Option(flag.flags).attributeName()).toBe(flag.attribute)
  })
})

test('defaults', () => {
  const { config, origins, file } = loadConfig(workspace.inputs())
  expect(file).toBeNull()
  expect(new Set(origins.values())).toEqual(new Set(['default']))
  expect(config).toMatchObject({
    depot: `${workspace.path}/depot`,
    server: { bindAddress: { host: '127.0.0.1', port: 4437 }, url: null },
    storage: { mode: 'acid', dataDir: `${workspace.path}/depot/data/streams`, acidShardCount: 'auto' },
    limits: { maxMemoryBytes: 104_857_600, maxStreamBytes: 0, maxRequestBodyBytes: 10_485_760, maxStreamNameBytes: 1024, maxStreamNameSegments: 8 },
    http: { corsOrigins: ['*'], streamBasePath: '/v1/stream', allowOpenStreams: false, metricsToken: null },
    transport: { mode: 'http', http: { versions: ['http1'] }, connection: { longPollTimeoutSecs: 30, sseReconnectIntervalSecs: 60 } },
    tls: { certPath: null, keyPath: null, clientCaPath: null, minVersion: '1.2' },
    proxy: { trustedProxies: [], enabled: false, forwardedHeaders: 'none' },
    shutdown: { drainSecs: 25 },
    auth: { issuers: [] },
    streamApis: [],
  })
})

test('defaults that follow from other options', () => {
  const { config } = loadConfig(workspace.inputs({ DS_STORAGE__MODE: 'memory', DEPOT: '/d', DS_PROXY__TRUSTED_PROXIES: '127.0.0.1' }))
  expect(config.limits.maxStreamBytes).toBe(10_485_760)
  expect(config.storage.dataDir).toBe('/d/data/streams')
  expect(config.proxy).toEqual({ trustedProxies: ['127.0.0.1'], enabled: true, forwardedHeaders: 'none' })
})

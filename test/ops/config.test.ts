/** Loading: precedence, both grammars, discovery, secrets, and the words of every kind of mistake. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync } from 'node:fs'
import { OperatorError } from '../../src/lib/errors.ts'
import { loadConfig, readSurroundings } from '../../src/ops/config.ts'
import { createWorkspace, refusalOf, type Workspace } from './config-inputs.ts'

let workspace: Workspace
beforeEach(() => void (workspace = createWorkspace()))
afterEach(() => workspace.remove())

describe('precedence', () => {
  test('defaults < file < environment < flags', () => {
    workspace.write('depot/config.textproto', 'storage { mode: memory }\nlog { filter: "warn" format: json }\nshutdown { drain_secs: 1 }')
    const loaded = loadConfig(workspace.inputs({ DS_STORAGE__MODE: 'file-fast', RUST_LOG: 'debug' }, { storage: 'file-durable' }))
    expect(loaded.config.storage.mode).toBe('file-durable')
    expect(loaded.config.log).toEqual({ filter: 'debug', format: 'json' })
    expect(Object.fromEntries(loaded.origins)).toMatchObject({
      'storage.mode': 'flag --storage',
      'log.filter': 'env RUST_LOG',
      'log.format': `file ${workspace.path}/depot/config.textproto:2:22`,
      'http.cors_origins': 'default',
    })
  })

  test('a flag of its own wins over --set', () => {
    expect(loadConfig(workspace.inputs({}, { set: ['storage.mode=memory'], storage: 'acid' })).config.storage.mode).toBe('acid')
  })

  test('PORT changes the port of an address from the file, and fills up one without port', () => {
    workspace.write('depot/config.json', '{ "server": { "bind_address": "0.0.0.0:1" } }')
    expect(loadConfig(workspace.inputs({ PORT: '2' })).config.server.bindAddress).toEqual({ host: '0.0.0.0', port: 2 })
    const both = loadConfig(workspace.inputs({ PORT: '2', DS_SERVER__BIND_ADDRESS: '::' }))
    expect(both.config.server.bindAddress).toEqual({ host: '::', port: 2 })
    expect(both.warnings).toEqual([])
  })

  test('the stronger name wins, and the weaker one is named in a warning', () => {
    const loaded = loadConfig(workspace.inputs({ PORT: '2', DS_SERVER__BIND_ADDRESS: '0.0.0.0:3', RUST_LOG: 'debug', DS_LOG__FILTER: 'info' }))
    expect(loaded.config.server.bindAddress.port).toBe(3)
    expect(loaded.config.log.filter).toBe('debug')
    expect(loaded.warnings).toEqual([
      'PORT is not used, because DS_SERVER__BIND_ADDRESS is set too',
      'DS_LOG__FILTER is not used, because RUST_LOG is set too',
    ])
  })

  test('an empty variable counts as not set', () => {
    expect(loadConfig(workspace.inputs({ PORT: '', DS_STORAGE__MODE: ' ', DS_UNKNOWN__NAME: '' })).config.storage.mode).toBe('acid')
  })
})

const everything = {
  textproto: `
server { bind_address: "[::]:8443", url: "https://s.example.org" }
storage { mode: "file-fast" data_dir: "data" acid_shard_count: 4 }
limits { max_stream_bytes: 0x100000 max_memory_bytes: "64MiB" page_bytes: 65536 }
http { cors_origins: "https://a.example" cors_origins: ["https://b.example", "https://c.example"] allow_open_streams: true }
transport { connection { long_poll_timeout_secs: 2.5 } http { versions: [http1] } }
tls { cert_path: "c" key_path: "/k" min_version: "1.3" }
proxy { trusted_proxies: ["10.0.0.0/8"] }
log { format: json }
auth {
  issuers { name: "a" issuer: "https://a/" audiences: "x" jwks_path: "a.json" algorithms: [RS256, EdDSA] }
  issuers { name: "b" issuer: "https://b/" jwks_url: "https://b/jwks" clock_tolerance_secs: 30 }
}
stream_apis: [{
  name: "rooms" pattern: "rooms/{room}/**" acl_world: READ acl_authenticated: [CREATE, APPEND]
  claims { claim: "room" equals_segment: "room" actions: [CREATE, APPEND] }
  claims { claim: "realm.roles" one_of: ["a", "b"] }
}]`,
  json: `{
  "server": { "bind_address": "[::]:8443", "url": "https://s.example.org" },
  "storage": { "mode": "file-fast", "data_dir": "data", "acid_shard_count": 4 },
  "limits": { "max_stream_bytes": 1048576, "max_memory_bytes": "64MiB", "page_bytes": 65536 },
  "http": { "cors_origins": "https://a.example,https://b.example, https://c.example", "allow_open_streams": true },
  "transport": { "connection": { "long_poll_timeout_secs": 2.5 }, "http": { "versions": ["http1"] } },
  "tls": { "cert_path": "c", "key_path": "/k", "min_version": "1.3" },
  "proxy": { "trusted_proxies": ["10.0.0.0/8"] },
  "log": { "format": "json" },
  "auth": { "issuers": [
    { "name": "a", "issuer": "https://a/", "audiences": ["x"], "jwks_path": "a.json", "algorithms": ["RS256", "EdDSA"] },
    { "name": "b", "issuer": "https://b/", "jwks_url": "https://b/jwks", "clock_tolerance_secs": 30 },
  ] },
  "stream_apis": [{
    "name": "rooms", "pattern": "rooms/{room}/**", "acl_world": ["READ"], "acl_authenticated": ["CREATE", "APPEND"],
    "claims": [
      { "claim": "room", "equals_segment": "room", "actions": ["CREATE", "APPEND"] },
      { "claim": "realm.roles", "one_of": ["a", "b"] },
    ],
  }],
}`,
}

test('both grammars give the same configuration', () => {
  workspace.write('one/config.textproto', everything.textproto)
  workspace.write('two/config.json', everything.json)
  const one = loadConfig(workspace.inputs({}, { depot: 'one' })).config
  const two = loadConfig(workspace.inputs({}, { depot: 'two' })).config
  expect(JSON.parse(JSON.stringify(two).replaceAll(`${workspace.path}/two`, `${workspace.path}/one`))).toEqual(one)
  expect(one.auth.issuers[0]).toEqual({
    name: 'a',
    issuer: 'https://a/',
    audiences: ['x'],
    jwksPath: `${workspace.path}/one/a.json`,
    algorithms: ['RS256', 'EdDSA'],
    clockToleranceSecs: 5,
  })
  expect(one.streamApis[0]).toEqual({
    name: 'rooms',
    pattern: 'rooms/{room}/**',
    aclWorld: ['read'],
    aclAuthenticated: ['create', 'append'],
    claims: [
      { claim: 'room', equalsSegment: 'room', actions: ['create', 'append'] },
      { claim: 'realm.roles', oneOf: ['a', 'b'] },
    ],
  })
  expect(one.storage.dataDir).toBe(`${workspace.path}/one/data`)
})

test('the configuration is frozen to its leaves', () => {
  const { config } = loadConfig(workspace.inputs({}, { config: workspace.write('c.json', everything.json) }))
  expect(Object.isFrozen(config.transport.connection)).toBe(true)
  expect(() => Object.assign(config.server.bindAddress, { port: 1 })).toThrow(TypeError)
  expect(() => Object.assign(config.streamApis[0]?.claims[0] ?? {}, { claim: 'x' })).toThrow(TypeError)
})

describe('finding the file', () => {
  test('two files in the depot are refused', () => {
    workspace.write('depot/config.textproto', '')
    workspace.write('depot/config.json', '{}')
    expect(refusalOf(workspace, workspace.inputs())).toBe('there are two config files: depot/config.textproto and depot/config.json')
    workspace.write('other.textproto', 'log { filter: "warn" }')
    expect(loadConfig(workspace.inputs({}, { config: 'other.textproto' })).config.log.filter).toBe('warn')
  })

  test('a file that --config names must be there', () => {
    expect(refusalOf(workspace, workspace.inputs({}, { config: 'gone.json' }))).toBe('there is no config file gone.json')
  })

  test('a read-only directory is enough', () => {
    const path = workspace.write('depot/config.textproto', 'log { format: pretty }')
    chmodSync(path, 0o444)
    chmodSync(`${workspace.path}/depot`, 0o555)
    expect(loadConfig(workspace.inputs()).config.log.format).toBe('pretty')
    chmodSync(`${workspace.path}/depot`, 0o755)
  })

  test('a file beyond its limit is refused', () => {
    workspace.write('depot/config.textproto', '#'.repeat(1024 * 1024 + 1))
    expect(refusalOf(workspace, workspace.inputs())).toContain('larger than 1048576 bytes')
  })

  test('the depot’s own file cannot lead to another depot, a named file can', () => {
    workspace.write('depot/config.textproto', 'depot: "/elsewhere"')
    expect(refusalOf(workspace, workspace.inputs())).toContain('  depot: expected "depot", where this file was found, got "/elsewhere" (depot/config.textproto:1:8)')
    const named = loadConfig(workspace.inputs({}, { config: 'depot/config.textproto' }))
    expect([named.config.depot, named.config.storage.dataDir]).toEqual(['/elsewhere', '/elsewhere/data/streams'])
  })
})

describe('secrets', () => {
  const secret = 'sup3r-secret-token'

  test('come from a file', () => {
    workspace.write('token', `${secret}\n`)
    const loaded = loadConfig(workspace.inputs({ DS_HTTP__METRICS_TOKEN_FILE: 'token' }))
    expect(loaded.config.http.metricsToken).toBe(secret)
    expect(loaded.origins.get('http.metrics_token')).toBe('env DS_HTTP__METRICS_TOKEN_FILE')
  })

  const leaks: readonly (readonly [env: Record<string, string>, file: string])[] = [
    [{ DS_HTTP__METRICS_TOKEN: `${secret} with blanks` }, ''],
    [{}, `http { metrics_token: "${secret} with blanks" }`],
    [{}, 'http { metrics_token: sup3r_secret }'],
    [{}, `http { metrics_token: ["${secret}"] }`],
  ]
  test.each(leaks)('are not in the words of a refusal: %p %s', (env, file) => {
    workspace.write('depot/config.textproto', file)
    const message = refusalOf(workspace, workspace.inputs(env))
    expect(message).toContain('http.metrics_token: expected')
    expect(message).not.toContain('sup3r')
  })

  test('mistakes with the file', () => {
    expect(refusalOf(workspace, workspace.inputs({ DS_HTTP__METRICS_TOKEN_FILE: '/gone' }))).toContain('DS_HTTP__METRICS_TOKEN_FILE: expected a readable file, got "/gone"')
    const both = workspace.inputs({ DS_HTTP__METRICS_TOKEN_FILE: '/gone', DS_HTTP__METRICS_TOKEN: secret })
    expect(refusalOf(workspace, both)).toContain('expected one of DS_HTTP__METRICS_TOKEN and DS_HTTP__METRICS_TOKEN_FILE, got both')
    workspace.write('depot/config.textproto', 'http { metrics_token: "<REDACTED>" }')
    expect(refusalOf(workspace, workspace.inputs())).toContain('expected the secret itself, got the mask <REDACTED>')
  })
})

test('all problems are listed at once', () => {
  workspace.write('depot/config.textproto', 'storage { mode: acd }\nlimits { page_bytes: 1 }\nlogg {}')
  const message = refusalOf(workspace, workspace.inputs({ PORT: 'http' }, { log: 'loud=very' }))
  expect(message.split('\n')).toEqual([
    'the configuration has 5 problems:',
    '  logg: unknown option; did you mean "log"? (depot/config.textproto:3:1)',
    '  storage.mode: expected one of memory, file-fast, file-durable, acid, got "acd" (depot/config.textproto:1:17)',
    '  limits.page_bytes: expected bytes from 1024 to 67108864, as a whole number or with KiB, MiB or GiB, got 1 (depot/config.textproto:2:22)',
    '  server.bind_address: expected a port from 0 to 65535, got "http" (PORT)',
    '  log.filter: expected a level (off, error, warn, info, debug, trace) and target=level pairs, separated by commas, got "loud=very" (--log)',
  ])
})

describe('one mistake each in the file', () => {
  const issuer = 'name: "a" issuer: "https://a" jwks_url: "https://a/jwks"'
  const mistakes: readonly (readonly [file: string, problem: string])[] = [
    ['storage { modee: acid }', 'storage.modee: unknown option; did you mean "storage.mode"? (1:11)'],
    ['data_dir: "x"', 'data_dir: unknown option; did you mean "storage.data_dir"? (1:1)'],
    ['constructor: 1', 'constructor: unknown option (1:1)'],
    ['storage: "acid"', 'storage: expected a message, got "acid" (1:10)'],
    ['storage { mode: acid mode: memory }', 'storage.mode: set twice, first at line 1 (1:22)'],
    ['storage { acid_shard_count: 3 }', 'storage.acid_shard_count: expected auto, or a power of two from 1 to 256, got 3 (1:29)'],
    ['storage { acid_backend: "in-memory" }', 'storage.acid_backend: expected one of file, got "in-memory" (1:25)'],
    ['server { bind_address: localhost }', 'server.bind_address: expected HOST:PORT, HOST or :PORT, with a port from 0 to 65535, got localhost (1:24)'],
    ['server { bind_address: "h:70000" }', 'server.bind_address: expected HOST:PORT, HOST or :PORT, with a port from 0 to 65535, got "h:70000" (1:24)'],
    ['limits { max_storage_jobs: 1.5 }', 'limits.max_storage_jobs: expected a whole number from 1 to 1048576, got 1.5 (1:28)'],
    ['limits { max_stream_bytes: 18446744073709551615 }', 'limits.max_stream_bytes: expected bytes from 0 to 9007199254740991, as a whole number or with KiB, MiB or GiB, got 18446744073709551615 (1:28)'],
    ['http { allow_open_streams: yes }', 'http.allow_open_streams: expected true or false, got yes (1:28)'],
    ['http { allow_open_streams: "true" }', 'http.allow_open_streams: expected true or false, got "true" (1:28)'],
    ['http { cors_origins: ["https://a.example/path"] }', 'http.cors_origins[0]: expected * or an origin such as https://app.example.org, got "https://a.example/path" (1:23)'],
    ['http { cors_origins: ["*", "https://a.example"] }', 'http.cors_origins: expected * alone or origins, got both (1:22)'],
    ['http { allow_wildcard_cors: false }', 'http.cors_origins: expected origins, because http.allow_wildcard_cors is false, got * (not set)'],
    ['http { stream_base_path: "/metrics/x" }', 'http.stream_base_path: expected a path that does not begin with /metrics, which the server uses itself, got "/metrics/x" (1:26)'],
    ['http { stream_base_path: "v1/" }', 'http.stream_base_path: expected a path such as /v1/stream, of letters, digits, "-", "_", "." and "~", without "/" at its end, got "v1/" (1:26)'],
    ['tls { cert_path: "c" }', 'tls.key_path: expected the private key that belongs to tls.cert_path, got nothing (not set)'],
    ['tls { key_path: "c" }', 'tls.cert_path: expected the certificate that belongs to tls.key_path, got nothing (not set)'],
    ['tls { client_ca_path: "c" }', 'tls.client_ca_path: expected tls.cert_path and tls.key_path with it, got neither (1:23)'],
    ['tls { min_version: "1.1" }', 'tls.min_version: expected one of 1.2, 1.3, got "1.1" (1:20)'],
    ['tls { cert_path: "c" } transport { tls { cert_path: "d" } }', 'tls.cert_path: set twice, first at line 1 (1:42)'],
    ['transport { mode: tls }', 'transport.mode: expected http, which the tls section asks for, got tls (1:19)'],
    ['transport { http { versions: [http2] } }', 'transport.http.versions: expected http1 alone without TLS, got http2 (1:30)'],
    ['transport { tls { alpn_protocols: ["h2"] } }', 'transport.tls.alpn_protocols: not an option here: it follows from transport.http.versions (1:19)'],
    ['proxy { trusted_proxies: ["10.0.0.0/33"] }', 'proxy.trusted_proxies[0]: expected an IP address or network such as 10.0.0.0/8, got "10.0.0.0/33" (1:27)'],
    ['proxy { enabled: true }', 'proxy.enabled: expected false, as proxy.trusted_proxies says, got true (1:18)'],
    ['record_apis: [{ name: "posts" }]', 'record_apis[0].table_name: expected the name of a table or view, got nothing (1:15)'],
    ['auth { issuers { name: "a" issuer: "i" } }', 'auth.issuers[0]: expected one of jwks_url and jwks_path, got neither (1:16)'],
    ['auth { issuers { name: "a" jwks_path: "i" } }', 'auth.issuers[0].issuer: expected a string that is not empty, got nothing (1:16)'],
    ['auth { issuers { name: "a" issuer: "i" jwks_url: "http://idp/keys" } }', 'auth.issuers[0].jwks_url: expected an https:// URL (http:// only to localhost), got "http://idp/keys" (1:50)'],
    ['auth { issuers { name: "a" issuer: "i" audience: "x" jwks_path: "k" } }', 'auth.issuers[0].audience: unknown field; did you mean "audiences"? (1:40)'],
    [`auth { issuers { ${issuer} algorithms: [none] } }`, 'auth.issuers[0].algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, got "none" (1:88)'],
    [`auth { issuers { ${issuer} algorithms: [HS256] } }`, 'auth.issuers[0].algorithms: expected HS* only with jwks_path, because its keys are secret (1:87)'],
    [`auth { issuers: [{ ${issuer} },\n { ${issuer} }] }`, 'auth.issuers[1].name: expected a name of its own, got "a" again (2:10)'],
    ['stream_apis { name: "a" pattern: "a//b" }', 'stream_apis[0].pattern: expected a pattern, got "a//b": a pattern has no empty segment (1:34)'],
    ['stream_apis { name: "a" pattern: "a" acl_world: [WRITE] }', 'stream_apis[0].acl_world[0]: expected one of CREATE, READ, APPEND, CLOSE, DELETE, SUBSCRIBE, got "WRITE" (1:50)'],
    ['stream_apis { name: "a" pattern: "a" claims { claim: "sub" } }', 'stream_apis[0].claims[0]: expected one of equals, equals_segment and one_of, got none (1:45)'],
    ['stream_apis { name: "a" pattern: "a/{b}" claims { claim: "sub" equals_segment: "c" } }', 'stream_apis[0].claims[0].equals_segment: expected a name that the pattern "a/{b}" captures, got "c" (1:80)'],
    ['stream_apis: ["a"]', 'stream_apis[0]: expected a message with name, pattern, acl_world, acl_authenticated, claims, got "a" (1:15)'],
    ['log { format json }', 'syntax: expected ":" after "format" (1:14)'],
  ]
  test.each(mistakes)('%s', (file, problem) => {
    workspace.write('depot/config.textproto', file)
    const expected = problem.replace(/ \((\d+:\d+)\)$/, ' (depot/config.textproto:$1)')
    expect(refusalOf(workspace, workspace.inputs())).toBe(`the configuration has a problem:\n  ${expected}`)
  })
})

describe('one mistake each in the environment and the flags', () => {
  const mistakes: readonly (readonly [env: Record<string, string>, flags: Record<string, unknown>, problem: string])[] = [
    [{ DS_STORAGE__MOD: 'acid' }, {}, 'DS_STORAGE__MOD: unknown option; did you mean "DS_STORAGE__MODE"? (DS_STORAGE__MOD)'],
    [{ DS_STORAGE_MODE: 'acid' }, {}, 'DS_STORAGE_MODE: unknown option; did you mean "DS_STORAGE__MODE"? (DS_STORAGE_MODE)'],
    [{ DS_NOTHING__LIKE_THIS: '1' }, {}, 'DS_NOTHING__LIKE_THIS: unknown option (DS_NOTHING__LIKE_THIS)'],
    [{ DS_AUTH__ISSUERS: '[]' }, {}, 'DS_AUTH__ISSUERS: auth.issuers can only be set in a config file (DS_AUTH__ISSUERS)'],
    [{ DS_ADMIN__ENABLED: 'true' }, {}, 'DS_ADMIN__ENABLED: not an option here: the admin surface is the local control socket, always there; remove it (DS_ADMIN__ENABLED)'],
    [{ DS_STORAGE__ACID_SHARD_COUNT: '512' }, {}, 'storage.acid_shard_count: expected auto, or a power of two from 1 to 256, got "512" (DS_STORAGE__ACID_SHARD_COUNT)'],
    [{ MAX_STREAM_BYTES: '10 MB' }, {}, 'limits.max_stream_bytes: expected bytes from 0 to 9007199254740991, as a whole number or with KiB, MiB or GiB, got "10 MB" (MAX_STREAM_BYTES)'],
    [{ DS_HTTP__ALLOW_OPEN_STREAMS: 'constructor' }, {}, 'http.allow_open_streams: expected true or false, got "constructor" (DS_HTTP__ALLOW_OPEN_STREAMS)'],
    [{ DS_TLS__CERT_PATH: '/c' }, {}, 'tls.key_path: expected the private key that belongs to tls.cert_path, got nothing (not set)'],
    [{ PORT: '99999' }, {}, 'server.bind_address: expected a port from 0 to 65535, got "99999" (PORT)'],
    [{}, { address: '4437' }, 'server.bind_address: expected HOST:PORT, HOST or :PORT, with a port from 0 to 65535, got "4437" (--address)'],
    [{}, { set: ['storage.mod=acid'] }, 'storage.mod: unknown option; did you mean "storage.mode"? (--set)'],
    [{}, { set: ['storage.mode'] }, 'storage.mode: expected --set storage.mode=VALUE, got no "=" (--set)'],
    [{}, { set: ['stream_apis=x'] }, 'stream_apis: can only be set in a config file (--set)'],
  ]
  test.each(mistakes)('%p %p', (env, flags, problem) => {
    expect(refusalOf(workspace, workspace.inputs(env, flags))).toMatch(problem)
    expect(refusalOf(workspace, workspace.inputs(env, flags))).toStartWith('the configuration has a problem:\n  ')
  })

  test('what Kubernetes sets for a service named ds-server is not ours', () => {
    const { warnings } = loadConfig(
      workspace.inputs({
        DS_SERVER_PORT: 'tcp://10.0.0.1:4437',
        DS_SERVER_SERVICE_HOST: '10.0.0.1',
        DS_SERVER_SERVICE_PORT_HTTP: '80',
        DS_SERVER_PORT_4437_TCP_ADDR: '10.0.0.1',
        DS_S3_ACCESS_KEY_ID: 'of another program',
      }),
    )
    expect(warnings).toEqual(['DS_S3_ACCESS_KEY_ID: unknown option'])
  })
})

test('acl_authenticated without an issuer is doubted', () => {
  workspace.write('depot/config.textproto', 'stream_apis { name: "a" pattern: "**" acl_authenticated: [READ] }')
  expect(loadConfig(workspace.inputs()).warnings).toEqual([
    'stream_apis: acl_authenticated lets nobody in, because there is no auth.issuers entry',
  ])
})

test('the remedy says how to try again', () => {
  try {
    loadConfig(workspace.inputs({ PORT: 'x' }))
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError)
    expect(error instanceof OperatorError && error.remedy).toContain('headwater config check')
  }
})

test('surroundings', () => {
  expect(readSurroundings({})).toEqual({ noColor: false, notifySocket: null, watchdogUsec: null, journalStream: null })
  const env = { NO_COLOR: '1', NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '30000000', JOURNAL_STREAM: '8:1' }
  expect(readSurroundings(env)).toEqual({ noColor: true, notifySocket: '@n', watchdogUsec: 30_000_000, journalStream: '8:1' })
  expect(readSurroundings({ ...env, WATCHDOG_PID: '1' }).watchdogUsec).toBeNull()
})

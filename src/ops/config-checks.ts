/** What options ask of each other. One value alone is checked by its kind. */
import { compilePattern } from '../lib/pattern.ts'
import type { ClaimConfig, IssuerConfig, StreamApiConfig } from './config-messages.ts'
import { conflict, uniqueNames, type Conflict } from './config-conflict.ts'
import { accountConflicts } from './config-checks-accounts.ts'
import { recordConflicts } from './config-checks-records.ts'
import { optionTable, type Config, type OptionPath } from './options.ts'

/** Everything in `config` that cannot be together; `isSet` tells whether an option was set by somebody. */
export function conflicts(config: Config, isSet: (path: OptionPath) => boolean): readonly Conflict[] {
  return [
    ...tlsConflicts(config, isSet),
    ...httpConflicts(config),
    ...proxyConflicts(config),
    ...uniqueNames('auth.issuers', config.auth.issuers.map(issuer => issuer.name)),
    ...config.auth.issuers.flatMap(issuerConflicts),
    ...uniqueNames('stream_apis', config.streamApis.map(api => api.name)),
    ...config.streamApis.flatMap(streamApiConflicts),
    ...accountConflicts(config),
    ...recordConflicts(config),
  ]
}

/** Sentences about settings that work but are hardly meant. */
export function doubts(config: Config): readonly string[] {
  const tokens = config.streamApis.some(api => api.aclAuthenticated.length > 0)
  if (!tokens || config.auth.issuers.length > 0) return []
  return ['stream_apis: acl_authenticated lets nobody in, because there is no auth.issuers entry']
}

/** A sentence for each section with values that are kept, but that nothing in this version looks at. */
export function unusedWarnings(values: ReadonlyMap<OptionPath, unknown>): readonly string[] {
  const unused = [...optionTable].filter(([path, option]) => option.isUnused && !Bun.deepEquals(values.get(path), option.initial))
  const sections = Map.groupBy(unused.map(([path]) => path), path => path.slice(0, path.indexOf('.')))
  return [...sections.values()].map(names => `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not used by this version`)
}

function tlsConflicts(config: Config, isSet: (path: OptionPath) => boolean): readonly Conflict[] {
  const { certPath, keyPath, clientCaPath } = config.tls
  const found: Conflict[] = []
  if (certPath !== null && keyPath === null) {
    found.push(conflict('tls.key_path', 'expected the private key that belongs to tls.cert_path, got nothing'))
  }
  if (keyPath !== null && certPath === null) {
    found.push(conflict('tls.cert_path', 'expected the certificate that belongs to tls.key_path, got nothing'))
  }
  if (clientCaPath !== null && certPath === null && keyPath === null) {
    found.push(conflict('tls.client_ca_path', 'expected tls.cert_path and tls.key_path with it, got neither'))
  }
  if (found.length > 0) return found
  const fitting = certPath === null ? 'http' : clientCaPath === null ? 'tls' : 'mtls'
  if (isSet('transport.mode') && config.transport.mode !== fitting) {
    found.push(conflict('transport.mode', `expected ${fitting}, which the tls section asks for, got ${config.transport.mode}`))
  }
  if (fitting === 'http' && config.transport.http.versions.includes('http2')) {
    found.push(conflict('transport.http.versions', 'expected http1 alone without TLS, got http2'))
  }
  return found
}

function httpConflicts(config: Config): readonly Conflict[] {
  const { corsOrigins, allowWildcardCors, streamBasePath } = config.http
  const found: Conflict[] = []
  const wildcard = corsOrigins.includes('*')
  if (wildcard && corsOrigins.length > 1) found.push(conflict('http.cors_origins', 'expected * alone or origins, got both'))
  if (wildcard && !allowWildcardCors) {
    found.push(conflict('http.cors_origins', 'expected origins, because http.allow_wildcard_cors is false, got *'))
  }
  const first = streamBasePath.split('/')[1] ?? ''
  if (reservedSegments.has(first)) {
    found.push(conflict('http.stream_base_path', `expected a path that does not begin with /${first}, which the server uses itself, got "${streamBasePath}"`))
  }
  return found
}

const reservedSegments: ReadonlySet<string> = new Set(['healthz', 'livez', 'readyz', 'metrics', 'api', 'control', '.well-known'])

function proxyConflicts(config: Config): readonly Conflict[] {
  const { enabled, trustedProxies } = config.proxy
  if (enabled === trustedProxies.length > 0) return []
  return [conflict('proxy.enabled', `expected ${!enabled}, as proxy.trusted_proxies says, got ${enabled}`)]
}

function issuerConflicts(issuer: IssuerConfig, index: number): readonly Conflict[] {
  const both = issuer.jwksUrl !== undefined && issuer.jwksPath !== undefined
  const found: Conflict[] = []
  if (both || (issuer.jwksUrl === undefined && issuer.jwksPath === undefined)) {
    found.push(conflict('auth.issuers', `expected one of jwks_url and jwks_path, got ${both ? 'both' : 'neither'}`, `[${index}]`))
  }
  if (issuer.jwksUrl !== undefined && issuer.algorithms.some(algorithm => algorithm.startsWith('HS'))) {
    found.push(conflict('auth.issuers', 'expected HS* only with jwks_path, because its keys are secret', `[${index}].algorithms`))
  }
  return found
}

function streamApiConflicts(api: StreamApiConfig, index: number): readonly Conflict[] {
  const pattern = compilePattern(api.pattern)
  if (typeof pattern === 'string') {
    return [conflict('stream_apis', `expected a pattern, got ${JSON.stringify(api.pattern)}: ${pattern}`, `[${index}].pattern`)]
  }
  return api.claims.flatMap((claim, position) => claimConflicts(claim, api, `[${index}].claims[${position}]`))
}

function claimConflicts(claim: ClaimConfig, api: StreamApiConfig, below: string): readonly Conflict[] {
  const tests = [claim.equals, claim.equalsSegment, claim.oneOf].filter(test => test !== undefined).length
  if (tests !== 1) {
    return [conflict('stream_apis', `expected one of equals, equals_segment and one_of, got ${tests === 0 ? 'none' : tests}`, below)]
  }
  if (claim.equalsSegment === undefined || api.pattern.split('/').includes(`{${claim.equalsSegment}}`)) return []
  const wanted = `expected a name that the pattern ${JSON.stringify(api.pattern)} captures`
  return [conflict('stream_apis', `${wanted}, got "${claim.equalsSegment}"`, `${below}.equals_segment`)]
}

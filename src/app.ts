/** The composition root: configuration and seams in, a server out. The only file that knows every part; decides nothing itself. */
import { chmodSync, mkdirSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { dirname, join, relative } from 'node:path'
import { Elysia } from 'elysia'
import { controlRoutes } from './admin/routes.ts'
import type { TokenVerifier } from './auth/tokens.ts'
import { observed, routesByPrefix, type RequestMeter } from './http/access-log.ts'
import { createAuthenticator, type Authenticate } from './http/authenticate.ts'
import { createCors } from './http/cors.ts'
import { errorResponse } from './http/errors.ts'
import { securityHeaders, type HeaderPair } from './http/headers.ts'
import { healthRoutes } from './http/health-routes.ts'
import { listen, type Fetch, type HttpServer, type Listener } from './http/listener.ts'
import { checkMetricsAccess } from './http/metrics-access.ts'
import { metricsRoute } from './http/metrics-route.ts'
import { requestIds } from './http/request-id.ts'
import { trustedProxies } from './http/trusted-proxies.ts'
import { systemClock, type Clock } from './lib/clock.ts'
import { systemIds, type Ids } from './lib/ids.ts'
import type { Log } from './lib/log.ts'
import { Metrics } from './lib/metrics.ts'
import { localAdmin, type Principal } from './lib/principal.ts'
import { readSurroundings, type LoadedConfig } from './ops/config.ts'
import { Health } from './ops/health.ts'
import { Lifecycle } from './ops/lifecycle.ts'
import { createLog, lineWriter, logStyle } from './ops/log.ts'
import { keepMemorySmall } from './ops/memory.ts'
import { httpMetrics, processMetrics } from './ops/metrics.ts'
import { createNotify } from './ops/notify.ts'
import type { Config } from './ops/options.ts'
import { readTls, watchTls, type TlsFiles } from './ops/tls.ts'
import { sqliteVersion } from './storage/database.ts'
import { compileAccess, type StreamAccess } from './streams/access.ts'
import { assertOpenAllowed } from './streams/open-guard.ts'
import { streamHandler, type StreamHandler } from './streams/routes.ts'
import { StreamOperator } from './streams/stream-admin.ts'
import { segmentBytesFor } from './streams/store/log-segments.ts'
import { openStore } from './streams/store/open.ts'
import { subscriptionHost } from './streams/subscription-host.ts'
import { authenticatesItself, handleSubscriptionRequest } from './streams/subscriptions/routes.ts'
import { Subscriptions } from './streams/subscriptions/subscriptions.ts'
import { Streams, type StreamsSettings } from './streams/streams.ts'

/** What a server needs of the world around it. */
export interface Seams {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** Ends the process at once: storage failed and nothing may be acknowledged any more. */
  readonly fence: (message: string) => void
}

export type ControlFetch = (request: Request, server: HttpServer | null) => Response | Promise<Response>

export interface App {
  readonly streams: Streams
  readonly metrics: Metrics
  readonly health: Health
  /** The public surface. */
  readonly fetch: Fetch
  /** The same for the operator on this machine, with the control API; without a server when it is called in this process. */
  readonly controlFetch: ControlFetch
  stop(): Promise<void>
}

/** Opens the depot and puts the parts together. Throws OperatorError for what an operator must mend. */
export async function createApp(config: Config, seams: Seams): Promise<App> {
  const { clock, ids, log } = seams
  const metrics = new Metrics()
  const health = new Health()
  const access = compileAccess(config.streamApis)
  const store = await openStore(
    {
      mode: config.storage.mode,
      dataDirectory: config.storage.dataDir,
      logSegmentBytes: segmentBytesFor(config.limits.maxRequestBodyBytes),
      acidShards: config.storage.acidShardCount === 'auto' ? null : config.storage.acidShardCount,
    },
    { clock, log, fence: seams.fence },
  )
  const streams = new Streams({ store, access, settings: streamsSettings(config), clock, ids, log, metrics })
  const operator = new StreamOperator(streams, clock, ids)
  const root = config.http.streamBasePath
  const subscriptions = newSubscriptions(config, streams, access, { clock, ids, log, metrics })
  const verifier = await tokenVerifier(config, { clock, log, metrics })
  await verifier?.start()
  await operator.discardStaged()
  await subscriptions.start()
  streams.onEvents = events => subscriptions.onEvents(events)
  streams.start()
  health.check('streams', () => (streams.healthy ? null : 'the expiry loop does not run'))

  const handler = streamHandler({
    streams,
    rules: {
      root: `${root}/`,
      names: { nameBytesMax: config.limits.maxStreamNameBytes, nameSegmentsMax: config.limits.maxStreamNameSegments },
    },
    bodyBytesMax: config.limits.maxRequestBodyBytes,
    publicUrl: config.server.url,
    control: (request, segments, principal) =>
      handleSubscriptionRequest(subscriptions, request, segments, { principal, origin: config.server.url ?? new URL(request.url).origin }),
    authenticatesItself,
  })
  const process = processMetrics(metrics, clock, sqliteVersion())
  const meter = httpMetrics(metrics)
  const stopKeeper = keepMemorySmall({ clock, requests: () => meter.begun, dropUnused: () => streams.pages.dropUnused(), collect: () => Bun.gc(true) })
  const surfaces = { config, seams, handler, health, meter, render: () => process.render(), verifier, operator }
  return {
    streams,
    metrics,
    health,
    fetch: publicSurface(surfaces),
    controlFetch: controlSurface(surfaces),
    async stop() {
      process.stop()
      stopKeeper()
      await subscriptions.stop()
      verifier?.stop()
      await streams.stop()
    },
  }
}

/** Managing a subscription takes the right to every stream that it covers. */
function newSubscriptions(
  config: Config,
  streams: Streams,
  access: StreamAccess,
  parts: { clock: Clock; ids: Ids; log: Log; metrics: Metrics },
): Subscriptions {
  return new Subscriptions(subscriptionHost(streams, () => parts.clock.now()), {
    ...parts,
    log: parts.log.child('subscriptions'),
    fetch: (url, init) => fetch(url, init),
    resolve: async hostname => (await lookup(hostname, { all: true })).map(each => each.address),
    publicUrl: request => config.server.url ?? (request === null ? null : new URL(request.url).origin),
    allowInsecureWebhooks: config.http.allowInsecureWebhooks,
    streamBasePath: config.http.streamBasePath,
    authorize: (principal, request) => {
      for (const path of request.streams) access.check(principal, 'subscribe', path)
      if (request.pattern !== null) access.checkPattern(principal, 'subscribe', request.pattern)
      if (request.wakeStream !== null) access.check(principal, 'append', request.wakeStream)
    },
  })
}

/** Loaded only where tokens are checked: it brings the cryptography of every algorithm. */
async function tokenVerifier(config: Config, parts: { clock: Clock; log: Log; metrics: Metrics }): Promise<TokenVerifier | null> {
  if (config.auth.issuers.length === 0) return null
  const tokens = await import('./auth/tokens.ts')
  return new tokens.TokenVerifier(config.auth.issuers, { ...parts, fetch })
}

function streamsSettings(config: Config): StreamsSettings {
  const memory = config.limits.maxMemoryBytes
  return {
    streamBytesMax: config.limits.maxStreamBytes,
    memoryBytesMax: memory,
    pageBytes: config.limits.pageBytes,
    // In memory mode the pages are in memory already; elsewhere this is what many readers of one stream share.
    pageCacheBytesMax: config.storage.mode === 'memory' ? memory / 8 : Math.min(memory * 0.75, 256 * 1024 * 1024),
    shard: {
      operationBytesMax: config.limits.maxRequestBodyBytes + 1, // and the comma that frames JSON
      queuedOperationsMax: config.limits.maxStorageJobs,
      queuedBytesMax: Math.min(memory, 32 * 1024 * 1024),
      residentBytesMax: memory,
    },
    live: {
      readersMax: config.limits.maxLiveReaders,
      longPollMsMax: config.transport.connection.longPollTimeoutSecs * 1000,
      sseCycleMs: config.transport.connection.sseReconnectIntervalSecs * 1000,
      keepAliveMs: config.transport.connection.sseKeepAliveSecs * 1000,
      stalledMsMax: config.limits.slowReaderSecs * 1000,
    },
  }
}

interface Surfaces {
  readonly config: Config
  readonly seams: Seams
  readonly handler: StreamHandler
  readonly health: Health
  readonly meter: RequestMeter
  readonly render: () => string
  readonly verifier: TokenVerifier | null
  readonly operator: StreamOperator
}

/** Everything that a network may reach. */
function publicSurface(parts: Surfaces): Fetch {
  const { config, seams, health } = parts
  const cors = createCors({ origins: config.http.corsOrigins })
  const names = requestIds(seams.ids, trustedProxies(config.proxy.trustedProxies))
  const log = seams.log.child('http')
  const refused = (error: unknown, request: Request) =>
    errorResponse(error, { requestId: names.of(request), log, instance: pathOf(request.url), method: request.method, headers: cors.headers(request) })
  const pages = new Elysia({ aot: true })
    .onError(({ error, request }) => refused(error, request))
    .use(healthRoutes(() => health.report()))
    .use(metricsRoute(parts.render))
  const common = commonFields(request => cors.headers(request))
  const streams = streamSurface(parts, createAuthenticator(parts.verifier), common)
  const root = `${config.http.streamBasePath}/`
  const metricsAccess = { isPublic: config.http.metricsPublic, token: config.http.metricsToken }
  const fetch: Fetch = (request, server) => {
    if (request.method === 'OPTIONS') return cors.preflight(request)
    const { url } = request
    // Streams pass by the router: it costs an append a tenth of its time and has nothing to choose.
    if (url.startsWith(root, url.indexOf('/', url.indexOf('//') + 2))) return streams(request, server)
    if (pathOf(url) === '/metrics') checkMetricsAccess(metricsAccess, request, server.requestIP(request)?.address ?? null)
    return pages.fetch(request)
  }
  const base = config.http.streamBasePath
  const routeOf = routesByPrefix({ [`${base}/__ds`]: 'subscriptions', [base]: 'streams', '/metrics': 'metrics', '/': 'other' })
  return observed(fetch, {
    meter: parts.meter,
    routeOf,
    requestIds: names,
    log,
    clock: seams.clock,
    refuse: refused,
    requestsMax: config.limits.maxConnections,
  })
}

type Common = (request: Request) => Record<string, string>

function streamSurface(parts: Surfaces, authenticate: Authenticate, common: Common): ControlFetch {
  return (request, server) =>
    parts.handler({ request, authenticate, common: common(request), idleLimit: secs => server?.timeout(request, secs) })
}

/**
 * Header fields that every answer of a stream carries. An answer to a write is never cached, so one that no page of
 * another origin asked for goes without those for pages: they are longer than the rest of the answer.
 */
function commonFields(headers: (request: Request) => readonly HeaderPair[]): (request: Request) => Record<string, string> {
  const known = new Map<readonly HeaderPair[], Record<string, string>>()
  const bare = Object.fromEntries(securityHeaders)
  return request => {
    if (request.method !== 'GET' && !request.headers.has('origin')) return bare
    const pairs = headers(request)
    let fields = known.get(pairs)
    if (fields === undefined) known.set(pairs, (fields = Object.fromEntries(pairs)))
    return fields
  }
}

/** What the operator of this machine may reach besides: the same streams without rules, and the control API. */
function controlSurface(parts: Surfaces): ControlFetch {
  const { config, seams } = parts
  const log = seams.log.child('control')
  const refused = (error: unknown, request: Request) =>
    errorResponse(error, { requestId: seams.ids.random(), log, instance: pathOf(request.url), method: request.method })
  const pages = new Elysia({ aot: true })
    .onError(({ error, request }) => refused(error, request))
    .use(healthRoutes(() => parts.health.report()))
    .use(metricsRoute(parts.render))
    .use(
      controlRoutes({
        admin: parts.operator,
        spoolDir: join(config.storage.dataDir, 'tmp'),
        importBytesMax: Number.MAX_SAFE_INTEGER,
        clock: seams.clock,
        ids: seams.ids,
        log,
      }),
    )
  const streams = streamSurface(parts, asAdmin, () => ({}))
  const root = `${config.http.streamBasePath}/`
  return async (request, server) => {
    try {
      return await (pathOf(request.url).startsWith(root) ? streams(request, server) : pages.fetch(request))
    } catch (error) {
      return refused(error, request)
    }
  }
}

function asAdmin(): Principal {
  return localAdmin
}

function pathOf(url: string): string {
  const from = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', from)
  return url.slice(from, query < 0 ? undefined : query)
}

/** Runs the server until a signal stops it. Resolves to the exit code. */
export async function runServer(loaded: LoadedConfig): Promise<number> {
  const { config } = loaded
  const clock = systemClock
  const around = readSurroundings()
  const style = logStyle({
    format: config.log.format,
    fd: 2,
    isTerminal: process.stderr.isTTY === true,
    noColor: around.noColor ? '1' : undefined,
    journalStream: around.journalStream ?? undefined,
  })
  const log = createLog({ filter: config.log.filter, style, write: lineWriter(2), clock })
  for (const warning of loaded.warnings) log.warn(warning)
  assertOpenAllowed({
    isOpen: config.streamApis.length === 0,
    address: config.server.bindAddress.host,
    allowOpenStreams: config.http.allowOpenStreams,
  })
  const exit = (code: number) => process.exit(code)
  const fence = (message: string) => {
    log.fatal('storage failed: nothing is acknowledged any more', { error: message })
    exit(1)
  }
  const watchdogUsec = around.watchdogUsec === null ? undefined : String(around.watchdogUsec)
  const notify = await createNotify({ socket: around.notifySocket ?? undefined, watchdogUsec, clock, log })
  // Opened before the life-cycle, which needs its health: a depot that cannot be opened ends the start with the reason.
  const app = await createApp(config, { clock, ids: systemIds, log, fence })
  const drainMs = config.shutdown.drainSecs * 1000
  const lifecycle = new Lifecycle({ health: app.health, notify, clock, log, readinessDelayMs: 0, drainMs, exit })
  const running = lifecycle.run()
  lifecycle.onStop('stores', 'streams', () => app.stop())
  lifecycle.stopping.addEventListener('abort', () => app.streams.live.stop())
  const listener = await openListeners(config, app, lifecycle, { clock, log })
  lifecycle.ready(`listening on ${listener.url}`)
  log.info('ready', { url: listener.url, storage: config.storage.mode, depot: config.depot, ms: Math.round(clock.monotonic()) })
  return running
}

async function openListeners(config: Config, app: App, lifecycle: Lifecycle, parts: { clock: Clock; log: Log }): Promise<Listener> {
  const { clock, log } = parts
  const { host: hostname, port } = config.server.bindAddress
  const files = tlsFiles(config)
  const first = files === null ? null : await readTls(files, clock, log)
  const http2 = config.transport.http.versions.includes('http2')
  const listener = await listen({ fetch: app.fetch, hostname, port, ...(first === null ? {} : { tls: first.settings }), http2, log, clock })
  lifecycle.onStop('listeners', 'public listener', () => listener.stop(config.shutdown.drainSecs * 1000))
  if (files !== null && first !== null) {
    const watch = watchTls({ files, first, replace: settings => listener.replaceTls(settings), clock, log, metrics: app.metrics })
    lifecycle.onReload('certificate', async () => void (await watch.reload()))
    lifecycle.onStop('work', 'certificate watch', () => watch.stop())
  }
  await openControl(config, app, lifecycle, parts)
  return listener
}

/** Longest path of a Unix socket, in bytes. */
const socketPathBytesMax = 103

async function openControl(config: Config, app: App, lifecycle: Lifecycle, parts: { clock: Clock; log: Log }): Promise<void> {
  const absolute = join(config.depot, 'headwater.sock')
  const unix = [absolute, relative(process.cwd(), absolute)].find(path => Buffer.byteLength(path) <= socketPathBytesMax)
  if (unix === undefined) {
    parts.log.warn('the depot’s path is too long for a control socket; `headwater stream` needs --url', { depot: config.depot })
    return
  }
  mkdirSync(dirname(absolute), { recursive: true, mode: 0o700 })
  const control = await listen({ fetch: app.controlFetch, hostname: 'localhost', port: 0, unix, http2: false, ...parts })
  chmodSync(unix, 0o600) // whoever opens it is the operator
  lifecycle.onStop('listeners', 'control socket', () => control.stop(config.shutdown.drainSecs * 1000))
}

function tlsFiles(config: Config): TlsFiles | null {
  const { certPath, keyPath, clientCaPath, minVersion } = config.tls
  if (certPath === null || keyPath === null) return null
  return { certPath, keyPath, minVersion, ...(clientCaPath === null ? {} : { clientCaPath }) }
}

/** The composition root: configuration and seams in, a server out. The only file that knows every part; decides nothing itself. */
import { lookup } from 'node:dns/promises'
import { join } from 'node:path'
import { Elysia, NotFoundError } from 'elysia'
import { adminRecords, adminRoot } from './admin/admin-records.ts'
import type { OpenApi, OpenApiParts } from './admin/openapi.ts'
import { createAccounts, type Accounts, type AccountsParts } from './auth/accounts/accounts.ts'
import type { TokenVerifier } from './auth/tokens.ts'
import { observed, routesByPrefix, type RequestMeter } from './http/access-log.ts'
import type { Authenticate } from './http/authenticate.ts'
import { createCors, type Cors } from './http/cors.ts'
import { errorResponse } from './http/errors.ts'
import { addMissingHeaders, securityHeaders, type HeaderPair } from './http/headers.ts'
import { healthRoutes } from './http/health-routes.ts'
import type { Fetch, HttpServer } from './http/listener.ts'
import { checkMetricsAccess } from './http/metrics-access.ts'
import { metricsRoute } from './http/metrics-route.ts'
import { requestIds } from './http/request-id.ts'
import { staticFiles } from './http/static-files.ts'
import { trustedProxies } from './http/trusted-proxies.ts'
import { unrouted, type UnroutedParts } from './http/unrouted.ts'
import { assert } from './lib/assert.ts'
import type { Clock } from './lib/clock.ts'
import { fail } from './lib/errors.ts'
import type { Ids } from './lib/ids.ts'
import { lazily } from './lib/lazily.ts'
import type { Log } from './lib/log.ts'
import { Metrics } from './lib/metrics.ts'
import { localAdmin, type Principal } from './lib/principal.ts'
import type { ReloadAnswer } from './ops/config-reload.ts'
import { Health } from './ops/health.ts'
import { keepMemorySmall } from './ops/memory.ts'
import { httpMetrics, processMetrics } from './ops/metrics.ts'
import type { Config } from './ops/options.ts'
import { accountSettings, filesSettings, recordsSettings, storeSettings, streamsSettings, subscriptionLimits } from './ops/part-settings.ts'
import { recordErrorResponse } from './records/answers.ts'
import { recordEndpoints } from './records/endpoints.ts'
import { recordRoute } from './records/record-route.ts'
import { Records } from './records/records.ts'
import { sqliteVersion } from './storage/database.ts'
import { compileAccess, type StreamAccess } from './streams/access.ts'
import { streamHandler, type StreamHandler } from './streams/routes.ts'
import { StreamOperator } from './streams/stream-admin.ts'
import { openStore, type OpenStore } from './streams/store/open.ts'
import { subscriptionHost } from './streams/subscription-host.ts'
import { authenticatesItself, handleSubscriptionRequest } from './streams/subscriptions/routes.ts'
import { Subscriptions } from './streams/subscriptions/subscriptions.ts'
import { Streams } from './streams/streams.ts'

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
  readonly records: Records
  readonly metrics: Metrics
  readonly health: Health
  /** The public surface. */
  readonly fetch: Fetch
  /** The same for the operator on this machine, with the control API; without a server when it is called in this process. */
  readonly controlFetch: ControlFetch
  /** Brings record APIs, databases and JSON schemas to `config`. What fails leaves the old. */
  apply(config: Config): Promise<void>
  /** What `POST /control/config/reload` calls; null: nothing runs that could be reloaded. */
  reloadConfig: (() => Promise<ReloadAnswer>) | null
  stop(): Promise<void>
}

/** Opens the depot and puts the parts together. Throws OperatorError for what an operator must mend. */
export async function createApp(config: Config, seams: Seams): Promise<App> {
  const { clock, ids, log } = seams
  const metrics = new Metrics()
  const health = new Health()
  const access = compileAccess(config.streamApis)
  const [store, records] = await openData(config, seams, metrics)
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
  const cors = createCors({ origins: config.http.corsOrigins, dev: config.server.dev })
  const common = commonFields(request => cors.headers(request))
  const accounts = newAccounts(config, records, { foreign: verifier, common, clock, ids, log })
  const routes = publicRoutes(health, () => process.render(), accounts)
  const openApi = openApiOf({ router: () => routes, records, streamBasePath: root, transactions: config.server.enableRecordTransactions })
  let reloadConfig: App['reloadConfig'] = null
  const surfaces = { config, seams, handler, records, health, meter, routes, openApi, render: () => process.render(), accounts, cors, common, operator, reload: () => reloadConfig }
  return {
    streams,
    records,
    metrics,
    health,
    fetch: publicSurface(surfaces),
    controlFetch: controlSurface(surfaces),
    apply: next => records.apply(recordsSettings(next)),
    get reloadConfig() {
      return reloadConfig
    },
    set reloadConfig(reload) {
      reloadConfig = reload
    },
    async stop() {
      process.stop()
      stopKeeper()
      await subscriptions.stop()
      verifier?.stop()
      await Promise.all([streams.stop(), records.stop()])
    },
  }
}

/** Streams and records at the same time: this thread reads the schema while another opens the streams. Both, or none. */
async function openData(config: Config, { clock, ids, log, fence }: Seams, metrics: Metrics): Promise<[OpenStore, Records]> {
  const opening = openStore(storeSettings(config), { clock, log, fence })
  // What is refused at once, such as a depot that another server has, keeps us away from its records, too.
  await Promise.race([opening, Promise.resolve()])
  const parts = { files: filesSettings(config, metrics), subscriptions: subscriptionLimits(config), metrics, clock, ids, log: log.child('records'), fence }
  const [store, records] = await Promise.allSettled([opening, Records.open(recordsSettings(config), parts)])
  if (store.status === 'fulfilled' && records.status === 'fulfilled') return [store.value, records.value]
  if (store.status === 'fulfilled') await store.value.close()
  if (records.status === 'fulfilled') await records.value.stop()
  const failed = store.status === 'rejected' ? store : records
  assert(failed.status === 'rejected', 'one of the two failed')
  throw failed.reason
}

/** Users live in `main`, their sessions beside it; both are written by the threads of the records. */
function newAccounts(config: Config, { store }: Records, parts: Pick<AccountsParts, 'foreign' | 'common' | 'clock' | 'ids' | 'log'>): Accounts {
  return createAccounts({
    ...parts,
    depot: config.depot,
    database: { write: (name, program) => store.write(name, program), readNow: (name, sql, params) => store.readNow(name, sql, params) },
    settings: () => accountSettings(config),
    addressBurst: config.server.authIpRateLimit,
  })
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

interface Surfaces {
  readonly config: Config
  readonly seams: Seams
  readonly handler: StreamHandler
  readonly records: Records
  readonly health: Health
  readonly meter: RequestMeter
  readonly routes: ReturnType<typeof publicRoutes>
  readonly openApi: () => Promise<OpenApi>
  readonly render: () => string
  readonly accounts: Accounts
  readonly cors: Cors
  readonly common: Common
  readonly operator: StreamOperator
  readonly reload: () => App['reloadConfig']
}

/** What Elysia answers of the public surface; the OpenAPI document has its routes from here, too. */
function publicRoutes(health: Health, render: () => string, accounts: Accounts) {
  return new Elysia({ name: 'public' }).use(healthRoutes(() => health.report())).use(metricsRoute(render)).use(accounts.routes)
}

const openApiPath = '/api/openapi.json'

/** Loaded when a document is asked for. */
function openApiOf(parts: OpenApiParts): () => Promise<OpenApi> {
  return lazily(async () => new (await import('./admin/openapi.ts')).OpenApi(parts))
}

/** Everything that a network may reach. */
function publicSurface(parts: Surfaces): Fetch {
  const { config, seams, accounts, cors, common } = parts
  const names = requestIds(seams.ids, trustedProxies(config.proxy.trustedProxies))
  const log = seams.log.child('http')
  const refused = (error: unknown, request: Request) => {
    const instance = pathOf(request.url)
    const form = isRecordPath(instance, 0) ? recordErrorResponse : errorResponse
    return form(error, { requestId: names.of(request), log, instance, method: request.method, headers: cors.headers(request) })
  }
  const otherwise = unroutedParts(config, cors)
  const pages = new Elysia({ aot: true })
    .onError(async ({ error, request }) => {
      if (!(error instanceof NotFoundError)) return refused(error, request)
      return unrouted(otherwise, request).catch((reason: unknown) => refused(reason, request))
    })
    .use(parts.routes)
  const streams = streamSurface(parts, accounts.authenticateStreams(config.streamApis.length === 0 && config.auth.issuers.length === 0), common)
  const root = `${config.http.streamBasePath}/`
  const metricsAccess = { isPublic: config.http.metricsPublic, token: config.http.metricsToken }
  const records = recordSurface(parts, common)
  const tools = toolSurface(parts, log)
  const fetch: Fetch = (request, server) => {
    if (request.method === 'OPTIONS') return cors.preflight(request)
    const { url } = request
    const pathAt = url.indexOf('/', url.indexOf('//') + 2)
    // Streams and records pass by the router: it costs an append a tenth of its time and has nothing to choose.
    if (url.startsWith(root, pathAt)) return streams(request, server)
    if (isRecordPath(url, pathAt)) return records(request, server)
    if (url.startsWith('/api/auth/', pathAt)) accounts.noteAddress(request, server.requestIP(request)?.address ?? null)
    if (url.startsWith(adminRoot, pathAt) || pathOf(url) === openApiPath) return tools(request)
    if (pathOf(url) === '/metrics') checkMetricsAccess(metricsAccess, request, server.requestIP(request)?.address ?? null)
    return pages.fetch(request)
  }
  const base = config.http.streamBasePath
  const byPrefix = routesByPrefix({
    [`${base}/__ds`]: 'subscriptions', [base]: 'streams', '/metrics': 'metrics', '/api/auth/': 'accounts', [adminRoot]: 'admin', '/api/healthcheck': 'health', '/': 'other',
  })
  return observed(fetch, {
    meter: parts.meter,
    routeOf: (url, method) => recordRoute(url, method) ?? byPrefix(url),
    requestIds: names,
    log,
    clock: seams.clock,
    refuse: refused,
    requestsMax: config.limits.maxConnections,
  })
}

function unroutedParts({ server, http }: Config, cors: Cors): UnroutedParts {
  const files = server.publicDir === null ? null : staticFiles({ directory: server.publicDir, spa: server.spa })
  return { files, reserved: ['/api/', '/_/', '/v1/', `${http.streamBasePath}/`], headers: request => cors.headers(request) }
}

type Common = (request: Request) => Record<string, string>

function streamSurface(parts: Surfaces, authenticate: Authenticate, common: Common): ControlFetch {
  return (request, server) =>
    parts.handler({ request, authenticate, common: common(request), idleLimit: secs => server?.timeout(request, secs) })
}

function recordSurface({ config, records, accounts }: Surfaces, common: Common): ControlFetch {
  const handle = recordEndpoints(records, {
    bodyBytesMax: config.server.requestSizeLimitBytes,
    transactions: config.server.enableRecordTransactions,
    checkRedirect: accounts.checkRedirect,
  })
  const answer = (request: Request, server: HttpServer | null, principal: Principal) =>
    handle({ request, principal, common: common(request), idleLimit: secs => server?.timeout(request, secs) }) ?? fail('not_found', {})
  return (request, server) => {
    const principal = accounts.authenticateRecords(request)
    const answered = principal instanceof Promise ? principal.then(known => answer(request, server, known)) : answer(request, server, principal)
    return accounts.withFreshCookie(request, answered)
  }
}

/** The APIs of administrators, and the document of all APIs. */
function toolSurface({ config, records, accounts, openApi, common }: Surfaces, log: Log): (request: Request) => Promise<Response> {
  const admin = adminRecords({ records, queryMsMax: config.records.queryTimeoutMs, log, gate: accounts.adminGate })
  const document = async (request: Request) => (await openApi()).answer(request, await accounts.authenticateRecords(request))
  return async request => addMissingHeaders(await (pathOf(request.url) === openApiPath ? document(request) : admin(request)), Object.entries(common(request)))
}

function isRecordPath(url: string, at: number): boolean {
  return url.startsWith('/api/records/', at) || url.startsWith('/api/transaction/', at)
}

/**
 * Header fields that every answer of a stream carries. An answer to a write is never cached, so one that no page of
 * another origin asked for goes without those for pages: they are longer than the rest of the answer.
 */
function commonFields(headers: (request: Request) => readonly HeaderPair[]): (request: Request) => Record<string, string> {
  const known = new WeakMap<readonly HeaderPair[], Record<string, string>>()
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
  const pages = lazily(async () => {
    const routes = await controlPages(parts, log)
    return new Elysia({ aot: true }).onError(({ error, request }) => refused(error, request)).use(routes)
  })
  const streams = streamSurface(parts, asAdmin, () => ({}))
  const tools = lazily(async () => {
    const { controlRecords } = await import('./admin/control-records.ts')
    return controlRecords({ records: parts.records, openApi: parts.openApi, queryMsMax: config.records.queryTimeoutMs, clock: seams.clock, ids: seams.ids, log })
  })
  const root = `${config.http.streamBasePath}/`
  return async (request, server) => {
    try {
      if (pathOf(request.url).startsWith(root)) return await streams(request, server)
      return await ((await tools())(request) ?? (await pages()).fetch(request))
    } catch (error) {
      return refused(error, request)
    }
  }
}

/** Loaded with the first request of the operator: most servers are started more often than they are asked. */
async function controlPages(parts: Surfaces, log: Log) {
  const { config, seams } = parts
  const [{ controlRoutes }, { userControlRoutes }] = await Promise.all([import('./admin/routes.ts'), import('./admin/users/routes.ts')])
  return new Elysia()
    .use(healthRoutes(() => parts.health.report()))
    .use(metricsRoute(parts.render))
    .use(userControlRoutes(parts.accounts.userAdmin))
    .use(
      controlRoutes({
        admin: parts.operator,
        spoolDir: join(config.storage.dataDir, 'tmp'),
        importBytesMax: Number.MAX_SAFE_INTEGER,
        clock: seams.clock,
        ids: seams.ids,
        log,
        get reloadConfig() {
          return parts.reload()
        },
      }),
    )
}

function asAdmin(): Principal {
  return localAdmin
}

function pathOf(url: string): string {
  const from = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', from)
  return url.slice(from, query < 0 ? undefined : query)
}

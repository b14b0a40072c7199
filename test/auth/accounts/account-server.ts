/** The account routes over a real socket in this process, on a depot in a temporary directory whose tables migrations made. Whole servers are support/server.ts. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Elysia } from 'elysia'
import { createAccounts, type Accounts } from '../../../src/auth/accounts/accounts.ts'
import type { AccountSettings, AuthSettings } from '../../../src/auth/accounts/settings.ts'
import type { BearerVerifier } from '../../../src/http/authenticate.ts'
import { errorResponse } from '../../../src/http/errors.ts'
import { healthRoutes } from '../../../src/http/health-routes.ts'
import { systemClock, type Clock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import { migrateDepot, recordDatabases, sessionDatabase } from '../../../src/records/migrations/migrate-depot.ts'
import { RecordStore } from '../../../src/records/store/record-store.ts'

export interface AccountServerOptions {
  readonly auth?: Partial<AuthSettings>
  readonly siteUrl?: string
  readonly isDev?: boolean
  readonly hasPages?: boolean
  readonly clock?: Clock
  readonly foreign?: BearerVerifier
  readonly addressBurst?: number
}

export interface AccountServer extends AsyncDisposable {
  readonly url: string
  readonly depot: string
  readonly accounts: Accounts
  readonly store: RecordStore
  /** The first administrator. */
  readonly admin: { readonly email: string; readonly username: string; readonly password: string }
  /** A request below `/api/auth/v1`. A redirect is not followed. */
  call(path: string, init?: RequestInit): Promise<Response>
  /** A POST with a JSON body below `/api/auth/v1`. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** A user with a password; `columns` overrides what stands in `_user`. */
  addUser(email: string, password: string, columns?: Readonly<Record<string, SqlValue>>): Promise<void>
  rows(database: 'main' | 'session', sql: string, ...params: SqlValue[]): readonly SqlRow[]
}

export const authDefaults: AuthSettings = {
  authTokenTtlSec: 3600,
  refreshTokenTtlSec: 30 * 86_400,
  anonymousRefreshTokenTtlSec: 90 * 86_400,
  enableAnonymousSignin: false,
  customUriSchemes: [],
  redirectUriAllowlist: [],
  userIdentifier: 'only_email',
  passwordMinimalLength: 8,
  passwordMustContainUpperAndLowerCase: false,
  passwordMustContainDigits: false,
  passwordMustContainSpecialCharacters: false,
}

export async function startAccountServer(options: AccountServerOptions = {}): Promise<AccountServer> {
  const { clock = systemClock } = options
  const depot = mkdtempSync(join(tmpdir(), 'headwater-accounts-'))
  const functions = { schemas: new Map() }
  const place = { depot, migrationsDir: join(depot, 'migrations'), databases: [] }
  const admin = await fillDepot(place)
  const fence = (message: string) => {
    throw new Error(message)
  }
  const databases = [...recordDatabases(place), sessionDatabase(depot)]
  const store = await RecordStore.open({ databases, attach: new Map(), functions, clock: systemClock, log: silentLog, fence })
  const settings: AccountSettings = {
    auth: { ...authDefaults, ...options.auth },
    siteUrl: options.siteUrl ?? null,
    isDev: options.isDev ?? false,
    hasPages: options.hasPages ?? false,
  }
  const accounts = createAccounts({
    depot,
    database: store,
    settings: () => settings,
    foreign: options.foreign ?? null,
    addressBurst: options.addressBurst ?? null,
    common: () => ({ 'X-Common': 'yes' }),
    clock,
    ids: systemIds,
    log: silentLog,
  })
  const app = new Elysia({ aot: true })
    .onError(({ error }) => errorResponse(error, { requestId: 'test', log: silentLog }))
    .use(healthRoutes(() => ({ ready: true, checks: [] })))
    .use(accounts.routes)
    // Stand-ins for the surfaces that authenticate with the accounts: they tell who was seen.
    .all('/seen/records', async ({ request }) => {
      const principal = await accounts.authenticateRecords(request)
      return await accounts.withFreshCookie(request, Response.json(seen(principal)))
    }, { parse: 'none' })
    .all('/seen/streams', async ({ request }) => Response.json(seen(await accounts.authenticateStreams(false)(request))), { parse: 'none' })
    .all('/seen/open-streams', async ({ request }) => Response.json(seen(await accounts.authenticateStreams(true)(request))), { parse: 'none' })
    .all('/seen/admin', async ({ request }) => Response.json(seen(accounts.adminGate(request))), { parse: 'none' })
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: request => (accounts.noteAddress(request, request.headers.get('x-test-address')), app.fetch(request)) })
  const url = `http://127.0.0.1:${server.port}`
  const call = (path: string, init: RequestInit = {}) => fetch(`${url}/api/auth/v1${path}`, { redirect: 'manual', ...init })
  return {
    url,
    depot,
    accounts,
    store,
    admin,
    call,
    post: (path, body, headers = {}) => call(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } }),
    async addUser(email, password, columns = {}) {
      // The cheapest cost: what is tested is not how long hashing takes.
      const hash = await Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: 8, timeCost: 1 })
      const values: Record<string, SqlValue> = { email, password_hash: hash, ...columns }
      const names = Object.keys(values)
      const sql = `INSERT INTO _user (${names.join(', ')}) VALUES (${names.map((_, at) => `?${at + 1}`).join(', ')})`
      const result = await store.write('main', { steps: [{ kind: 'run', sql, params: Object.values(values), atLeast: 1 }] })
      if (!result.ok) throw new Error(JSON.stringify(result))
    },
    rows: (database, sql, ...params) => store.readNow(database, sql, params),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      await store.stop()
      rmSync(depot, { recursive: true, force: true })
    },
  }
}

let first: { readonly databases: ReadonlyMap<string, Uint8Array>; readonly admin: AccountServer['admin'] } | null = null

/** Migrations once for each test file, whose result every further depot begins with: they and the administrator's hash take their time. */
async function fillDepot(place: { depot: string; migrationsDir: string; databases: readonly string[] }): Promise<AccountServer['admin']> {
  const data = join(place.depot, 'data')
  mkdirSync(data)
  if (first === null) {
    const admin = await migrateDepot(place, { functions: { schemas: new Map() }, ids: systemIds, clock: systemClock, log: silentLog })
    if (admin === null) throw new Error('a new depot has an administrator')
    first = { admin, databases: new Map(readdirSync(data).map(name => [name, readFileSync(join(data, name))])) }
  } else for (const [name, bytes] of first.databases) writeFileSync(join(data, name), bytes)
  return first.admin
}

function seen(principal: Awaited<ReturnType<Accounts['authenticateRecords']>>): object {
  if (principal.kind !== 'user') return { kind: principal.kind }
  const { account, issuer, subject } = principal
  return { kind: 'user', issuer, subject, isAdmin: account?.isAdmin ?? null, id: account === undefined ? null : Buffer.from(account.id).toString('hex') }
}

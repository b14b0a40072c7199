/** Record APIs over a real socket in this process: a depot in a temporary directory, its tables made by migrations. Whole servers are server.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../../src/lib/clock.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { silentLog, type Log } from '../../src/lib/log.ts'
import { anonymous, type Principal } from '../../src/lib/principal.ts'
import { recordErrorResponse } from '../../src/records/answers.ts'
import { apiDefaults, type RecordApiConfig } from '../../src/records/catalog/api-config.ts'
import type { JsonSchema } from '../../src/records/catalog/relation.ts'
import type { RetentionLimits } from '../../src/records/changes/retention.ts'
import { recordEndpoints } from '../../src/records/endpoints.ts'
import { DiskObjects } from '../../src/records/files/disk-objects.ts'
import type { FilesSettings } from '../../src/records/files/record-files.ts'
import { Records } from '../../src/records/records.ts'
import type { SubscriptionLimits } from '../../src/records/subscriptions/limits.ts'
import { fail } from '../../src/lib/errors.ts'

export interface RecordServerOptions {
  /** SQL of one migration of `main`. */
  readonly sql: string
  /** Additional databases by name: SQL of their migration. */
  readonly databases?: Readonly<Record<string, string>>
  readonly apis: readonly (Partial<RecordApiConfig> & Pick<RecordApiConfig, 'name' | 'tableName'>)[]
  readonly schemas?: ReadonlyMap<string, JsonSchema>
  readonly clock?: Clock
  readonly queryMsMax?: number
  readonly retention?: RetentionLimits
  readonly subscriptions?: Partial<SubscriptionLimits>
  /** An existing depot, which stays. */
  readonly directory?: string
  readonly files?: FilesSettings
  readonly bodyBytesMax?: number
  readonly log?: Log
}

export interface RecordServer extends AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly records: Records
  /** Requests of this user: `alice` is whoever has this name as the bearer token. */
  as(user: string | null): (path: string, init?: RequestInit) => Promise<Response>
  /** The 16 bytes that `_USER_.id` is for `user`. */
  idOf(user: string): Uint8Array
}

/** Starts it. A bearer token is the name of a user; users need no row in `_user` unless a foreign key wants one. */
export async function startRecordServer(options: RecordServerOptions): Promise<RecordServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'headwater-records-'))
  writeMigrations(directory, { main: options.sql, ...options.databases })
  const config = {
    recordApis: options.apis.map(api => ({ ...apiDefaults, ...api })),
    databases: Object.keys(options.databases ?? {}),
    schemas: options.schemas ?? new Map<string, JsonSchema>(),
  }
  const directories = { depot: directory, migrationsDir: join(directory, 'migrations') }
  const records = await Records.open(
    { config, directories, queryMsMax: options.queryMsMax ?? 2000, readersMax: 2, answersKeptMs: 86_400_000, retention: options.retention ?? { ageMsMax: 3_600_000, bytesMax: 2 ** 30 } },
    {
      clock: options.clock ?? systemClock,
      ids: systemIds,
      log: options.log ?? silentLog,
      fence: message => {
        throw new Error(message)
      },
      ...(options.subscriptions === undefined ? {} : { subscriptions: options.subscriptions }),
      files: options.files ?? { objects: new DiskObjects(join(directory, 'uploads')), directory: join(directory, 'uploads') },
    },
  )
  const handle = recordEndpoints(records, {
    bodyBytesMax: options.bodyBytesMax ?? 10 * 1024 * 1024,
    transactions: true,
    checkRedirect: uri => (uri.startsWith('/') ? uri : fail('invalid_redirect', { detail: 'invalid redirect' })),
  })
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    maxRequestBodySize: 512 * 1024 * 1024,
    async fetch(request) {
      try {
        const answer = handle({ request, principal: principalOf(request), common: {}, idleLimit: () => undefined })
        return (await answer) ?? new Response(null, { status: 404 })
      } catch (error) {
        return recordErrorResponse(error, { requestId: 'test', log: silentLog, method: request.method })
      }
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    directory,
    url,
    records,
    idOf,
    as: user => (path, init = {}) =>
      fetch(`${url}/api/records/v1${path}`, { redirect: 'manual', ...init, headers: { ...(user === null ? {} : { Authorization: `Bearer ${user}` }), ...headersOf(init) } }),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      await records.stop()
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** A request with a JSON body. */
export function json(method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } }
}

function headersOf(init: RequestInit): Record<string, string> {
  return Object.fromEntries(new Headers(init.headers))
}

function writeMigrations(directory: string, sqls: Readonly<Record<string, string>>): void {
  mkdirSync(join(directory, 'data'), { recursive: true })
  for (const [name, sql] of Object.entries(sqls)) {
    mkdirSync(join(directory, 'migrations', name), { recursive: true })
    writeFileSync(join(directory, 'migrations', name, 'U1800000000__test.sql'), sql)
  }
}

function principalOf(request: Request): Principal {
  const user = /^Bearer (\w+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
  if (user === undefined) return anonymous
  return { kind: 'user', subject: user, issuer: 'test', claims: {}, expiresAtMs: null, account: { id: idOf(user), isAdmin: false } }
}

function idOf(user: string): Uint8Array {
  return new Uint8Array(new Bun.CryptoHasher('md5').update(user).digest())
}

/** Record APIs over a real database file, and their lists as answers: the statements of a plan run on one connection, as a reader thread does. */
import { Database } from 'bun:sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must } from '../../../src/lib/assert.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import type { Principal } from '../../../src/lib/principal.ts'
import { localAdmin } from '../../../src/lib/principal.ts'
import type { SqlRow, SqlValue } from '../../../src/lib/sql-value.ts'
import { apiDefaults, type RecordApiConfig } from '../../../src/records/catalog/api-config.ts'
import { compileCatalog } from '../../../src/records/catalog/compile.ts'
import { readSchema } from '../../../src/records/catalog/read-schema.ts'
import { registerFunctions } from '../../../src/records/functions/register.ts'
import { formList } from '../../../src/records/query/list-body.ts'
import { type ListPlan, planList } from '../../../src/records/query/list-statement.ts'
import { parseListQuery } from '../../../src/records/query/parse.ts'
import { type ReadParts, readRecord, type RecordText } from '../../../src/records/read.ts'
import type { RecordApi } from '../../../src/records/record-api.ts'
import { Deadline, prepareConnection } from '../../../src/records/store/prepare-connection.ts'

export type ApiOptions = Partial<RecordApiConfig> & Pick<RecordApiConfig, 'name' | 'tableName'>

/** A list's body, parsed. Integers beyond 2^53 are looked at in the text. */
export interface ListAnswer {
  readonly cursor?: string
  readonly total_count?: number
  readonly records: readonly Record<string, unknown>[]
  readonly groups: readonly Record<string, unknown>[]
  readonly features: readonly { readonly id: unknown; readonly geometry: unknown; readonly properties: unknown }[]
}

export function userWith(id: Uint8Array): Principal {
  return { kind: 'user', subject: 'someone', issuer: 'here', claims: {}, expiresAtMs: null, account: { id, isAdmin: false } }
}

export class QueryScene implements Disposable {
  readonly db: Database
  /** Texts of all statements that ran. */
  readonly ran: string[] = []
  readonly #directory: string
  readonly #apis: ReadonlyMap<string, RecordApi>
  readonly #deadline = new Deadline(systemClock)

  constructor(sql: string, ...apis: readonly ApiOptions[]) {
    this.#directory = mkdtempSync(join(tmpdir(), 'headwater-query-'))
    this.db = new Database(join(this.#directory, 'main.db'), { safeIntegers: true, create: true, readwrite: true })
    this.db.run('PRAGMA synchronous = OFF')
    prepareConnection(this.db, { schemas: new Map() }, this.#deadline)
    registerFunctions(this.db, { schemas: new Map(), ids: systemIds, clock: systemClock })
    this.db.run('PRAGMA case_sensitive_like = ON')
    this.db.run(sql)
    const read = (text: string) => this.db.prepare<SqlValue[], []>(text).values() as SqlRow[]
    const recordApis = apis.map(api => ({ ...apiDefaults, ...api }))
    this.#apis = compileCatalog({ recordApis, databases: [], schemas: new Map() }, readSchema(read, new Map()), 1, read).apis
  }

  api(name: string): RecordApi {
    return must(this.#apis.get(name), `there is an API ${name}`)
  }

  /** Body of a list as text. */
  text(api: string | RecordApi, query: string, principal: Principal = localAdmin): string {
    return this.run(planList(typeof api === 'string' ? this.api(api) : api, parseListQuery(query), principal))
  }

  run(plan: ListPlan): string {
    // What crosses to a thread is plain data.
    const { statements, finish } = structuredClone(plan)
    return formList(finish.spec, statements.map(({ sql, params }) => this.rows(sql, params as SqlValue[])))
  }

  list(api: string | RecordApi, query: string, principal: Principal = localAdmin): ListAnswer {
    return JSON.parse(this.text(api, query, principal)) as ListAnswer
  }

  read(api: string, id: string, query = '', principal: Principal = localAdmin): RecordText | Promise<RecordText> {
    const parts: ReadParts = {
      deadlineMs: 2000,
      readNow: (_, sql, params) => this.rows(sql, params),
      read: request => Promise.resolve({ rows: request.statements.map(({ sql, params }) => this.rows(sql, params as SqlValue[])) }),
    }
    return readRecord(parts, this.api(api), principal, id, query)
  }

  rows(sql: string, params: readonly SqlValue[]): SqlRow[] {
    this.ran.push(sql)
    this.#deadline.start(2000)
    using statement = this.db.prepare(sql)
    return statement.values(...(params as string[])) as SqlRow[]
  }

  [Symbol.dispose](): void {
    this.db.close(true)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** The part of the control API that works on records: SQL, schemas, rows of tables. For the operator on the control socket or in this process, never public. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { readBody } from '../http/body.ts'
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/errors.ts'
import type { Ids } from '../lib/ids.ts'
import { lazily } from '../lib/lazily.ts'
import { localAdmin } from '../lib/principal.ts'
import { nearest, hint } from '../lib/suggest.ts'
import { recordSchema, schemaModes } from '../records/json-schema.ts'
import type { OpenApi } from './openapi.ts'
import { queryAnswer } from './query-answer.ts'
import type { QueryParts } from './query.ts'
import { importRows, WholeImports, type RowConflict, type StoredRows } from './tables-import.ts'
import { pageRowsMax, tableRows } from './tables-rows.ts'
import { findTable, shapeOf } from './tables-shape.ts'
import { rowOfWire, wireRow } from './tables-wire.ts'

export interface ControlRecordsParts extends QueryParts {
  readonly clock: Clock
  readonly ids: Ids
  readonly openApi: () => Promise<Pick<OpenApi, 'text'>>
}

/** Answers a request below `/control/` that is about records; null: it is not. */
export type ControlRecords = (request: Request) => Promise<Response> | null

/** Largest batch of an import, as JSON. */
const batchBytesMax = 256 * 1024 * 1024

export function controlRecords(parts: ControlRecordsParts): ControlRecords {
  const imports = new WholeImports(parts.records.store, parts)
  const routes: Readonly<Record<string, (request: Request, query: URLSearchParams) => Promise<Response>>> = {
    'POST /control/sql': request => queryAnswer(parts, request),
    'GET /control/schema': (_, query) => schemaAnswer(parts, query),
    'GET /control/openapi': async (_, query) => jsonText((await parts.openApi()).text(localAdmin, query.has('admin') ? 'operator' : 'public')),
    'GET /control/table': async (_, query) => json(shapeOf(tableOf(parts, query))),
    'GET /control/table/rows': (_, query) => rowsAnswer(parts, query),
    'POST /control/table/rows': request => storeAnswer(parts, request),
    'POST /control/table/import': request => beginAnswer(parts, imports, request),
    'POST /control/table/import/rows': request => addAnswer(imports, request),
    'POST /control/table/import/finish': async request => {
      const { import: id, conflict } = await bodyOf(request)
      return json(await imports.finish(id, conflict))
    },
    'DELETE /control/table/import': async (_, query) => json({ dropped: await imports.drop(query.get('import') ?? '').then(() => true) }),
  }
  const paths = new Set(Object.keys(routes).map(route => route.slice(route.indexOf(' ') + 1)))
  return request => {
    const { pathname, searchParams } = new URL(request.url)
    if (!paths.has(pathname)) return null
    const answer = routes[`${request.method} ${pathname}`]
    if (answer !== undefined) return answer(request, searchParams)
    const methods = Object.keys(routes).filter(route => route.endsWith(` ${pathname}`))
    return fail('method_not_allowed', { allow: methods.map(route => route.slice(0, route.indexOf(' '))).join(', ') })
  }
}

function json(body: object): Response {
  return jsonText(JSON.stringify(body))
}

function jsonText(text: string): Response {
  return new Response(text, { headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' } })
}

async function schemaAnswer({ records }: ControlRecordsParts, query: URLSearchParams): Promise<Response> {
  const name = query.get('api') ?? ''
  const api = records.catalog.apis.get(name)
  if (api === undefined) fail('not_found', { detail: `there is no record API "${name}"${hint(nearest(name, [...records.catalog.apis.keys()]))}` })
  const mode = schemaModes.find(each => each.toLowerCase() === (query.get('mode') ?? 'insert').toLowerCase())
  if (mode === undefined) fail('bad_request', { detail: `mode is one of ${schemaModes.join(', ')}` })
  return json(recordSchema(api, mode))
}

function tableOf({ records }: ControlRecordsParts, query: URLSearchParams) {
  return findTable(records.catalog, query.get('table') ?? '')
}

async function rowsAnswer(parts: ControlRecordsParts, query: URLSearchParams): Promise<Response> {
  const limit = Number(query.get('limit') ?? pageRowsMax)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > pageRowsMax) fail('bad_request', { detail: `limit is a number from 1 to ${pageRowsMax}` })
  const after = query.get('after')
  const key = after === null ? null : rowOfWire(wireOf(after))
  const page = await tableRows(parts.records.store, tableOf(parts, query), key, limit)
  return json({ rows: page.rows.map(wireRow), next: page.next === null ? null : JSON.stringify(wireRow(page.next)) })
}

function wireOf(text: string): readonly (string | null)[] {
  try {
    const value: unknown = JSON.parse(text)
    if (isRow().Check(value)) return value
  } catch {
    // The answer is the same.
  }
  return fail('bad_request', { detail: 'after is the position that the page before told' })
}

const row = Type.Array(Type.Union([Type.String(), Type.Null()]))
const isRow = lazily(() => Compile(row))

const isBatch = lazily(() =>
  Compile(
    Type.Object({
      table: Type.Optional(Type.String()),
      import: Type.Optional(Type.String()),
      columns: Type.Optional(Type.Array(Type.String())),
      rows: Type.Optional(Type.Array(row)),
      conflict: Type.Optional(Type.Union([Type.Literal('fail'), Type.Literal('skip'), Type.Literal('replace')])),
    }),
  ),
)

interface BatchBody {
  readonly table: string
  /** Name of the import that gathers. */
  readonly import: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly conflict: RowConflict
}

async function bodyOf(request: Request): Promise<BatchBody> {
  const value = jsonOf(await readBody(request, batchBytesMax))
  if (!isBatch().Check(value)) return fail('bad_request', { detail: 'expected an object with table, columns, rows and conflict' })
  return { table: '', import: '', columns: [], rows: [], conflict: 'fail', ...value }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return fail('invalid_json', {})
  }
}

async function storeAnswer({ records }: ControlRecordsParts, request: Request): Promise<Response> {
  const { table, columns, rows, conflict } = await bodyOf(request)
  const stored: StoredRows = await importRows(records.store, { relation: findTable(records.catalog, table), columns, rows: rows.map(rowOfWire), conflict })
  return json(stored)
}

async function beginAnswer({ records }: ControlRecordsParts, imports: WholeImports, request: Request): Promise<Response> {
  const { table, columns } = await bodyOf(request)
  return json({ import: await imports.begin(findTable(records.catalog, table), columns) })
}

async function addAnswer(imports: WholeImports, request: Request): Promise<Response> {
  const { import: id, rows } = await bodyOf(request)
  await imports.add(id, rows.map(rowOfWire))
  return json({ rows: rows.length })
}

/** `POST /api/_admin/query` as an HTTP answer, for administrators and for the control socket alike. Who may ask is the caller's to check. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { readBody } from '../http/body.ts'
import { fail } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import { runQuery, type QueryParts } from './query.ts'
import { queryResultText } from './query-values.ts'

/** Largest body of a query. */
export const queryBytesMax = 16 * 1024 * 1024

/** `{query, attached_databases?, read_only?}` → `{columns, rows, txn?}`. */
export async function queryAnswer(parts: QueryParts, request: Request): Promise<Response> {
  const body = bodyOf(await readBody(request, queryBytesMax))
  const command = { query: body.query, attachedDatabases: body.attached_databases ?? [], readOnly: body.read_only ?? false }
  const result = await runQuery(parts, command)
  const txn: Record<string, string> = result.txn === null ? {} : { 'Headwater-Txn': String(result.txn) }
  return new Response(queryResultText(result), { headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...txn } })
}

const isBody = lazily(() =>
  Compile(
    Type.Object({
      query: Type.String(),
      attached_databases: Type.Optional(Type.Union([Type.Array(Type.String(), { maxItems: 124 }), Type.Null()])),
      read_only: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    }),
  ),
)

function bodyOf(bytes: Uint8Array) {
  const value = jsonOf(bytes)
  if (!isBody().Check(value)) return fail('bad_request', { detail: 'expected {"query": "…", "attached_databases": ["…"], "read_only": false}' })
  return value
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return fail('invalid_json', {})
  }
}

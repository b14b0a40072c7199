/** The body of a request that writes records: JSON, form or multipart, to raw records. What their values mean is writing/row-values.ts. */
import { readBody } from '../../http/body.ts'
import { fail } from '../../lib/errors.ts'
import type { RawRecord } from '../writing/row-values.ts'
import type { BodyForm } from './column-value.ts'
import { parseExactJson } from './exact-json.ts'

/** Records of one bulk request. */
export const bulkRecordsMax = 1024

export interface RecordBody {
  readonly form: BodyForm
  /** An array came: it is written as a whole. */
  readonly isBulk: boolean
  readonly records: readonly RawRecord[]
  /** The bytes as they came, for an idempotency key; of multipart a digest of its parts. */
  readonly bytes: Uint8Array
  /** Removes the files that came with it and that no write took. To be called in every case; null: none can have come. */
  readonly discard: (() => Promise<void>) | null
}

/** Reads multipart/form-data; file parts become values that files/ understands. */
export type ReadMultipart = (request: Request, bodyBytesMax: number) => Promise<{ readonly record: RawRecord; readonly digest: Uint8Array; readonly discard: () => Promise<void> }>

/** By the prefix of Content-Type; none means JSON (trailbase-api.md §2.1). Refuses `bad_request`, `invalid_json`, `body_too_large`. */
export async function readRecordBody(request: Request, bodyBytesMax: number, readMultipart: ReadMultipart): Promise<RecordBody> {
  const type = request.headers.get('content-type')?.toLowerCase() ?? 'application/json'
  if (type.startsWith('multipart/form-data')) {
    const { record, digest, discard } = await readMultipart(request, bodyBytesMax)
    return { form: 'text', isBulk: false, records: [record], bytes: digest, discard }
  }
  const bytes = await readBody(request, bodyBytesMax)
  if (type.startsWith('application/json')) return { form: 'json', ...jsonRecords(parseExactJson(bytes)), bytes, discard: null }
  if (type.startsWith('application/x-www-form-urlencoded')) return { form: 'text', isBulk: false, records: [formRecord(bytes)], bytes, discard: null }
  return fail('bad_request', { detail: 'Content-Type is one of application/json, application/x-www-form-urlencoded, multipart/form-data' })
}

/** The one record of a body that must hold one. */
export function singleRecord(body: RecordBody): RawRecord {
  const [record] = body.records
  if (body.isBulk || record === undefined) fail('invalid_record', { detail: 'Expected one record' })
  return record
}

function jsonRecords(value: unknown): { isBulk: boolean; records: readonly RawRecord[] } {
  if (isRecord(value)) return { isBulk: false, records: [value] }
  if (!Array.isArray(value)) fail('invalid_record', { detail: 'Expected record or array of records' })
  if (value.length === 0) fail('invalid_record', { detail: 'no values provided' })
  if (value.length > bulkRecordsMax) fail('invalid_record', { detail: `Bulk creation exceeds limit: ${bulkRecordsMax}` })
  if (!value.every(isRecord)) fail('invalid_record', { detail: 'Expected record or array of records' })
  return { isBulk: true, records: value }
}

export function isRecord(value: unknown): value is RawRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Fields of one form, repeated ones included; a table has fewer columns. */
export const formFieldsMax = 4096

/** Counted before anything is made of it: each field takes many times its length. */
function formRecord(bytes: Uint8Array): RawRecord {
  let fields = 1
  for (const byte of bytes) if (byte === ampersand) fields++
  if (fields > formFieldsMax) fail('invalid_record', { detail: `A form has at most ${formFieldsMax} fields` })
  return recordOfFields(new URLSearchParams(new TextDecoder().decode(bytes)))
}

const ampersand = 0x26

/** A repeated field becomes an array, in forms of both kinds. */
export function recordOfFields(fields: Iterable<readonly [string, unknown]>): RawRecord {
  const values = new Map<string, unknown[]>()
  for (const [name, value] of fields) {
    const earlier = values.get(name)
    if (earlier === undefined) values.set(name, [value])
    else earlier.push(value)
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]))
}

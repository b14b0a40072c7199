/** What a client may send for a file column, checked: bytes as base64, a part of a form, or the description of a file to keep. Storing it is file-staging.ts. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail } from '../../lib/errors.ts'
import { lazily } from '../../lib/lazily.ts'
import { StagedFile } from './staged-file.ts'

export type IncomingFile =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly filename: string | null; readonly contentType: string | null }
  /** Its bytes are stored already. */
  | { readonly kind: 'staged'; readonly file: StagedFile }
  /** A file of the record that is updated, by its unique name. */
  | { readonly kind: 'kept'; readonly filename: string }

/** Files of one column in one record. */
export const filesPerColumnMax = 64

const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const upload = lazily(() => Compile(Type.Object({ name: optionalText, filename: optionalText, content_type: optionalText, data: Type.String() }, { additionalProperties: false })))
const description = lazily(() => Compile(
  Type.Object({ original_filename: optionalText, filename: Type.String(), content_type: optionalText, mime_type: optionalText }, { additionalProperties: false }),
))

/** Null stays null, `many` gives a list also of a single file. Refuses `invalid_record`. */
export function parseIncoming(column: string, value: unknown, many: boolean): readonly IncomingFile[] | null {
  const given = typeof value === 'string' ? ofText(column, value) : value
  if (given === null) return null
  if (Array.isArray(given) && !many) fail('invalid_record', { detail: `${column} holds one file` })
  const files = [given].flat()
  if (files.length > filesPerColumnMax) fail('invalid_record', { detail: `${column} holds at most ${filesPerColumnMax} files in one request` })
  return files.map(file => parseOne(column, file))
}

/** `text/html; charset=utf-8`; null when it has not that form. */
export function mediaType(text: string | null | undefined): string | null {
  if (typeof text !== 'string' || text.length > 255) return null
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( *; *[\w!#$&^.+-]+=([\w!#$&^.+-]+|"[\x20-\x21\x23-\x5b\x5d-\x7e]*"))*$/.test(text) ? text : null
}

function parseOne(column: string, value: unknown): IncomingFile {
  if (value instanceof StagedFile) return { kind: 'staged', file: value }
  const file = typeof value === 'string' ? ofText(column, value) : value
  if (upload().Check(file)) {
    const contentType = mediaType(file.content_type)
    if (contentType === null && typeof file.content_type === 'string' && file.content_type !== '') fail('invalid_record', { detail: `${column}: content_type is not a media type` })
    return { kind: 'bytes', bytes: bytesOf(column, file.data), filename: file.filename ?? null, contentType }
  }
  if (description().Check(file)) return { kind: 'kept', filename: file.filename }
  return fail('invalid_record', { detail: `${column}: expected {"filename"?, "content_type"?, "name"?, "data"}, or a file of this record as it was returned` })
}

/** In a form, a text field describes a file to keep, as JSON; empty: there is none. */
function ofText(column: string, text: string): unknown {
  if (text === '') return null
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object') return value
  } catch {
    // told below
  }
  return fail('invalid_record', { detail: `${column}: expected a file` })
}

/** Both alphabets, padded or not (trailbase-api.md §14.2). */
function bytesOf(column: string, data: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(data, { alphabet: /[-_]/.test(data) ? 'base64url' : 'base64' })
  } catch {
    return fail('invalid_record', { detail: `${column}: data is not base64` })
  }
}

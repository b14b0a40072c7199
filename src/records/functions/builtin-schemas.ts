/** The schemas whose names begin with `std.`: files as they are stored beside their bytes, and maps of text (trailbase-api.md §14). */
import type { JsonSchema } from '../catalog/relation.ts'

const optionalText = { type: ['string', 'null'] }

const file: JsonSchema = {
  title: 'FileUpload',
  type: 'object',
  properties: { id: { type: 'string' }, original_filename: optionalText, filename: { type: 'string' }, content_type: optionalText, mime_type: optionalText },
  required: ['filename'],
  additionalProperties: false,
}

export const builtinSchemas: ReadonlyMap<string, JsonSchema> = new Map<string, JsonSchema>([
  ['std.FileUpload', file],
  ['std.FileUploads', { title: 'FileUploads', type: 'array', items: file }],
  ['std.KeyValue', { title: 'KeyValue', type: 'object', additionalProperties: { type: 'string' } }],
])

/** `image/png, image/*`: as the third argument of `jsonschema` and as columns are described. */
export function parseMimeTypes(list: string): readonly string[] {
  return list.split(',').map(type => type.trim().toLowerCase()).filter(type => type !== '')
}

/** Whether a file's sniffed type is in the list; `image/*` stands for all of a kind. A file whose type is not known is not. */
export function isMimeTypeAllowed(allowed: readonly string[], mimeType: string | null): boolean {
  const type = mimeType?.toLowerCase() ?? ''
  return allowed.some(entry => entry === type || (entry.endsWith('/*') && type.startsWith(entry.slice(0, -1))))
}

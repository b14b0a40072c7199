/** A file as its column describes it: JSON beside the bytes (trailbase-api.md §14.2). The bytes are in the object store, under `id`. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { lazily } from '../../lib/lazily.ts'
import { isObjectId } from './object-store.ts'

export interface StoredFile {
  /** Name of the object; clients never see it. */
  readonly id: string
  /** As the client named it. */
  readonly original_filename?: string
  /** Unique; what a client addresses it by. */
  readonly filename: string
  /** As the client declared it. */
  readonly content_type?: string
  /** As the bytes say. */
  readonly mime_type?: string
}

const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const shape = lazily(() => Compile(Type.Object({ id: Type.String(), filename: Type.String(), original_filename: optionalText, content_type: optionalText, mime_type: optionalText })))

/** The files that the text of a column describes; one or many. What has no usable object is left out: raw SQL can store anything. */
export function parseStoredFiles(text: string | null): readonly StoredFile[] {
  if (text === null) return []
  return [parsed(text)].flat().flatMap(file => {
    if (!shape().Check(file) || !isObjectId(file.id)) return []
    const { id, filename, original_filename, content_type, mime_type } = file
    return [{ id, filename, ...withText({ original_filename, content_type, mime_type }) }]
  })
}

/** Names of the objects that `before` has and `after` has not. */
export function droppedIds(before: string | null, after: string | null): readonly string[] {
  const kept = new Set(parseStoredFiles(after).map(({ id }) => id))
  return [...new Set(parseStoredFiles(before).map(({ id }) => id))].filter(id => !kept.has(id))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

type Optional = 'original_filename' | 'content_type' | 'mime_type'

/** The members that have a text. */
export function withText(members: Readonly<Partial<Record<Optional, string | null | undefined>>>): Partial<Record<Optional, string>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => typeof value === 'string'))
}

/** The answer to a download: type, disposition, caching, ranges. Which file it is, and whether the caller may have it, was decided before. */
import { createHash } from 'node:crypto'
import { fail } from '../../lib/errors.ts'
import type { Fields } from '../answers.ts'
import type { RecordApi } from '../record-api.ts'
import { byteRange } from '../../http/byte-range.ts'
import { contentDisposition } from './file-name.ts'
import { mediaType } from './incoming-file.ts'
import type { StoredObject } from './object-store.ts'
import type { StoredFile } from './stored-file.ts'

/** What is sent: the stored object, or a thumbnail of it. */
export interface Download {
  readonly file: StoredFile
  readonly content: Pick<StoredObject, 'size' | 'modifiedAtMs' | 'body'>
  /** Media type of a thumbnail; null: the file's own. */
  readonly thumbnail: { readonly type: string; readonly size: string } | null
  /** The address names one file for ever, instead of what a column holds now. */
  readonly isByName: boolean
  /** A page may show it, if it is an image that cannot run anything. */
  readonly isInlineWanted: boolean
}

/** Seconds that an address of one file is good for without asking: what is at it never changes, but it may be removed, and rules may change. */
const namedMaxAgeSecs = 3600

/** Types that browsers show without running anything. SVG and HTML are documents with scripts. */
const safeImages: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/apng', 'image/bmp'])

/** Whatever it is, a browser that opens it as a document runs nothing and loads nothing. */
const sandbox = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

/** Of a request: what changes the answer. */
export interface DownloadRequest {
  readonly method: string
  readonly headers: Headers
  readonly common: Fields
}

/** Refuses `range_not_satisfiable`. */
export function downloadAnswer(api: RecordApi, download: Download, { method, headers: asked, common }: DownloadRequest): Response {
  const { content } = download
  const tag = tagOf(download)
  const headers = downloadHeaders(api, download, tag, common)
  if (isKnown(asked, tag, content.modifiedAtMs)) {
    headers.delete('Content-Type')
    return new Response(null, { status: 304, headers })
  }
  const range = isRangeWanted(asked, tag) ? byteRange(asked.get('range'), content.size) : 'whole'
  if (range === 'unsatisfiable') fail('range_not_satisfiable', { size: content.size })
  const { from, end } = range === 'whole' ? { from: 0, end: content.size } : range
  if (range !== 'whole') headers.set('Content-Range', `bytes ${from}-${end - 1}/${content.size}`)
  const status = range === 'whole' ? 200 : 206
  headers.set('Content-Length', String(end - from))
  if (method === 'HEAD' || from === end) return new Response(null, { status, headers })
  const body = content.body(from, end)
  // Of a Blob of a file, Bun looks at the Range header itself: then a stream. Without one it goes from the disk to the socket by itself.
  return new Response(body instanceof Blob && asked.has('range') ? body.stream() : body, { status, headers })
}

function downloadHeaders(api: RecordApi, { file, content, thumbnail, isByName, isInlineWanted }: Download, tag: string, common: Fields): Headers {
  const headers = new Headers(common)
  const type = thumbnail?.type ?? file.mime_type ?? mediaType(file.content_type) ?? 'text/plain; charset=utf-8'
  const kind = isInlineWanted && safeImages.has(thumbnail?.type ?? file.mime_type ?? '') ? 'inline' : 'attachment'
  headers.set('Content-Type', type)
  headers.set('Content-Disposition', contentDisposition(kind, file.original_filename ?? file.filename))
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Content-Security-Policy', sandbox)
  headers.set('ETag', tag)
  headers.set('Last-Modified', new Date(content.modifiedAtMs).toUTCString())
  headers.set('Accept-Ranges', 'bytes')
  headers.set('Cache-Control', `${isPublic(api) ? 'public' : 'private'}, ${isByName ? `max-age=${namedMaxAgeSecs}` : 'no-cache'}`)
  if (!isPublic(api)) headers.append('Vary', 'Authorization, Cookie')
  return headers
}

/** The bytes under a name never change. The name itself is not told. */
function tagOf({ file, thumbnail }: Download): string {
  const hash = createHash('sha256').update(file.id).update(thumbnail === null ? '' : ` ${thumbnail.size}`)
  return `"${hash.digest('base64url').slice(0, 22)}"`
}

function isPublic(api: RecordApi): boolean {
  return api.acl.world.has('read') && api.rules.read === null
}

/** RFC 9110 §13.2.2: a tag comes before a time. */
function isKnown(asked: Headers, tag: string, modifiedAtMs: number): boolean {
  const tags = asked.get('if-none-match')
  if (tags !== null) return tags.trim() === '*' || tags.split(',').some(each => each.trim().replace(/^W\//, '') === tag)
  const since = Date.parse(asked.get('if-modified-since') ?? '')
  return !Number.isNaN(since) && Math.floor(modifiedAtMs / 1000) * 1000 <= since
}

/** RFC 9110 §13.1.5: a range of another version is answered with the whole of this one. Dates are too coarse to tell. */
function isRangeWanted(asked: Headers, tag: string): boolean {
  const version = asked.get('if-range')
  return version === null || version.trim() === tag
}

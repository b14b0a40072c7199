/** GET and HEAD on the wire: query and headers to a command, page to an answer. (PROTOCOL.md §5.5 to §5.7, §10) */
import { fail } from '../../lib/errors.ts'
import type { HeadResult, Page, ReadCommand } from '../commands.ts'
import { answer as respond, type HeaderFields } from './answer.ts'
import { parseCursor } from './cursor.ts'
import { entityTag, tagMatches } from './etag.ts'
import { formatOffset, parseReadOffset } from './offset.ts'

/** Refuses: invalid_offset, bad_request (400). Unknown parameters are ignored. */
export function parseRead(path: string, query: URLSearchParams, headers: Headers): ReadCommand {
  const live = query.get('live')
  if (live !== null && live !== 'long-poll' && live !== 'sse') fail('bad_request', { detail: 'live is long-poll or sse' })
  const offsets = query.getAll('offset')
  if (live !== null && offsets.length === 0) fail('bad_request', { detail: 'a live read needs an offset' })
  return {
    path,
    from: parseReadOffset(offsets),
    live,
    cursor: parseCursor(query.get('cursor')),
    ifNoneMatch: headers.get('if-none-match'),
  }
}

export interface PageAnswer {
  readonly page: Page
  readonly incarnation: number
  /** `private` for answers that depend on who asks. */
  readonly visibility: 'public' | 'private'
  readonly ifNoneMatch: string | null
  /** Of live answers. */
  readonly cursor: number | null
  /** False for `offset=now`, which names no range. */
  readonly cacheable: boolean
}

/** Caches may keep what reaches the tail for a minute: a reader asks for the next offset, never for the same again. */
const tailSecsMax = 60
const staleSecsMax = 300
/** Whole pages before the tail and closed ranges never change; at the tail even a whole page stops being up to date. */
const immutableSecsMax = 86_400

export function pageResponse(answer: PageAnswer, common: HeaderFields): Response {
  const { page } = answer
  const headers: HeaderFields = {
    ...common,
    'Stream-Next-Offset': formatOffset({ incarnation: answer.incarnation, at: page.end }),
    'Cache-Control': cacheControl(answer),
  }
  if (page.upToDate) headers['Stream-Up-To-Date'] = 'true'
  if (page.closed) headers['Stream-Closed'] = 'true'
  if (answer.cursor !== null) headers['Stream-Cursor'] = String(answer.cursor)
  if (answer.cacheable) {
    const tag = entityTag(page)
    headers['ETag'] = tag
    if (answer.ifNoneMatch !== null && tagMatches(answer.ifNoneMatch, tag)) return respond(304, headers)
  }
  headers['Content-Type'] = page.contentType
  return respond(200, headers, page.body)
}

/** A long-poll that ran out of time, or met the end of a closed stream. */
export function nothingNewResponse(
  at: { offset: number; incarnation: number; closed: boolean; cursor: number },
  common: HeaderFields,
): Response {
  const headers: HeaderFields = {
    ...common,
    'Stream-Next-Offset': formatOffset({ incarnation: at.incarnation, at: at.offset }),
    'Stream-Up-To-Date': 'true',
    'Stream-Cursor': String(at.cursor),
    'Cache-Control': 'no-store',
  }
  if (at.closed) headers['Stream-Closed'] = 'true'
  return respond(204, headers)
}

export function headResponse(result: HeadResult, incarnation: number, common: HeaderFields): Response {
  const headers: HeaderFields = {
    ...common,
    'Content-Type': result.contentType,
    'Stream-Next-Offset': formatOffset({ incarnation, at: result.tail }),
    'Cache-Control': 'no-store',
  }
  if (result.closed) headers['Stream-Closed'] = 'true'
  if (result.ttlSecs !== null) headers['Stream-TTL'] = String(result.ttlSecs)
  if (result.expiresAtMs !== null) headers['Stream-Expires-At'] = new Date(result.expiresAtMs).toISOString()
  return respond(200, headers)
}

function cacheControl(answer: PageAnswer): string {
  if (!answer.cacheable) return 'no-store'
  const { page, visibility } = answer
  if (page.end > page.start && ((page.full && !page.upToDate) || page.closed)) return `${visibility}, max-age=${immutableSecsMax}, immutable`
  return `${visibility}, max-age=${tailSecsMax}, stale-while-revalidate=${staleSecsMax}`
}

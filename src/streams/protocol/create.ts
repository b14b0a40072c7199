/** PUT on the wire: headers to a command, result to an answer. (PROTOCOL.md §5.1) */
import { fail } from '../../lib/errors.ts'
import type { CreateCommand, CreateResult, ForkCommand } from '../commands.ts'
import { isClosedTrue, mediaTypeForm } from './append.ts'
import { parseName, type NameLimits } from './name.ts'
import { formatOffset, parseOffset } from './offset.ts'
import { answer, type HeaderFields } from './answer.ts'

export interface CreateRules {
  /** Path below which streams live, with a slash at both ends. */
  readonly root: string
  readonly names: NameLimits
}

const plainNumber = /^(?:0|[1-9]\d*)$/
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/

/** Refuses: invalid_ttl, invalid_fork, invalid_offset, invalid_stream_name (all 400), fork_source_not_found (404) when the source lies outside the root. */
export function parseCreate(path: string, headers: Headers, body: Uint8Array, rules: CreateRules): CreateCommand {
  const contentType = headers.get('content-type')
  const ttlSecs = parseTtl(headers.get('stream-ttl'))
  const expiresAtMs = parseExpiry(headers.get('stream-expires-at'))
  if (ttlSecs !== null && expiresAtMs !== null) fail('invalid_ttl', { detail: 'Stream-TTL and Stream-Expires-At exclude each other' })
  return {
    path,
    contentType: contentType !== null && mediaTypeForm.test(contentType) ? contentType : null,
    ttlSecs,
    expiresAtMs,
    closed: isClosedTrue(headers),
    fork: parseFork(headers, rules),
    body,
  }
}

/** `url` is the absolute address of the stream. */
export function createResponse(result: CreateResult, url: string, incarnation: number, common: HeaderFields): Response {
  const headers: HeaderFields = {
    ...common,
    'Content-Type': result.contentType,
    'Stream-Next-Offset': formatOffset({ incarnation, at: result.tail }),
    'Cache-Control': 'no-store',
  }
  if (result.closed) headers['Stream-Closed'] = 'true'
  if (result.created) headers['Location'] = url
  return answer(result.created ? 201 : 200, headers)
}

/** Seconds. Windows beyond 2^53-1 s count as that: they outlast everything. */
function parseTtl(value: string | null): number | null {
  if (value === null) return null
  if (!plainNumber.test(value)) fail('invalid_ttl', { detail: 'Stream-TTL is a whole number of seconds' })
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER)
}

function parseExpiry(value: string | null): number | null {
  if (value === null) return null
  const atMs = rfc3339.test(value) ? Date.parse(value) : NaN
  if (Number.isNaN(atMs) || !isInCalendar(value)) fail('invalid_ttl', { detail: 'Stream-Expires-At is an RFC 3339 time' })
  return atMs
}

/** Date.parse takes February 30 for March 2, and 24:00 for the next day. (RFC 3339 §5.7) */
function isInCalendar(time: string): boolean {
  const local = time.slice(0, 'YYYY-MM-DDThh:mm:ss'.length).toUpperCase()
  return new Date(`${local}Z`).toISOString().startsWith(local)
}

function parseFork(headers: Headers, rules: CreateRules): ForkCommand | null {
  const from = headers.get('stream-forked-from')
  const offset = headers.get('stream-fork-offset')
  const subOffset = headers.get('stream-fork-sub-offset')
  if (from === null) {
    if (subOffset !== null) fail('invalid_fork', { detail: 'Stream-Fork-Sub-Offset needs Stream-Forked-From' })
    if (offset !== null) fail('invalid_fork', { detail: 'Stream-Fork-Offset needs Stream-Forked-From' })
    return null
  }
  if (subOffset !== null && !plainNumber.test(subOffset)) {
    fail('invalid_fork', { detail: 'Stream-Fork-Sub-Offset is a whole number' })
  }
  const sub = subOffset === null ? 0 : Math.min(Number(subOffset), Number.MAX_SAFE_INTEGER)
  if (sub > 0 && offset === null) fail('invalid_fork', { detail: 'Stream-Fork-Sub-Offset needs Stream-Fork-Offset' })
  return { from: sourceName(from, rules), offset: offset === null ? null : parseOffset(offset), subOffset: sub }
}

/** The header holds a URL path; a name relative to the stream root is taken as well. */
function sourceName(value: string, rules: CreateRules): string {
  const path = value.startsWith(rules.root) ? value.slice(rules.root.length) : value
  if (path.startsWith('/')) fail('fork_source_not_found', { detail: 'the source is a stream of this server' })
  return parseName(path, rules.names)
}

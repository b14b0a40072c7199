/** Decides a creation against what is there already. Pure: says what the new stream is, or that the old one fits. */
import { fail } from '../lib/errors.ts'
import type { CreateCommand } from './commands.ts'
import { formatOffset } from './protocol/offset.ts'
import type { CreatedStream } from './store/group.ts'
import { mediaTypeOf, type StreamState } from './stream.ts'

export const defaultContentType = 'application/octet-stream'

/** Refuses an existing stream that differs from what is asked for: stream_exists (409), path_blocked (409). */
export function assertSameStream(existing: StreamState, command: CreateCommand, source: StreamState | null): void {
  if (existing.removal === 'hidden') fail('path_blocked', {})
  const problem = differenceOf(existing, command, lifetimeOf(command, source))
  if (problem !== null) fail('stream_exists', { detail: `the existing stream differs in its ${problem}` })
}

function differenceOf(
  existing: StreamState,
  command: CreateCommand,
  wanted: { ttlSecs: number | null; expiresAtMs: number | null },
): string | null {
  if (!sameType(existing, command.contentType)) return 'content type'
  if (!sameOrigin(existing, command)) return 'fork origin'
  if (existing.ttlSecs !== wanted.ttlSecs || existing.expiresAtMs !== wanted.expiresAtMs) return 'lifetime'
  return existing.closed === command.closed ? null : 'closure'
}

function sameType(existing: StreamState, contentType: string | null): boolean {
  if (contentType !== null) return mediaTypeOf(contentType) === existing.mediaType
  return existing.fork !== null || existing.mediaType === defaultContentType
}

function sameOrigin(existing: StreamState, { fork }: CreateCommand): boolean {
  if (fork === null || existing.fork === null) return fork === null && existing.fork === null
  const offset = fork.offset === null ? null : formatOffset(fork.offset)
  return existing.fork.from === fork.from && existing.fork.subOffset === fork.subOffset && existing.fork.offset === offset
}

/** What a fork lives: as asked, else by its source's setting. (PROTOCOL.md §4.2, table of expiry) */
export function lifetimeOf(
  command: Pick<CreateCommand, 'ttlSecs' | 'expiresAtMs'>,
  source: Pick<StreamState, 'ttlSecs' | 'expiresAtMs'> | null,
): { ttlSecs: number | null; expiresAtMs: number | null } {
  const { ttlSecs, expiresAtMs } = command
  if (source === null || ttlSecs !== null || expiresAtMs !== null) return { ttlSecs, expiresAtMs }
  return { ttlSecs: source.ttlSecs, expiresAtMs: source.expiresAtMs }
}

/** The content type of a new stream. Refuses a fork whose type differs from its source's: content_type_mismatch. */
export function contentTypeOf(command: CreateCommand, source: StreamState | null): string {
  if (source === null) return command.contentType ?? defaultContentType
  if (command.contentType !== null && mediaTypeOf(command.contentType) !== source.mediaType) {
    fail('content_type_mismatch', { detail: `the source holds ${source.mediaType}` })
  }
  return command.contentType ?? source.contentType
}

export interface NewStream {
  readonly id: number
  readonly contentType: string
  readonly start: number
  readonly source: StreamState | null
  readonly nowMs: number
}

export function createdStream(command: CreateCommand, made: NewStream): CreatedStream {
  const { fork } = command
  return {
    id: made.id,
    path: command.path,
    contentType: made.contentType,
    createdAtMs: made.nowMs,
    ...lifetimeOf(command, made.source),
    closed: command.closed,
    start: made.start,
    fork:
      fork === null || made.source === null
        ? null
        : {
            parentId: made.source.id,
            from: fork.from,
            offset: fork.offset === null ? null : formatOffset(fork.offset),
            subOffset: fork.subOffset,
          },
  }
}

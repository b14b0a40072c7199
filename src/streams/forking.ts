/** Where a fork leaves its source: offset and sub-offset in, position out. Reads one record at the most. (PROTOCOL.md §4.2) */
import { fail } from '../lib/errors.ts'
import type { ForkCommand } from './commands.ts'
import type { Pages } from './pages.ts'
import { endOfValues } from './protocol/json.ts'
import type { StreamState } from './stream.ts'

/** First own position of a fork of `source`. Refuses what is no boundary, beyond the tail, or past the next record: invalid_fork. */
export function forkStart(source: StreamState, fork: ForkCommand, pages: Pages, incarnation: number): number {
  const anchor = anchorOf(source, fork, incarnation)
  if (!pages.isBoundary(source, anchor)) fail('invalid_fork', { detail: 'the fork offset lies inside a record' })
  if (fork.subOffset === 0) return anchor
  if (anchor >= source.committedTail) fail('invalid_fork', { detail: 'there is no data after the fork offset' })
  const record = pages.recordAt(source, anchor)
  if (!source.json) {
    if (anchor + fork.subOffset > record.end) fail('invalid_fork', { detail: 'the sub-offset passes the next record' })
    return anchor + fork.subOffset
  }
  const end = endOfValues(record.bytes, fork.subOffset)
  if (end === null) fail('invalid_fork', { detail: 'the sub-offset passes the messages of the record' })
  return anchor + end
}

function anchorOf(source: StreamState, fork: ForkCommand, incarnation: number): number {
  if (fork.offset === null) return source.committedTail
  if (fork.offset.incarnation !== incarnation || fork.offset.at > source.committedTail) {
    fail('invalid_fork', { detail: 'the fork offset is beyond the tail of the source' })
  }
  return fork.offset.at
}

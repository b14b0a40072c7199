/** Walks and describes streams for operators and for subscriptions: what is in the tables and what is not there yet. */
import { fail } from '../lib/errors.ts'
import { isDamaged } from './damaged-streams.ts'
import type { Registry } from './registry.ts'
import type { Shard } from './shard.ts'
import type { DamagedRow, StreamRow } from './store/store.ts'
import { StreamState } from './stream.ts'

/** Rows fetched from a table at once. */
const pageRows = 1000
/** Names that begin so are not streams of users: imports under way. A real name has no control characters. */
export const hiddenPrefix = '\u0001'

/** Visible streams whose path starts with `prefix` and is greater than `after`, in byte order of the path. Damaged ones are named in the log, and left out or refused: stream_damaged. */
export function* listStreams(registry: Registry, prefix: string, after: string, damaged: 'skip' | 'refuse'): Iterable<StreamState> {
  const fresh = residentOnly(registry, prefix, after)
  const known = new Set(fresh)
  let next = 0
  for (const stored of storedStreams(registry, prefix, after, damaged)) {
    for (let each = fresh[next]; each !== undefined && compare(each.path, stored.path) < 0; each = fresh[next]) {
      yield each
      next++
    }
    // The writer thread may have brought one of the fresh ones into the table by now.
    if (visible(stored) && !known.has(stored)) yield stored
  }
  yield* fresh.slice(next)
}

/** What readers may see of a stream. */
export function visible(stream: StreamState): boolean {
  return stream.exists && stream.committedRemoval === 'none' && !stream.path.startsWith(hiddenPrefix)
}

/** Streams that no table knows yet, at least not by their name. */
function residentOnly(registry: Registry, prefix: string, after: string): StreamState[] {
  return [...registry.resident]
    .filter(stream => visible(stream) && stream.path.startsWith(prefix) && compare(stream.path, after) > 0)
    .filter(stream => storedPath(registry, stream) !== stream.path)
    .sort((a, b) => compare(a.path, b.path))
}

/** null also for a row that is damaged: then what memory knows of the stream counts. */
function storedPath(registry: Registry, { id }: StreamState): string | null {
  try {
    return registry.shardOfId(id).store.streamById(id)?.path ?? null
  } catch (error) {
    if (isDamaged(error)) return null
    throw error
  }
}

function* storedStreams(registry: Registry, prefix: string, after: string, damaged: 'skip' | 'refuse'): Iterable<StreamState> {
  const onDamaged = ({ id, path }: DamagedRow) => {
    registry.damaged.found(id, path)
    if (damaged === 'refuse') fail('stream_damaged', { detail: `row of stream ${id}` })
  }
  const walks = registry.shards.map(shard => rowsOf(shard, prefix, after, onDamaged)[Symbol.iterator]())
  const heads = walks.map(walk => walk.next())
  for (;;) {
    let first = -1
    heads.forEach((head, i) => {
      const best = heads[first]
      if (!head.done && (best === undefined || best.done || compare(head.value.path, best.value.path) < 0)) first = i
    })
    const head = heads[first]
    const walk = walks[first]
    if (head === undefined || walk === undefined || head.done) return
    // A state that is in memory knows more than its row; others are looked at without being kept.
    const stream = registry.known(head.value.id) ?? new StreamState(head.value, true)
    if (stream.path === head.value.path) yield stream
    heads[first] = walk.next()
  }
}

function* rowsOf(shard: Shard, prefix: string, after: string, onDamaged: (row: DamagedRow) => void): Iterable<StreamRow> {
  let last = after
  for (;;) {
    const rows = shard.store.list(prefix, last, pageRows, onDamaged)
    yield* rows
    const end = rows[rows.length - 1]
    if (end === undefined || rows.length < pageRows) return
    last = end.path
  }
}

/** Byte order of the UTF-8 forms, as SQLite sorts. */
function compare(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

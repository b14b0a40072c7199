/** The streams as subscriptions see them: names, tails, one message to a wake stream, and a place to keep their state. */
import { Refusal } from '../lib/errors.ts'
import { frameJson } from './protocol/json.ts'
import { formatOffset } from './protocol/offset.ts'
import { listStreams, visible } from './listing.ts'
import type { Streams } from './streams.ts'
import type { StreamState } from './stream.ts'
import type { StreamSnapshot, SubscriptionHost } from './subscriptions/subscriptions.ts'

export function subscriptionHost(streams: Streams, now: () => number): SubscriptionHost {
  const { registry, engine, incarnation } = streams
  const snapshotOf = (stream: StreamState): StreamSnapshot => ({
    path: stream.path,
    id: stream.id,
    tail: formatOffset({ incarnation, at: stream.committedTail }),
    contentType: stream.contentType,
  })
  const alive = (stream: StreamState | null): stream is StreamState => stream !== null && visible(stream) && !stream.expired(now())
  const mirror = metaMirror(streams)
  return {
    snapshot(path) {
      const stream = registry.find(path)
      return alive(stream) ? snapshotOf(stream) : null
    },
    *streams() {
      for (const stream of listStreams(registry, '', '', 'skip')) if (alive(stream)) yield snapshotOf(stream)
    },
    append: (path, message) => appendMessage(streams, path, message),
    async save(changes) {
      await engine.saveMeta(changes)
      for (const { key, value } of changes) mirror.set(key, value)
    },
    load: prefix => [...mirror].flatMap(([key, value]) => (value !== null && key.startsWith(prefix) ? [{ key, value }] : [])),
    compareOffsets: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  }
}

/** What was saved may not be in the tables yet: everything is read once and kept. */
function metaMirror(streams: Streams): Map<string, string | null> {
  const mirror = new Map<string, string | null>()
  const [first] = streams.registry.shards
  for (const { key, value } of first?.store.meta('subscription') ?? []) mirror.set(key, value)
  return mirror
}

/** False when the wake stream is missing, closed or not JSON: the application makes it, and may come late. */
async function appendMessage(streams: Streams, path: string, message: string): Promise<boolean> {
  const body = frameJson(Buffer.from(message), 'refused')
  try {
    await streams.engine.append({ path, mediaType: 'application/json', body, closes: false, seq: null, producer: null })
    return true
  } catch (error) {
    const expected = ['stream_not_found', 'gone', 'stream_closed', 'content_type_mismatch']
    if (error instanceof Refusal && expected.includes(error.code)) return false
    throw error
  }
}

/** One life of the subscription service over a store that outlives it. */
import { systemIds } from '../../../src/lib/ids.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { Metrics } from '../../../src/lib/metrics.ts'
import { localAdmin } from '../../../src/lib/principal.ts'
import { readCreate } from '../../../src/streams/subscriptions/schema.ts'
import { Subscriptions, type Caller, type SubscriptionOptions } from '../../../src/streams/subscriptions/subscriptions.ts'
import { FakeClock } from './fake-clock.ts'
import type { MemoryStore } from './memory-host.ts'

export const caller: Caller = { principal: localAdmin, origin: 'http://here.test' }

export interface Life {
  readonly subscriptions: Subscriptions
  readonly metrics: Metrics
  /** As SIGKILL does: nothing of it reaches the store any more. */
  kill(): void
}

export async function live(store: MemoryStore, clock: FakeClock, changed: Partial<SubscriptionOptions> = {}): Promise<Life> {
  const host = store.host()
  const metrics = new Metrics()
  const subscriptions = new Subscriptions(host, {
    clock,
    // No jitter, so that times are exact: 0.5 is the middle of the range.
    ids: { ...systemIds, jitter: () => 0.5 },
    fetch: (url, init) => fetch(url, init),
    resolve: async () => ['127.0.0.1'],
    log: silentLog,
    metrics,
    publicUrl: request => (request === null ? null : new URL(request.url).origin),
    allowInsecureWebhooks: true,
    streamBasePath: '/v1/stream',
    ...changed,
  })
  await subscriptions.start()
  store.listen(subscriptions)
  const kill = () => {
    host.kill()
    store.listen(null)
    void subscriptions.stop()
  }
  return { subscriptions, metrics, kill }
}

export function webhook(url: string, more: object = {}) {
  return readCreate({ type: 'webhook', pattern: 'events/*', webhook: { url }, ...more })
}

export function pullWake(more: object = {}) {
  return readCreate({ type: 'pull-wake', pattern: 'events/*', wake_stream: 'wake/pool', ...more })
}

/** `path` → acked offset, as a client sees it. */
export async function acked(subscriptions: Subscriptions, id: string): Promise<Record<string, string>> {
  const view = await subscriptions.get(id, caller)
  const streams = view.streams as readonly { readonly path: string; readonly acked_offset: string }[]
  return Object.fromEntries(streams.map(stream => [stream.path, stream.acked_offset]))
}

/** The code of the refusal that `act` ends with. */
export async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  return 'none'
}

/** One delivery of one webhook: pinned, signed, bounded in time and bytes. When to try again is wake.ts. */
import { lazily } from '../../lib/lazily.ts'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../../lib/clock.ts'
import type { Fetch, Resolve } from './host.ts'
import { deliveryMsMax, responseBytesMax } from './limits.ts'
import { isRejection, pinTargets, type PinnedTarget } from './target.ts'

export interface Delivery {
  readonly url: string
  readonly body: string
  /** Value of `Webhook-Signature`. */
  readonly signature: string
}

export interface DeliveryMeans {
  readonly fetch: Fetch
  readonly resolve: Resolve
  readonly clock: Clock
  readonly allowInsecure: boolean
}

/** `accepted` = 2xx; `done` when the answer said so. `reason` is for the log, never for a client. */
export type DeliveryResult =
  | { readonly kind: 'accepted'; readonly done: boolean }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

const doneCheck = lazily(() => Compile(Type.Object({ done: Type.Literal(true) })))
/** Nothing was sent yet when a connection fails with one of these, so the next address may be tried. */
const unconnected = new Set(['ConnectionRefused', 'FailedToOpenSocket', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'])

/** Never throws. Takes `deliveryMsMax` at most, and ends early when `signal` aborts. */
export async function deliver(delivery: Delivery, means: DeliveryMeans, signal: AbortSignal): Promise<DeliveryResult> {
  const limit = new AbortController()
  const cancel = means.clock.after(deliveryMsMax, () => limit.abort(new Error(`no complete answer within ${deliveryMsMax} ms`)))
  const ended = AbortSignal.any([signal, limit.signal])
  try {
    const targets = await pinTargets(delivery.url, means.allowInsecure, means.resolve, { clock: means.clock, signal: ended })
    const response = await post(targets, delivery, means.fetch, ended)
    if (response.status >= 200 && response.status < 300) return { kind: 'accepted', done: await saysDone(response) }
    await response.body?.cancel()
    return { kind: 'failed', reason: `status ${response.status}` }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: isRejection(error) ? 'refused' : 'failed', reason }
  } finally {
    cancel()
  }
}

async function post(targets: readonly PinnedTarget[], delivery: Delivery, fetch: Fetch, signal: AbortSignal): Promise<Response> {
  let failure: unknown
  for (const target of targets) {
    try {
      return await fetch(target.url, requestInit(target, delivery, signal))
    } catch (error) {
      failure = error
      if (!(error instanceof Error && 'code' in error && unconnected.has(String(error.code)))) break
    }
  }
  throw failure
}

function requestInit(target: PinnedTarget, delivery: Delivery, signal: AbortSignal): BunFetchRequestInit {
  return {
    method: 'POST',
    headers: {
      Host: target.host,
      'Content-Type': 'application/json',
      'Accept-Encoding': 'identity',
      'User-Agent': 'Headwater',
      'Webhook-Signature': delivery.signature,
    },
    body: delivery.body,
    redirect: 'manual',
    signal,
    // The pool of kept connections goes by address: a connection checked for one name could serve another one.
    keepalive: false,
    ...(target.serverName === null ? {} : { tls: { serverName: target.serverName } }),
  }
}

/** Reads at most `responseBytesMax`; what is longer, no JSON, or breaks off says nothing, but the 2xx stands. */
async function saysDone(response: Response): Promise<boolean> {
  if (response.body === null) return false
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > responseBytesMax) return false
      chunks.push(value)
    }
    return doneCheck().Check(JSON.parse(Buffer.concat(chunks).toString()))
  } catch {
    return false
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** Counts and times every request and writes its line in the access log: debug, or info for a 5xx. Decides no answers. */
import type { Clock } from '../lib/clock.ts'
import { fail } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Fetch } from './listener.ts'
import type { RequestIds } from './request-id.ts'

/** What became of one request; implemented by ops/metrics.ts. `route` is one of few fixed names, never a path. */
export interface RequestMeter {
  begin(): void
  end(route: string, method: string, status: number, seconds: number): void
}

export interface ObserveOptions {
  readonly meter: RequestMeter
  /** The fixed name of the route that an address belongs to. */
  readonly routeOf: (url: string, method: string) => string
  readonly requestIds: RequestIds
  readonly log: Log
  readonly clock: Clock
  /** The answer to a request that `fetch` threw at. */
  readonly refuse: (error: unknown, request: Request) => Response
  /** Requests in flight until their last byte is sent, so open live answers count; more are refused. */
  readonly requestsMax: number
}

/**
 * Wraps `fetch`, whose errors become answers here. `X-Request-Id` is on the answer when a trusted proxy sent one or the access
 * log is on (errors carry one anyway); with the log off an append pays for two clock readings and three additions.
 */
export function observed(fetch: Fetch, options: ObserveOptions): Fetch {
  const { meter, routeOf, requestIds, log, clock, refuse, requestsMax } = options
  return async (request, server) => {
    meter.begin()
    const startedAt = clock.monotonic()
    const adopted = requestIds.adopt(request, server)
    let response: Response
    try {
      if (server.pendingRequests > requestsMax) fail('overloaded', { detail: 'too many requests' })
      response = await fetch(request, server)
    } catch (error) {
      response = refuse(error, request)
    }
    const { status } = response
    const logged = log.enabled('debug')
    if ((adopted !== null || logged) && !response.headers.has('X-Request-Id')) {
      response.headers.set('X-Request-Id', requestIds.of(request))
    }
    const seconds = (clock.monotonic() - startedAt) / 1_000
    const route = routeOf(request.url, request.method)
    meter.end(route, request.method, status, seconds)
    if (logged || status >= 500) {
      const peer = server.requestIP(request)?.address
      writeLine(log, request, { route, status, seconds, peer, requestId: requestIds.of(request) })
    }
    return response
  }
}

/** A `routeOf` by path prefix, the longest first; what fits none is `other`. */
export function routesByPrefix(names: Readonly<Record<string, string>>): (url: string) => string {
  const prefixes = Object.entries(names).sort(([a], [b]) => b.length - a.length)
  return url => {
    const pathAt = url.indexOf('/', url.indexOf('//') + 2)
    for (const [prefix, name] of prefixes) if (url.startsWith(prefix, pathAt)) return name
    return 'other'
  }
}

interface Outcome {
  readonly route: string
  readonly status: number
  readonly seconds: number
  readonly peer: string | undefined
  readonly requestId: string
}

function writeLine(log: Log, request: Request, outcome: Outcome): void {
  const fields = {
    req_id: outcome.requestId,
    method: request.method,
    // Without the query: it may hold a token.
    path: new URL(request.url).pathname,
    route: outcome.route,
    status: outcome.status,
    dur_ms: Math.round(outcome.seconds * 1e5) / 100,
    ip: outcome.peer,
  }
  if (outcome.status >= 500) log.info('request', fields)
  else log.debug('request', fields)
}

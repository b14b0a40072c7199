/** Access log and metrics over a real listener: lines, request ids, trusted proxies, labels. */
import { afterEach, describe, expect, test } from 'bun:test'
import { observed, routesByPrefix } from '../../src/http/access-log.ts'
import { type Fetch, listen } from '../../src/http/listener.ts'
import { errorResponse } from '../../src/http/errors.ts'
import { requestIds } from '../../src/http/request-id.ts'
import { trustedProxies } from '../../src/http/trusted-proxies.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { systemIds } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { createLog } from '../../src/ops/log.ts'
import { httpMetrics } from '../../src/ops/metrics.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const answer: Fetch = async request => {
  if (request.url.includes('/throws')) throw new Error('boom')
  return new Response('x', { status: request.url.includes('/broken') ? 500 : 200 })
}

async function start(options: { filter: string; proxies: readonly string[] }) {
  const lines: Record<string, unknown>[] = []
  const metrics = new Metrics()
  const log = createLog({
    filter: options.filter, style: { format: 'json', colour: false, journal: false }, clock: systemClock, write: line => void lines.push(JSON.parse(line)),
  })
  const fetchObserved = observed(answer, {
    meter: httpMetrics(metrics),
    routeOf: routesByPrefix({ '/v1/stream/': 'stream', '/v1/stream/__ds/': 'subscription' }),
    requestIds: requestIds(systemIds, trustedProxies(options.proxies)),
    log: log.child('http'),
    clock: systemClock,
    refuse: error => errorResponse(error, { requestId: 'r', log: silentLog }),
    requestsMax: 1000,
  })
  const listener = await listen({ fetch: fetchObserved, hostname: '127.0.0.1', port: 0, http2: false, log: silentLog, clock: systemClock })
  cleanups.push(() => listener.stop(0))
  return { url: listener.url, lines, metrics }
}

test('with the level off there is neither line nor id, and the counts are there', async () => {
  const { url, lines, metrics } = await start({ filter: 'info', proxies: [] })
  const response = await fetch(`${url}/v1/stream/secret-name?token=abc`, { method: 'POST', body: 'x' })
  expect(response.headers.get('X-Request-Id')).toBeNull()
  await fetch(`${url}/v1/stream/__ds/subscriptions/s`)
  await fetch(`${url}/elsewhere`, { method: 'PROPFIND' })
  expect(lines).toEqual([])
  const text = metrics.render()
  expect(text).toContain('headwater_http_requests_total{route="stream",method="POST",code="200"} 1\n')
  expect(text).toContain('headwater_http_requests_total{route="subscription",method="GET",code="200"} 1\n')
  expect(text).toContain('headwater_http_requests_total{route="other",method="OTHER",code="200"} 1\n')
  expect(text).toContain('headwater_http_request_duration_seconds_count{route="stream"} 1\n')
  expect(text).toContain('headwater_http_requests_in_flight 0\n')
  expect(text).not.toContain('secret-name')
})

test('at debug a line per request, without the query, with the id that the answer has', async () => {
  const { url, lines } = await start({ filter: 'info,headwater::http=debug', proxies: [] })
  const response = await fetch(`${url}/v1/stream/a?token=abc`)
  expect(lines).toMatchObject([
    { level: 'debug', target: 'headwater::http', msg: 'request', method: 'GET', path: '/v1/stream/a', route: 'stream', status: 200, ip: '127.0.0.1' },
  ])
  expect(response.headers.get('X-Request-Id')).toBe(String(lines[0]?.req_id))
  expect(JSON.stringify(lines)).not.toContain('abc')
})

test('a 5xx is told at info, also when the handler throws', async () => {
  const { url, lines } = await start({ filter: 'info', proxies: [] })
  await fetch(`${url}/broken`)
  await fetch(`${url}/throws`)
  expect(lines).toMatchObject([{ level: 'info', status: 500 }, { level: 'info', status: 500 }])
})

describe('X-Request-Id', () => {
  const ask = async (proxies: readonly string[], id: string) => {
    const { url } = await start({ filter: 'info', proxies })
    return (await fetch(`${url}/a`, { headers: { 'X-Request-Id': id } })).headers.get('X-Request-Id')
  }
  test('is kept from a trusted proxy only', async () => {
    expect(await ask(['127.0.0.0/8'], 'abc-1')).toBe('abc-1')
    expect(await ask(['10.0.0.0/8'], 'abc-1')).toBeNull()
    expect(await ask([], 'abc-1')).toBeNull()
  })
  test('is not kept when it is no identifier', async () => expect(await ask(['127.0.0.1'], 'a b"c')).toBeNull())
})

test('trusted proxies: IPv4, IPv6, mapped addresses, nonsense', () => {
  const proxies = trustedProxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.7'])
  expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1', '192.0.2.7'].map(address => proxies.trusts(address))).toEqual([true, true, true, true])
  expect(['11.1.2.3', 'fe80::1', '192.0.2.8', ''].map(address => proxies.trusts(address))).toEqual([false, false, false, false])
  for (const network of ['nonsense', '10.0.0.0/33', '10.0.0.0/x', '']) expect(() => trustedProxies([network])).toThrow(OperatorError)
})

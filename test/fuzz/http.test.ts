/** Random requests to a real server: no input is answered by a 5xx without a code of the catalogue, and the server stays up (B12). */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { Random } from '../crash/random.ts'
import { startServer } from '../support/server.ts'

setDefaultTimeout(60_000)

const seed = Number(Bun.env.HEADWATER_FUZZ_SEED ?? 4437)
const requests = Number(Bun.env.HEADWATER_FUZZ_REQUESTS ?? 3000)
const concurrent = 8

const numbers = ['', '0', '-0', '-1', '+1', '01', '1.5', '1e3', '0x10', 'NaN', 'Infinity', '2147483648', '4294967296', '9007199254740991', '9007199254740992', '18446744073709551615', '9'.repeat(400)]
const offsets = ['-1', 'now', '0000000000000000_0000000000000000', '0000000000000000_0000000000000001', '0000000000000000_0000000000000006', '9999999999999999_9999999999999999', '0000000000000001_0000000000000000', 'x', '..', ' ']
const odd = ['true', 'TRUE', 'text/plain', 'application/json', 'application/json; charset=utf-8', 'image/png', ';', '/', 'a', '"', '*', 'W/"x"', 'p', '2026-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z', '+275761-01-01T00:00:00Z', '9999-99-99T99:99:99Z', '/v1/stream/a', '/v1/stream/a%2Fb', '/v1/stream/__ds', '%', '\u00ff\u00fe', 'x'.repeat(5000)]
const fields = ['content-type', 'stream-ttl', 'stream-expires-at', 'stream-closed', 'stream-seq', 'stream-forked-from', 'stream-fork-offset', 'stream-fork-sub-offset', 'producer-id', 'producer-epoch', 'producer-seq', 'if-none-match', 'authorization', 'origin', 'accept', 'range', 'x-forwarded-for', 'traceparent', 'x-request-id']
const paths = ['a', 'a', 'b', 'a/b', 'a%2Fb', '__ds', '__ds/x', '__ds/subscriptions/s', '__ds/jwks.json', '%00', '%ff', '%F0%9F%98%80', '..', 'a/../b', 'a//b', '', 'x'.repeat(1100), 'a/'.repeat(12), 'a?offset', '#', '%2e%2e', 'a;b', 'a:b']
const methods = ['GET', 'GET', 'PUT', 'PUT', 'POST', 'POST', 'POST', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'PURGE']
const bodies = ['', 'x', '[]', '[1]', '{}', '{"a":', '[', 'null', '"\\ud800"', '\u0000\u0001', '['.repeat(100_000), `[${'1,'.repeat(1000)}1]`, 'y'.repeat(70_000)]

test(`${requests} random requests, seed ${seed}`, async () => {
  await using server = await startServer({ env: { DS_LIMITS__MAX_MEMORY_BYTES: '3000000', DS_TRANSPORT__CONNECTION__LONG_POLL_TIMEOUT_SECS: '1' } })
  const random = new Random(seed)
  const statuses = new Map<number, number>()
  let left = requests
  const work = async () => {
    while (left-- > 0) {
      const asked = someRequest(random)
      const status = await ask(server.base, asked)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: concurrent }, work))
  expect(server.alive).toBe(true)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  expect(server.logs()).not.toContain('request failed')
  // Requests that were all refused would prove nothing.
  for (const status of [200, 201, 204, 400, 404, 409]) expect(statuses.get(status) ?? 0).toBeGreaterThan(5)
})

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | null
}

function someRequest(random: Random): Asked {
  const pick = (values: readonly string[]) => random.pick(values) ?? ''
  const value = () => pick(random.chance(0.4) ? numbers : random.chance(0.4) ? offsets : odd)
  const method = pick(methods)
  const query = Array.from({ length: random.between(0, 3) }, () => `${pick(['offset', 'offset', 'cursor', 'other', 'live'])}=${encodeURIComponent(value())}`)
  if (random.chance(0.05)) query.push('live=long-poll')
  const headers: Record<string, string> = {}
  if (random.chance(0.7)) headers['content-type'] = pick(['text/plain', 'application/json'])
  for (let count = random.between(0, 3); count > 0; count--) headers[pick(fields)] = value()
  const body = ['PUT', 'POST', 'PATCH', 'DELETE'].includes(method) && random.chance(0.8) ? pick(bodies) : null
  return { method, path: `${pick(random.chance(0.6) ? paths.slice(0, 4) : paths)}${query.length > 0 ? `?${query.join('&')}` : ''}`, headers, body }
}

/** The status; throws when it is a 5xx that the catalogue does not know for a caller's request. */
async function ask(base: string, { method, path, headers, body }: Asked): Promise<number> {
  const answer = await fetch(`${base}/${path}`, { method, headers, body, signal: AbortSignal.timeout(10_000) })
  if (answer.status < 500) {
    if (answer.headers.get('content-type') === 'text/event-stream') await answer.body?.cancel()
    else await answer.arrayBuffer()
    return answer.status
  }
  const problem = await answer.text()
  if (!/"code":"(overloaded|insufficient_storage)"/.test(problem)) throw new Error(`${method} ${path.slice(0, 200)} ${JSON.stringify(headers).slice(0, 500)} was answered ${answer.status}: ${problem}`)
  return answer.status
}

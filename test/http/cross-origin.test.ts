/** What a page of another origin can do: preflights, and the headers on every kind of answer. Forming them is src/http/cors.ts. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { exposedResponseHeaders } from '../../src/http/cors.ts'
import { readPage, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

const ours = 'https://app.example.com'
const foreign = 'https://evil.example.net'
let restricted: Server
let open: Server

beforeAll(async () => {
  const env = { DS_LIMITS__MAX_REQUEST_BODY_BYTES: '1000', DS_TRANSPORT__CONNECTION__LONG_POLL_TIMEOUT_SECS: '0.2' }
  ;[restricted, open] = await Promise.all([
    startServer({ mode: 'memory', env: { ...env, DS_HTTP__CORS_ORIGINS: `${ours}, http://localhost:3000` } }),
    startServer({ mode: 'memory', env }),
  ])
  for (const server of [restricted, open]) {
    await fetch(`${server.base}/made`, { method: 'PUT', headers: textPlain, body: 'hello' })
    await fetch(`${server.base}/closed`, { method: 'PUT', headers: { ...textPlain, 'stream-closed': 'true' }, body: 'hello' })
  }
})
afterAll(async () => {
  await Promise.all([restricted.close(), open.close()])
})

interface Kind {
  readonly name: string
  readonly status: number
  readonly path: string
  readonly init?: RequestInit
}

const kinds: readonly Kind[] = [
  { name: 'page', status: 200, path: '/made?offset=-1' },
  { name: 'long-poll with data', status: 200, path: '/made?offset=-1&live=long-poll' },
  { name: 'long-poll without', status: 204, path: '/made?offset=now&live=long-poll' },
  { name: 'SSE', status: 200, path: '/closed?offset=-1&live=sse' },
  { name: 'create', status: 200, path: '/made', init: { method: 'PUT', headers: textPlain } },
  { name: 'append', status: 204, path: '/made', init: { method: 'POST', headers: textPlain, body: 'x' } },
  { name: 'head', status: 200, path: '/made', init: { method: 'HEAD' } },
  { name: 'not found', status: 404, path: '/none' },
  { name: 'bad offset', status: 400, path: '/made?offset=x' },
  { name: 'bad name', status: 400, path: '/a//b' },
  { name: 'closed', status: 409, path: '/closed', init: { method: 'POST', headers: textPlain, body: 'x' } },
  { name: 'too large', status: 413, path: '/made', init: { method: 'POST', headers: textPlain, body: 'x'.repeat(1001) } },
  { name: 'method', status: 405, path: '/made', init: { method: 'PATCH' } },
  { name: 'subscriptions', status: 404, path: '/__ds/subscriptions/none' },
  { name: 'keys', status: 200, path: '/__ds/jwks.json' },
]

test.each([...kinds])('$name: an allowed page may read the answer and all its headers, another page nothing', async kind => {
  const allowed = await answerOf(restricted, kind, ours)
  expect(allowed.status).toBe(kind.status)
  expect(allowed.headers.get('access-control-allow-origin')).toBe(ours)
  expect(allowed.headers.get('vary')?.toLowerCase()).toContain('origin')
  expectExposed(allowed)
  const refused = await answerOf(restricted, kind, foreign)
  expect(refused.status).toBe(kind.status)
  expect(refused.headers.get('access-control-allow-origin')).toBeNull()
  const any = await answerOf(open, kind, foreign)
  expect([any.status, any.headers.get('access-control-allow-origin')]).toEqual([kind.status, '*'])
  expectExposed(any)
  for (const answer of [allowed, refused, any]) {
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  }
})

test('304 and a page without Origin say that the answer varies, so that no cache hands it to the wrong page', async () => {
  const { etag } = await readPage(`${restricted.base}/made`, '-1')
  const answer = await fetch(`${restricted.base}/made?offset=-1`, { headers: { 'if-none-match': etag, origin: ours } })
  expect([answer.status, answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([304, ours, 'Origin'])
  const plain = await fetch(`${restricted.base}/made?offset=-1`)
  expect([plain.headers.get('access-control-allow-origin'), plain.headers.get('vary')]).toEqual([null, 'Origin'])
})

test('deleting is answered for pages too', async () => {
  for (const server of [restricted, open]) {
    await fetch(`${server.base}/short`, { method: 'PUT', headers: textPlain })
    const answer = await fetch(`${server.base}/short`, { method: 'DELETE', headers: { origin: ours } })
    expect(answer.status).toBe(204)
    expect([ours, '*']).toContain(answer.headers.get('access-control-allow-origin') ?? '')
  }
})

test('a preflight needs no stream and no credential, and names every header of the protocol', async () => {
  const wanted = ['content-type', 'authorization', 'stream-seq', 'stream-ttl', 'stream-expires-at', 'stream-closed', 'stream-forked-from',
    'stream-fork-offset', 'stream-fork-sub-offset', 'producer-id', 'producer-epoch', 'producer-seq', 'if-none-match', 'last-event-id', 'cache-control']
  for (const [server, origin] of [[restricted, ours], [open, foreign]] as const) {
    for (const path of ['/made', '/none/at/all', '/__ds/subscriptions/x']) {
      for (const method of ['PUT', 'POST', 'DELETE', 'GET', 'HEAD', 'PATCH']) {
        const answer = await preflight(server, path, origin, method)
        expect(answer.status).toBe(204)
        expect([ours, '*']).toContain(answer.headers.get('access-control-allow-origin') ?? '')
        expect(answer.headers.get('access-control-allow-methods')).toContain(method)
        const headers = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/,\s*/)
        expect(wanted.filter(name => !headers.includes(name))).toEqual([])
        expect(Number(answer.headers.get('access-control-max-age'))).toBeGreaterThan(0)
      }
    }
  }
})

test('a preflight of a page that is not allowed gets no permission', async () => {
  for (const origin of [foreign, 'null', `${ours}.evil.net`, ours.replace('https', 'http'), 'https://APP.example.com', 'constructor']) {
    expect((await preflight(restricted, '/made', origin, 'POST')).headers.get('access-control-allow-origin')).toBeNull()
  }
})

async function answerOf(server: Server, kind: Kind, origin: string): Promise<Response> {
  const answer = await fetch(server.base + kind.path, { ...kind.init, headers: { ...(kind.init?.headers as Record<string, string>), origin } })
  await answer.arrayBuffer()
  return answer
}

function preflight(server: Server, path: string, origin: string, method: string): Promise<Response> {
  const headers = { origin, 'access-control-request-method': method, 'access-control-request-headers': 'content-type,producer-id' }
  return fetch(server.base + path, { method: 'OPTIONS', headers })
}

function expectExposed(answer: Response): void {
  const exposed = (answer.headers.get('access-control-expose-headers') ?? '').split(/,\s*/)
  expect(exposedResponseHeaders.filter(name => !exposed.includes(name))).toEqual([])
  // Every header of ours that is there can be read by the page.
  const own = [...answer.headers.keys()].filter(name => /^(stream-|producer-|etag$|location$|retry-after$)/.test(name))
  expect(own.filter(name => !exposed.some(each => each.toLowerCase() === name))).toEqual([])
}

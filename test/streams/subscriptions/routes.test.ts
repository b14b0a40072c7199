/** The HTTP surface: methods, bodies, refusals in the form of the protocol. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { localAdmin } from '../../../src/lib/principal.ts'
import { authenticatesItself, handleSubscriptionRequest } from '../../../src/streams/subscriptions/routes.ts'
import { FakeClock, until } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { accepted, Receiver, verifySignature } from './receiver.ts'
import { live, type Life } from './server.ts'

const base = '/v1/stream/__ds/'
const store = new MemoryStore()
const hook = new Receiver(accepted)
let life: Life
let server: Bun.Server<undefined>

beforeAll(async () => {
  life = await live(store, new FakeClock())
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const url = new URL(request.url)
      const segments = url.pathname.slice(base.length).split('/')
      return handleSubscriptionRequest(life.subscriptions, request, segments, { principal: localAdmin, origin: url.origin })
    },
  })
})
afterAll(async () => {
  await life.subscriptions.stop()
  await server.stop(true)
  await hook.close()
})

const pull = { type: 'pull-wake', pattern: 'events/*', wake_stream: 'wake/pool' }

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly error?: { readonly code: string; readonly message: string }; readonly [key: string]: unknown }
}

async function ask(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
  const response = await fetch(new URL(base + path, server.url), {
    method,
    ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

const refusals: readonly [string, string, string, unknown, number, string][] = [
  ['not JSON', 'PUT', 'subscriptions/x', '{', 400, 'INVALID_REQUEST'],
  ['not UTF-8 text', 'PUT', 'subscriptions/x', '[]', 400, 'INVALID_REQUEST'],
  ['no body', 'PUT', 'subscriptions/x', undefined, 400, 'INVALID_REQUEST'],
  ['another type', 'PUT', 'subscriptions/x', { ...pull, type: 'email' }, 400, 'INVALID_REQUEST'],
  ['neither pattern nor streams', 'PUT', 'subscriptions/x', { ...pull, pattern: '' }, 400, 'INVALID_REQUEST'],
  ['no wake stream', 'PUT', 'subscriptions/x', { ...pull, wake_stream: undefined }, 400, 'INVALID_REQUEST'],
  ['no webhook', 'PUT', 'subscriptions/x', { type: 'webhook', pattern: 'a' }, 400, 'INVALID_REQUEST'],
  ['the wake stream among the streams', 'PUT', 'subscriptions/x', { ...pull, streams: ['/wake/pool'] }, 400, 'INVALID_REQUEST'],
  ['a short lease', 'PUT', 'subscriptions/x', { ...pull, lease_ttl_ms: 999 }, 400, 'INVALID_REQUEST'],
  ['a long lease', 'PUT', 'subscriptions/x', { ...pull, lease_ttl_ms: 600_001 }, 400, 'INVALID_REQUEST'],
  ['half a millisecond', 'PUT', 'subscriptions/x', { ...pull, lease_ttl_ms: 1_000.5 }, 400, 'INVALID_REQUEST'],
  ['a reserved path', 'PUT', 'subscriptions/x', { ...pull, streams: ['__ds/x'] }, 400, 'INVALID_REQUEST'],
  ['a path upwards', 'PUT', 'subscriptions/x', { ...pull, streams: ['a/../b'] }, 400, 'INVALID_REQUEST'],
  ['half a character', 'PUT', 'subscriptions/x', '{"type":"pull-wake","streams":["\\ud800"],"wake_stream":"w"}', 400, 'INVALID_REQUEST'],
  ['a mixed pattern', 'PUT', 'subscriptions/x', { ...pull, pattern: 'a*b' }, 400, 'INVALID_REQUEST'],
  ['a long pattern', 'PUT', 'subscriptions/x', { ...pull, pattern: 'a/'.repeat(17) }, 400, 'INVALID_REQUEST'],
  ['a forbidden webhook', 'PUT', 'subscriptions/x', { type: 'webhook', pattern: 'a', webhook: { url: 'http://10.0.0.1/hook' } }, 400, 'WEBHOOK_URL_REJECTED'],
  ['more than 64 KiB', 'PUT', 'subscriptions/x', { ...pull, more: 'a'.repeat(65_536) }, 413, 'BODY_TOO_LARGE'],
  ['a long id', 'PUT', `subscriptions/${'x'.repeat(257)}`, pull, 400, 'INVALID_REQUEST'],
  ['a broken escape', 'GET', 'subscriptions/%E0%A4', undefined, 400, 'INVALID_REQUEST'],
  ['an unknown subscription', 'GET', 'subscriptions/none', undefined, 404, 'SUBSCRIPTION_NOT_FOUND'],
  ['streams of an unknown subscription', 'POST', 'subscriptions/none/streams', { streams: ['a'] }, 404, 'SUBSCRIPTION_NOT_FOUND'],
  ['a claim of an unknown subscription', 'POST', 'subscriptions/none/claim', { worker: 'w' }, 404, 'SUBSCRIPTION_NOT_FOUND'],
  ['no streams', 'POST', 'subscriptions/none/streams', { streams: [] }, 400, 'INVALID_REQUEST'],
  ['a claim by nobody', 'POST', 'subscriptions/none/claim', { worker: '' }, 400, 'INVALID_REQUEST'],
  ['another method', 'PATCH', 'subscriptions/none', undefined, 405, 'METHOD_NOT_ALLOWED'],
  ['GET of a claim', 'GET', 'subscriptions/none/claim', undefined, 405, 'METHOD_NOT_ALLOWED'],
  ['no such action', 'POST', 'subscriptions/none/other', undefined, 404, 'NOT_FOUND'],
  ['too deep', 'POST', 'subscriptions/none/claim/more', undefined, 404, 'NOT_FOUND'],
  ['nothing there', 'GET', '', undefined, 404, 'NOT_FOUND'],
  ['the list', 'GET', 'subscriptions', undefined, 404, 'NOT_FOUND'],
]
test.each(refusals)('refuses %s', async (_name, method, path, body, status, code) => {
  const answer = await ask(method, path, body)
  expect([answer.status, answer.body.error?.code]).toEqual([status, code])
  expect(answer.body.error?.message).toBeTruthy()
})

test('405 names the methods', async () => expect((await ask('PATCH', 'subscriptions/none')).headers.get('Allow')).toBe('GET, HEAD, PUT, DELETE'))

test('a pull-wake subscription from creation to deletion', async () => {
  const at = `subscriptions/${encodeURIComponent('team a/1')}`
  const created = await ask('PUT', at, { ...pull, description: 'd' })
  expect([created.status, created.body.id]).toEqual([201, 'team a/1'])
  expect((await ask('PUT', at, { ...pull, description: 'd' })).status).toBe(200)
  const other = await ask('PUT', at, pull)
  expect([other.status, other.body.error?.code]).toEqual([409, 'SUBSCRIPTION_ALREADY_EXISTS'])
  expect((await ask('POST', `${at}/claim`, { worker: 'w' })).body.error?.code).toBe('NO_PENDING_WORK')
  expect((await ask('POST', `${at}/streams`, { streams: ['manual/b'] })).status).toBe(204)
  expect((await ask('DELETE', `${at}/streams/manual%2Fb`)).status).toBe(204)
  expect((await ask('DELETE', `${at}/streams/manual/b`)).status).toBe(204)
  const tail = store.create('events/a', '{}')
  const claim = await ask('POST', `${at}/claim`, { worker: 'w1' })
  expect([claim.status, claim.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
  const busy = await ask('POST', `${at}/claim`, { worker: 'w2' })
  expect([busy.status, busy.body.error]).toEqual([409, expect.objectContaining({ code: 'ALREADY_CLAIMED', current_holder: 'w1', generation: 1 })])
  const wake = { wake_id: claim.body.wake_id, generation: claim.body.generation }
  const token = String(claim.body.token)
  expect((await ask('POST', `${at}/ack`, wake)).status).toBe(401)
  expect((await ask('POST', `${at}/ack`, { ...wake, acks: [{ stream: 'events/none', offset: tail }] }, token)).body.error?.code).toBe('INVALID_OFFSET')
  expect((await ask('POST', `${at}/callback`, wake, token)).body.error?.code).toBe('INVALID_REQUEST')
  expect((await ask('POST', `${at}/ack`, { generation: 1 }, token)).body.error?.code).toBe('FENCED')
  const acked = await ask('POST', `${at}/ack`, { ...wake, acks: [{ stream: '/events/a', offset: tail }], done: true }, token)
  expect([acked.status, acked.body]).toEqual([200, { ok: true, next_wake: false }])
  const late = await ask('POST', `${at}/release`, wake, token)
  expect([late.status, late.body.error?.code]).toEqual([409, 'FENCED'])
  expect([(await ask('DELETE', at)).status, (await ask('DELETE', at)).status, (await ask('GET', at)).status]).toEqual([204, 204, 404])
})

test('a webhook is told where the keys are, and its worker calls back', async () => {
  const created = await ask('PUT', 'subscriptions/hook', { type: 'webhook', pattern: 'jobs/**', webhook: { url: hook.url } })
  const { signing } = created.body.webhook as { signing: { kid: string; jwks_url: string } }
  expect(signing.jwks_url).toBe(new URL(`${base}jwks.json`, server.url).href)
  const jwks = await fetch(signing.jwks_url)
  expect([jwks.headers.get('Content-Type'), jwks.headers.get('Cache-Control')]).toEqual(['application/jwk-set+json', 'public, max-age=300'])
  const { keys } = (await jwks.json()) as Parameters<typeof verifySignature>[1] extends infer Keys ? { keys: Keys } : never
  expect(keys.map(key => key.kid)).toEqual([signing.kid])
  const tail = store.create('jobs/a/b', '{}')
  const received = await until(() => hook.received[0], 'a delivery')
  expect(verifySignature(received, keys)).not.toBeNull()
  const { wake_id, generation, callback_url, callback_token } = received.body
  const response = await fetch(callback_url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${callback_token}` },
    body: JSON.stringify({ wake_id, generation, acks: [{ stream: 'jobs/a/b', offset: tail }], done: true }),
  })
  expect([response.status, await response.json()]).toEqual([200, { ok: true, next_wake: false }])
})

test('which requests bring their own token', () => {
  for (const path of ['jwks.json', 'subscriptions/s/callback', 'subscriptions/s/ack', 'subscriptions/s/release']) {
    expect(authenticatesItself(path.split('/'))).toBe(true)
  }
  for (const path of ['subscriptions/s', 'subscriptions/s/claim', 'subscriptions/s/streams', 'subscriptions/s/streams/ack', 'subscriptions/ack', 'x/s/ack']) {
    expect(authenticatesItself(path.split('/'))).toBe(false)
  }
})

/** Rules met from outside: who may read and write, what shared caches learn, and live readers whose token runs out. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { EventReader, lastOffset } from '../support/event-source.ts'
import { startGuardedServer, type GuardedServer } from '../support/guarded-server.ts'
import { ask, json, readPage, textPlain } from '../support/scene.ts'

setDefaultTimeout(60_000)

let guarded: GuardedServer
let base: string

beforeAll(async () => {
  guarded = await startGuardedServer([
    { name: 'public', pattern: 'public/**', acl_world: ['READ'], acl_authenticated: ['CREATE', 'APPEND', 'CLOSE', 'DELETE', 'SUBSCRIBE'] },
    { name: 'own', pattern: 'users/{user}/**', acl_authenticated: ['CREATE', 'READ', 'APPEND', 'CLOSE', 'DELETE', 'SUBSCRIBE'], claims: [{ claim: 'sub', equals_segment: 'user' }] },
  ], { DS_HTTP__ALLOW_INSECURE_WEBHOOKS: 'true' })
  base = guarded.server.base
  expect((await ask(`${base}/users/ann/notes`, 'PUT', { ...textPlain, ...guarded.as('ann') }, 'secret')).status).toBe(201)
  expect((await ask(`${base}/public/news`, 'PUT', { ...textPlain, ...guarded.as('ann') }, 'news')).status).toBe(201)
})
afterAll(async () => {
  await guarded[Symbol.asyncDispose]()
})

test.concurrent('every kind of request to a stream of somebody else is refused, and tells nothing about it', async () => {
  for (const name of ['users/ann/notes', 'users/ann/none', 'elsewhere/x']) {
    const url = `${base}/${name}`
    const tries: readonly (readonly [string, string, string?])[] = [
      ['GET', `${url}?offset=-1`], ['GET', `${url}?offset=-1&live=sse`], ['GET', `${url}?offset=-1&live=long-poll`], ['HEAD', url],
      ['PUT', url], ['POST', url, 'x'], ['DELETE', url],
    ]
    for (const [method, address, body] of tries) {
      expect([method, name, (await ask(address, method, { ...textPlain, ...guarded.as('bob') }, body)).status]).toEqual([method, name, 403])
      expect([method, name, (await ask(address, method, textPlain, body)).status]).toEqual([method, name, 401])
    }
  }
  expect((await ask(`${base}/users/bob/copy`, 'PUT', { ...textPlain, ...guarded.as('bob'), 'stream-forked-from': '/v1/stream/users/ann/notes' })).status).toBe(403)
})

test.concurrent('a spelling of the name does not get around the rule', async () => {
  for (const name of ['users%2Fann%2Fnotes', 'users/bob/../ann/notes', 'users/%61nn/notes', 'public/../users/ann/notes', 'users/bob%2F..%2Fann/notes']) {
    const answer = await fetch(`${base}/${name}`, { headers: guarded.as('bob') })
    expect([400, 403]).toContain(answer.status)
    expect(await answer.text()).not.toContain('secret')
  }
})

test.concurrent('caches may share what everybody may read, and nothing else', async () => {
  expect((await readPage(`${base}/public/news`, '-1')).cacheControl).toStartWith('public')
  expect((await readPage(`${base}/public/news`, '-1', guarded.as('ann'))).cacheControl).toStartWith('public')
  expect((await readPage(`${base}/users/ann/notes`, '-1', guarded.as('ann'))).cacheControl).toStartWith('private')
})

test.concurrent('a preflight needs no token; refusals carry a challenge and can be read by pages', async () => {
  const headers = { origin: 'https://app.example.org', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
  const preflight = await fetch(`${base}/users/ann/notes`, { method: 'OPTIONS', headers })
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
  const refused = await fetch(`${base}/users/ann/notes`, { headers: { origin: 'https://app.example.org' } })
  expect([refused.status, refused.headers.get('access-control-allow-origin'), refused.headers.get('www-authenticate')]).toEqual([401, '*', 'Bearer'])
})

test.concurrent('live readers are cut within a second of the end of their token, and go on with a new one', async () => {
  const url = `${base}/users/ann/live`
  await ask(url, 'PUT', { ...textPlain, ...guarded.as('ann') }, 'one')
  const short = guarded.as('ann', 1.5)
  const endsAtMs = performance.now() + 1500
  const answer = await fetch(`${url}?offset=-1&live=sse`, { headers: short })
  await using live = new EventReader(answer)
  const events = await live.until(control => control.upToDate === true)
  const polled = fetch(`${url}?offset=${lastOffset(events)}&live=long-poll`, { headers: short }).then(async poll => ({ status: poll.status, ms: performance.now(), body: await poll.text() }))
  await live.rest()
  const sseEndedMs = performance.now()
  const poll = await polled
  for (const ms of [sseEndedMs, poll.ms]) {
    expect(ms - endsAtMs).toBeGreaterThan(-300)
    expect(ms - endsAtMs).toBeLessThan(1000)
  }
  expect([204, 401]).toContain(poll.status)
  for (const query of [`offset=${lastOffset(events)}&live=sse`, `offset=${lastOffset(events)}&live=long-poll`, 'offset=-1']) {
    const late = await fetch(`${url}?${query}`, { headers: short })
    expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([401, 'token_expired'])
  }
  await ask(url, 'POST', { ...textPlain, ...guarded.as('ann') }, 'two')
  expect(await (await fetch(`${url}?offset=${lastOffset(events)}`, { headers: guarded.as('ann') })).text()).toBe('two')
})

test.concurrent('what is written after the end of a token never reaches its reader', async () => {
  const url = `${base}/users/ann/after`
  await ask(url, 'PUT', { ...textPlain, ...guarded.as('ann') })
  await using live = new EventReader(await fetch(`${url}?offset=-1&live=sse`, { headers: guarded.as('ann', 1) }))
  const all = live.rest()
  await Bun.sleep(2000)
  await ask(url, 'POST', { ...textPlain, ...guarded.as('ann') }, 'too late')
  expect((await all).filter(event => event.type === 'data')).toEqual([])
})

test.concurrent('live readers end when the issuer withdraws the key of their token', async () => {
  await using other = await startGuardedServer([{ name: 'all', pattern: '**', acl_authenticated: ['CREATE', 'READ', 'APPEND'] }])
  const url = `${other.server.base}/live`
  await ask(url, 'PUT', { ...textPlain, ...other.as('ann') }, 'one')
  const withdrawn = other.as('ann')
  await using live = new EventReader(await fetch(`${url}?offset=-1&live=sse`, { headers: withdrawn }))
  const events = await live.until(control => control.upToDate === true)
  const polled = fetch(`${url}?offset=${lastOffset(events)}&live=long-poll`, { headers: withdrawn })
  await Bun.sleep(1100) // longer than the least time between two looks at the keys
  other.rotate()
  await using kept = new EventReader(await fetch(`${url}?offset=-1&live=sse`, { headers: other.as('ann') }))
  await kept.until(control => control.upToDate === true)
  const rotatedMs = performance.now()
  await live.rest()
  expect((await polled).status).toBe(401)
  expect(performance.now() - rotatedMs).toBeLessThan(10_000)
  await ask(url, 'POST', { ...textPlain, ...other.as('ann') }, 'two')
  expect(await kept.until(control => control.upToDate === true)).not.toEqual([])
})

test.concurrent('subscriptions obey the rules of the streams they cover; only their own token reports on a wake', async () => {
  const subscription = `${base}/__ds/subscriptions/ann-1`
  const pull = { type: 'pull-wake', streams: ['users/ann/work'], wake_stream: 'users/ann/wakes', lease_ttl_ms: 5000 }
  for (const name of ['work', 'wakes']) await ask(`${base}/users/ann/${name}`, 'PUT', { ...json, ...guarded.as('ann') })
  const send = sender(subscription)
  expect((await send('PUT', '', {}, pull)).status).toBe(401)
  expect((await send('PUT', '', guarded.as('bob'), pull)).status).toBe(403)
  expect((await send('PUT', '', guarded.as('ann'), pull)).status).toBe(201)
  expect((await send('PUT', '', guarded.as('bob'), { ...pull, streams: undefined, pattern: 'users/**' })).status).toBe(403)
  for (const [method, path, body] of [['GET', ''], ['DELETE', ''], ['POST', '/streams', { streams: ['users/ann/x'] }], ['POST', '/claim', { worker: 'w' }], ['DELETE', '/streams/users/ann/work']] as const) {
    expect([method, path, (await send(method, path, {}, body)).status]).toEqual([method, path, 401])
    expect([method, path, (await send(method, path, guarded.as('bob'), body)).status]).toEqual([method, path, 403])
  }
  expect((await send('POST', '/streams', guarded.as('ann'), { streams: ['users/bob/x'] })).status).toBe(403)
  await ask(`${base}/users/ann/work`, 'POST', { ...json, ...guarded.as('ann') }, '{"job":1}')
  const claim = await send('POST', '/claim', guarded.as('ann'), { worker: 'w1' })
  expect(claim.status).toBe(200)
  for (const path of ['/ack', '/release']) {
    for (const headers of [{}, guarded.as('ann'), guarded.as('bob'), { authorization: 'Bearer x.y.z' }]) {
      expect((await send('POST', path, headers, { wake_id: claim.body.wake_id, generation: claim.body.generation, acks: [] })).status).toBe(401)
    }
  }
  expect((await fetch(`${base}/__ds/jwks.json`)).status).toBe(200)
})

test.concurrent('a webhook subscription belongs to those who may subscribe to all of its streams', async () => {
  const send = sender(`${base}/__ds/subscriptions/ann-2`)
  const hook = { type: 'webhook', streams: ['users/ann/hooked'], webhook: { url: 'http://127.0.0.1:9/hook' } }
  expect((await send('PUT', '', guarded.as('ann'), hook)).status).toBe(201)
  const tries = [['GET', ''], ['DELETE', ''], ['POST', '/streams', { streams: ['users/bob/x'] }], ['DELETE', '/streams/users/bob/x'], ['PUT', '', hook]] as const
  for (const [method, path, body] of tries) {
    expect([method, path, (await send(method, path, {}, body)).status]).toEqual([method, path, 401])
    expect([method, path, (await send(method, path, guarded.as('bob'), body)).status]).toEqual([method, path, 403])
  }
  expect((await send('POST', '/streams', guarded.as('ann'), { streams: ['users/ann/more'] })).status).toBe(204)
  expect((await send('GET', '', guarded.as('ann'))).status).toBe(200)
  expect((await send('DELETE', '', guarded.as('ann'))).status).toBe(204)
  // One that covers nothing would be everybody's.
  for (const nothing of [{ streams: [] }, {}]) {
    const { status } = await sender(`${base}/__ds/subscriptions/nobody`)('PUT', '', {}, { ...hook, streams: undefined, ...nothing })
    expect([400, 401]).toContain(status)
  }
})

function sender(subscription: string) {
  return async (method: string, path: string, headers: Record<string, string>, body?: object) => {
    const answer = await fetch(subscription + path, { method, headers: { ...json, ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    return { status: answer.status, body: (await answer.json().catch(() => ({}))) as Record<string, unknown> }
  }
}

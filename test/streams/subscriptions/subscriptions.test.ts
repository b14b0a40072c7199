import { afterEach, describe, expect, test } from 'bun:test'
import { startOffset } from '../../../src/streams/subscriptions/lease.ts'
import { deliveriesConcurrentMax } from '../../../src/streams/subscriptions/limits.ts'
import type { SubscriptionOptions } from '../../../src/streams/subscriptions/subscriptions.ts'
import { FakeClock, settle, until } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { accepted, broken, done, Receiver, verifySignature, type Answer } from './receiver.ts'
import { acked, caller, live, pullWake, refusal, webhook, type Life } from './server.ts'

const lives: Life[] = []
const receivers: Receiver[] = []
afterEach(async () => {
  for (const life of lives.splice(0)) await life.subscriptions.stop()
  for (const receiver of receivers.splice(0)) await receiver.close()
})

interface Scene {
  readonly store: MemoryStore
  readonly clock: FakeClock
  start(changed?: Partial<SubscriptionOptions>): Promise<Life>
}

function scene(): Scene {
  const store = new MemoryStore()
  const clock = new FakeClock()
  return {
    store,
    clock,
    async start(changed) {
      const life = await live(store, clock, changed)
      lives.push(life)
      return life
    },
  }
}

function receiver(answer: Answer): Receiver {
  const made = new Receiver(answer)
  receivers.push(made)
  return made
}

const bearer = (token: string) => `Bearer ${token}`
const events = (store: MemoryStore) => store.messages('wake/pool') as { generation: number; stream: string; type: string; ts: number; subscription_id: string }[]

describe('creating', () => {
  test('the same configuration confirms, another one is refused', async () => {
    const { subscriptions } = await scene().start()
    expect((await subscriptions.create('s', webhook('https://hooks.example.com/', { streams: ['b', 'a', 'b'] }), caller).catch(String)).toString()).toContain('rejected')
    const first = await subscriptions.create('s', webhook('http://127.0.0.1:1/', { streams: ['b', 'a', 'b'] }), caller)
    expect(first.created).toBe(true)
    expect((await subscriptions.create('s', webhook('http://127.0.0.1:1/', { streams: ['/a/', 'b'] }), caller)).created).toBe(false)
    expect(await refusal(subscriptions.create('s', webhook('http://127.0.0.1:1/', { streams: ['a'] }), caller))).toBe('subscription_exists')
    expect(first.view).toMatchObject({ id: 's', subscription_id: 's', type: 'webhook', pattern: 'events/*', wake_stream: null, lease_ttl_ms: 30_000, status: 'active' })
    expect(JSON.stringify(first.view)).not.toMatch(/secret|token|seed/)
  })

  test('B10: of two creates at once one is first, and neither overwrites the other', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const ids = Array.from({ length: 20 }, (_, i) => `s${i}`)
    const results = await Promise.all(
      ids.flatMap(id => [
        subscriptions.create(id, pullWake({ description: 'one' }), caller).then(() => 'one', () => 'refused'),
        subscriptions.create(id, pullWake({ description: 'two' }), caller).then(() => 'two', () => 'refused'),
      ]),
    )
    expect(results.filter(result => result === 'refused')).toHaveLength(20)
    for (const [i, id] of ids.entries()) {
      const winner = results.slice(2 * i, 2 * i + 2).find(result => result !== 'refused')
      expect((await subscriptions.get(id, caller)).description).toBe(winner ?? '')
      expect(JSON.parse(store.meta.get(`subscription/${id}`) ?? '').config.description).toBe(winner)
    }
  })

  test('a create that cannot be stored leaves nothing', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    store.create('events/a', '{}')
    store.saveFailure = new Error('disk full')
    expect(await refusal(subscriptions.create('s', pullWake(), caller))).toContain('disk full')
    store.saveFailure = null
    expect(await refusal(subscriptions.get('s', caller))).toBe('subscription_not_found')
    expect((await subscriptions.create('s', pullWake({ lease_ttl_ms: 5_000 }), caller)).created).toBe(true)
  })

  test('existing streams are linked at their tail, younger ones at their start', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const tail = store.create('events/old', '{"a":1}')
    store.create('other/x', '{}')
    await subscriptions.create('s', pullWake(), caller)
    expect(await acked(subscriptions, 's')).toEqual({ 'events/old': tail })
    store.create('events/new', '{}')
    store.create('events/deep/er', '{}')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/old': tail, 'events/new': startOffset })
    expect((await subscriptions.claim('s', 'w', caller)).streams.filter(stream => stream.has_pending).map(stream => stream.path)).toEqual(['events/new'])
  })

  test('a subscription does not follow its own wake stream', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake({ pattern: '**' }), caller)
    store.create('events/a', '{}')
    await settle()
    expect(Object.keys(await acked(subscriptions, 's'))).toEqual(['events/a'])
    expect(await refusal(subscriptions.addStreams('s', ['wake/pool'], caller))).toBe('invalid_request')
  })

  test('the rules decide who may', async () => {
    const { start } = scene()
    const seen: string[] = []
    const authorize: SubscriptionOptions['authorize'] = (_principal, request) => {
      seen.push(`${request.action} ${request.id} ${request.pattern} ${request.wakeStream} ${request.streams.join()}`)
    }
    const { subscriptions } = await start({ authorize })
    await subscriptions.create('s', pullWake(), caller)
    await subscriptions.addStreams('s', ['x'], caller)
    expect(seen).toEqual(['create s events/* wake/pool ', 'link s events/* wake/pool x'])
  })
})

describe('webhooks', () => {
  test('done acknowledges exactly what was delivered; what came meanwhile wakes again', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    let late = ''
    const hook = receiver(async () => {
      if (hook.received.length === 1) {
        store.push('events/a', '{"late":1}')
        late = store.tail('events/a')
      }
      return Response.json({ done: true })
    })
    await subscriptions.create('s', webhook(hook.url), caller)
    const first = store.create('events/a', '{"n":1}')
    await until(() => hook.received.length === 2, 'two deliveries')
    const [one, two] = hook.received
    expect(one?.body).toMatchObject({ subscription_id: 's', generation: 1, callback_url: 'http://here.test/v1/stream/__ds/subscriptions/s/callback' })
    expect(one?.body.streams).toEqual([{ path: 'events/a', link_type: 'glob', acked_offset: startOffset, tail_offset: first, has_pending: true }])
    expect(two?.body.streams).toEqual([{ path: 'events/a', link_type: 'glob', acked_offset: first, tail_offset: late, has_pending: true }])
    expect(two?.body.generation).toBe(2)
    expect(two?.body.wake_id).not.toBe(one?.body.wake_id)
    await until(() => store.meta.get('subscription/s')?.includes('"generation":2,"phase":"idle"'), 'the second done')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': late })
    expect(verifySignature(hook.last(), subscriptions.jwks().keys)).toBeGreaterThan(1_700_000_000)
  })

  test('callback: heartbeat, acks, done; then it is fenced', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(accepted)
    await subscriptions.create('s', webhook(hook.url, { lease_ttl_ms: 10_000 }), caller)
    const tail = store.create('events/a', '{"n":1}')
    const { wake_id, generation, callback_token } = (await until(() => hook.received[0], 'a delivery')).body
    const wake = { wakeId: wake_id, generation }
    const call = (more: object) => subscriptions.report('s', 'webhook', bearer(callback_token), { ...wake, acks: [], done: false, ...more })
    await settle()
    await clock.advance(9_000)
    expect(await call({})).toEqual({ ok: true, next_wake: false })
    await clock.advance(9_000)
    expect(await refusal(call({ generation: 2 }))).toBe('fenced')
    expect(await refusal(call({ wakeId: 'w_other' }))).toBe('fenced')
    expect(await call({ acks: [{ path: 'events/a', offset: tail }], done: true })).toEqual({ ok: true, next_wake: false })
    expect(await refusal(call({ done: true }))).toBe('fenced')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': tail })
    expect(hook.received).toHaveLength(1)
  })

  test('a lease without callback expires, and the work wakes again with a new generation', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(accepted)
    await subscriptions.create('s', webhook(hook.url, { lease_ttl_ms: 1_000 }), caller)
    store.create('events/a', '{}')
    const first = await until(() => hook.received[0], 'a delivery')
    await settle()
    await clock.advance(999)
    expect(hook.received).toHaveLength(1)
    await clock.advance(1)
    const second = await until(() => hook.received[1], 'the next wake')
    expect([first.body.generation, second.body.generation]).toEqual([1, 2])
    const stale = { wakeId: first.body.wake_id, generation: 1, acks: [], done: true }
    expect(await refusal(subscriptions.report('s', 'webhook', bearer(first.body.callback_token), stale))).toBe('fenced')
  })

  test('a late done of an expired wake acknowledges nothing and leaves the next wake alone', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    let answerFirst = (_response: Response) => {}
    const hook = receiver(() => (hook.received.length === 1 ? new Promise<Response>(resolve => (answerFirst = resolve)) : new Response(null, { status: 202 })))
    await subscriptions.create('s', webhook(hook.url, { lease_ttl_ms: 1_000 }), caller)
    store.create('events/a', '{}')
    await until(() => hook.received.length === 1, 'a delivery')
    await clock.advance(1_000)
    expect((await subscriptions.get('s', caller)).status).toBe('failed')
    await clock.advance(1_000)
    const second = await until(() => hook.received[1], 'the next wake, a second later')
    answerFirst(Response.json({ done: true }))
    await settle()
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': startOffset })
    const mine = { wakeId: second.body.wake_id, generation: 2, acks: [], done: false }
    expect(await subscriptions.report('s', 'webhook', bearer(second.body.callback_token), mine)).toMatchObject({ ok: true })
  })

  test('failures are retried after 1, 2, 4, 8 s with the same wake, and success makes it active', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(broken)
    await subscriptions.create('s', webhook(hook.url), caller)
    const startMs = clock.now()
    const times: number[] = []
    const status = async () => (await subscriptions.get('s', caller)).status
    store.create('events/a', '{}')
    for (const [i, delayMs] of [1_000, 2_000, 4_000, 8_000].entries()) {
      await until(() => hook.received.length === i + 1, `attempt ${i + 1}`)
      times.push(clock.now() - startMs)
      await until(() => store.meta.get('subscription/s')?.includes('"failed"') && JSON.parse(store.meta.get('subscription/s') ?? '').state.attempts === i + 1, 'failure stored')
      expect(await status()).toBe('failed')
      if (i === 3) hook.answer = done
      await clock.advance(delayMs - 1)
      expect(hook.received).toHaveLength(i + 1)
      await clock.advance(1)
    }
    await until(() => hook.received.length === 5, 'the last attempt')
    await until(() => store.meta.get('subscription/s')?.includes('"active"'), 'success')
    expect(times).toEqual([0, 1_000, 3_000, 7_000])
    expect(new Set(hook.received.map(received => `${received.body.wake_id} ${received.body.generation}`)).size).toBe(1)
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': store.tail('events/a') })
  })

  test('done without progress does not spin', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(accepted)
    await subscriptions.create('s', webhook(hook.url), caller)
    store.create('events/a', '{}')
    const { body } = await until(() => hook.received[0], 'a delivery')
    const report = { wakeId: body.wake_id, generation: 1, acks: [], done: true }
    expect(await subscriptions.report('s', 'webhook', bearer(body.callback_token), report)).toEqual({ ok: true, next_wake: true })
    await clock.advance(999)
    expect(hook.received).toHaveLength(1)
    await clock.advance(1)
    await until(() => hook.received.length === 2, 'the next wake')
  })

  test('a wake lists a thousand streams at most; the rest follows in the next', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(accepted)
    await subscriptions.create('s', webhook(hook.url), caller)
    for (let i = 0; i < 1_500; i++) store.create(`events/${i}`, '{}')
    const acks = async (at: number) => {
      const { body } = await until(() => hook.received[at], `delivery ${at + 1}`)
      await settle()
      const acks = body.streams.filter(stream => stream.has_pending).map(stream => ({ path: stream.path, offset: stream.tail_offset }))
      const report = { wakeId: body.wake_id, generation: body.generation, acks, done: true }
      expect(await subscriptions.report('s', 'webhook', bearer(body.callback_token), report)).toEqual({ ok: true, next_wake: at === 0 })
      return acks.length
    }
    expect([await acks(0), await acks(1)].reduce((sum, count) => sum + count)).toBe(1_500)
    expect(Object.values(await acked(subscriptions, 's')).every(offset => offset === store.tail('events/0'))).toBe(true)
  })

  test(`at most ${deliveriesConcurrentMax} deliveries are under way, and all come to their turn`, async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    let running = 0
    let most = 0
    const hook = receiver(async () => {
      most = Math.max(most, ++running)
      await new Promise(resolve => setTimeout(resolve, 20))
      running--
      return Response.json({ done: true })
    })
    const count = deliveriesConcurrentMax * 3
    for (let i = 0; i < count; i++) await subscriptions.create(`s${i}`, webhook(hook.url), caller)
    store.create('events/a', '{}')
    await until(() => hook.received.length === count, 'all deliveries')
    await until(() => running === 0, 'all answers')
    expect(most).toBe(deliveriesConcurrentMax)
    expect(new Set(hook.received.map(received => received.body.subscription_id)).size).toBe(count)
  })

  test('one that waits for a place and is deleted does not hold the others up', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const gates: (() => void)[] = []
    const hook = receiver(() => new Promise<Response>(resolve => gates.push(() => resolve(Response.json({ done: true })))))
    for (let i = 0; i < deliveriesConcurrentMax + 2; i++) await subscriptions.create(`s${i}`, webhook(hook.url), caller)
    store.create('events/a', '{}')
    await until(() => gates.length === deliveriesConcurrentMax, 'all places taken')
    await subscriptions.delete(`s${deliveriesConcurrentMax}`, caller)
    gates[0]?.()
    await until(() => hook.received.some(received => received.body.subscription_id === `s${deliveriesConcurrentMax + 1}`), 'the last one')
    for (const open of gates) open()
  })
})

describe('acks', () => {
  test('all are checked before one is applied', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake(), caller)
    const a = store.create('events/a', '{}')
    store.create('events/b', '{}')
    const claim = await subscriptions.claim('s', 'w', caller)
    const wake = { wakeId: claim.wake_id, generation: claim.generation, done: false }
    const beyond = '0000000000000000_0000000000000999'
    const acks = [{ path: 'events/a', offset: a }, { path: 'events/b', offset: beyond }]
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), { ...wake, acks }))).toBe('invalid_ack')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': startOffset, 'events/b': startOffset })
    await subscriptions.report('s', 'pull-wake', bearer(claim.token), { ...wake, acks: acks.slice(0, 1) })
    const back = [{ path: 'events/a', offset: startOffset }]
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), { ...wake, acks: back }))).toBe('invalid_ack')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': a, 'events/b': startOffset })
  })

  test('an ack that cannot be stored did not happen', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake(), caller)
    const a = store.create('events/a', '{}')
    await settle()
    const claim = await subscriptions.claim('s', 'w', caller)
    const report = { wakeId: claim.wake_id, generation: claim.generation, acks: [{ path: 'events/a', offset: a }], done: true }
    store.saveFailure = new Error('disk full')
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), report))).toContain('disk full')
    store.saveFailure = null
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': startOffset })
    expect(await subscriptions.report('s', 'pull-wake', bearer(claim.token), report)).toEqual({ ok: true, next_wake: false })
  })

  test('tokens: forged, missing, of another subscription, of an earlier one with the same id, too old', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 600_000 }), caller)
    await subscriptions.create('t', pullWake(), caller)
    store.create('events/a', '{}')
    const s = await subscriptions.claim('s', 'w', caller)
    const t = await subscriptions.claim('t', 'w', caller)
    const report = { wakeId: s.wake_id, generation: 1, acks: [], done: false }
    const act = (authorization: string | null) => refusal(subscriptions.report('s', 'pull-wake', authorization, report))
    expect(await act(null)).toBe('token_invalid')
    expect(await act(bearer(t.token))).toBe('token_invalid')
    expect(await act(bearer(`${s.token.slice(0, -2)}AA`))).toBe('token_invalid')
    expect(await act(bearer(`${s.token.split('.')[0]}.`))).toBe('token_invalid')
    expect(await act(bearer('a'.repeat(100_000)))).toBe('token_invalid')
    for (let i = 0; i < 24 * 6; i++) {
      expect(await act(bearer(s.token))).toBe('none')
      await clock.advance(599_999)
    }
    await clock.advance(144)
    expect(await act(bearer(s.token))).toBe('token_expired')
    await subscriptions.delete('s', caller)
    expect(await act(bearer(s.token))).toBe('subscription_not_found')
    await subscriptions.create('s', pullWake(), caller)
    expect(await act(bearer(s.token))).toBe('token_invalid')
  })
})

describe('pull-wake', () => {
  test('event, claim, busy, ack, next event, release', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake(), caller)
    expect(await refusal(subscriptions.claim('s', 'w1', caller))).toBe('no_pending_work')
    const a = store.create('events/a', '{}')
    await until(() => events(store).length === 1, 'an event')
    expect(events(store)[0]).toEqual({ type: 'wake', subscription_id: 's', stream: 'events/a', generation: 1, ts: clock.now() })
    const claim = await subscriptions.claim('s', 'w1', caller)
    expect(claim).toMatchObject({ generation: 1, lease_ttl_ms: 30_000 })
    const busy = await subscriptions.claim('s', 'w2', caller).catch((error: unknown) => error)
    expect(busy).toMatchObject({ code: 'already_claimed', details: { current_holder: 'w1', generation: 1 } })
    store.push('events/a', '{"more":1}')
    const report = { wakeId: claim.wake_id, generation: 1, acks: [{ path: 'events/a', offset: a }], done: true }
    expect(await subscriptions.report('s', 'pull-wake', bearer(claim.token), report)).toEqual({ ok: true, next_wake: true })
    await until(() => events(store).length === 2, 'the next event')
    const again = await subscriptions.claim('s', 'w2', caller)
    expect(again.generation).toBe(2)
    await subscriptions.release('s', bearer(again.token), { wakeId: again.wake_id, generation: 2, acks: [], done: false })
    await until(() => events(store).length === 3, 'an event after the release')
    expect(events(store).map(event => event.generation)).toEqual([1, 2, 3])
    expect(await refusal(subscriptions.release('s', bearer(again.token), { wakeId: again.wake_id, generation: 2, acks: [], done: false }))).toBe('fenced')
  })

  test('a claim that dies expires, and its work is announced again', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 5_000 }), caller)
    store.create('events/a', '{}')
    await settle()
    const claim = await subscriptions.claim('s', 'w1', caller)
    await clock.advance(4_000)
    const beat = { wakeId: claim.wake_id, generation: 1, acks: [], done: false }
    await subscriptions.report('s', 'pull-wake', bearer(claim.token), beat)
    await clock.advance(4_999)
    expect(events(store)).toHaveLength(1)
    await clock.advance(1)
    expect(events(store).map(event => event.generation)).toEqual([1, 2])
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), beat))).toBe('fenced')
    expect((await subscriptions.claim('s', 'w2', caller)).generation).toBe(2)
  })

  test('a missing wake stream is waited for, and written to as soon as it exists', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake(), caller)
    store.create('events/a', '{}')
    await clock.advance(100)
    expect((await subscriptions.get('s', caller)).status).toBe('failed')
    await clock.advance(20_000)
    store.create('wake/pool')
    await settle()
    expect(events(store).map(event => event.generation)).toEqual([1])
    expect((await subscriptions.get('s', caller)).status).toBe('active')
    store.remove('wake/pool')
    store.create('wake/pool')
    await clock.advance(1)
    expect(events(store).map(event => event.generation)).toEqual([1])
  })

  test('an event that nobody claims is repeated, ever more rarely', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 10_000 }), caller)
    store.create('events/a', '{}')
    const startMs = clock.now()
    await clock.advance(200_000)
    expect(events(store).map(event => event.ts - startMs)).toEqual([0, 10_000, 30_000, 70_000, 150_000])
    expect(new Set(events(store).map(event => event.generation))).toEqual(new Set([1]))
  })

  test('nothing left to do takes the wake back', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake(), caller)
    store.create('events/a', '{}')
    await settle()
    store.remove('events/a')
    expect(await refusal(subscriptions.claim('s', 'w', caller))).toBe('no_pending_work')
    await clock.advance(1_000_000)
    expect(events(store)).toHaveLength(1)
  })
})

describe('membership', () => {
  test('explicit links come at the tail, go, and leave links by pattern alone', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const x = store.create('manual/x', '{}')
    store.create('events/a', '{}')
    await subscriptions.create('s', pullWake({ streams: ['manual/none'] }), caller)
    await subscriptions.addStreams('s', ['manual/x', 'events/a', 'manual/x'], caller)
    const types = async () => {
      const streams = (await subscriptions.get('s', caller)).streams as { path: string; link_type: string }[]
      return Object.fromEntries(streams.map(stream => [stream.path, stream.link_type]))
    }
    expect(await types()).toEqual({ 'manual/none': 'explicit', 'events/a': 'explicit', 'manual/x': 'explicit' })
    expect((await acked(subscriptions, 's'))['manual/x']).toBe(x)
    for (const path of ['manual/x', 'events/a', 'manual/none', 'never/there']) await subscriptions.removeStream('s', path, caller)
    expect(await types()).toEqual({ 'events/a': 'glob' })
  })

  test('an explicit link outlives its stream, and the next stream there wakes', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    store.create('manual/x', '{"old":"long text"}')
    await subscriptions.create('s', pullWake({ pattern: null, streams: ['manual/x'] }), caller)
    store.remove('manual/x')
    expect(await acked(subscriptions, 's')).toEqual({ 'manual/x': startOffset })
    store.create('manual/x', '{}')
    await until(() => events(store).length === 1, 'an event')
  })

  test('an ack from a wake before the stream was created again is passed over', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake({ streams: ['manual/x'] }), caller)
    const old = store.create('manual/x', '{"n":1}')
    const a = store.create('events/a', '{"n":1}')
    const claim = await subscriptions.claim('s', 'w', caller)
    for (const path of ['manual/x', 'events/a']) {
      store.remove(path)
      store.create(path, '{"new":"and longer"}')
    }
    const acks = [{ path: 'manual/x', offset: old }, { path: 'events/a', offset: a }]
    const report = { wakeId: claim.wake_id, generation: 1, acks, done: true }
    expect(await subscriptions.report('s', 'pull-wake', bearer(claim.token), report)).toEqual({ ok: true, next_wake: true })
    expect(await acked(subscriptions, 's')).toEqual({ 'manual/x': startOffset, 'events/a': startOffset })
  })

  test('a deleted subscription is silent', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(broken)
    await subscriptions.create('s', webhook(hook.url, { streams: ['manual/x'] }), caller)
    store.create('events/a', '{}')
    await until(() => hook.received.length === 1, 'a delivery')
    await subscriptions.delete('s', caller)
    await subscriptions.delete('s', caller)
    store.push('events/a', '{}')
    await clock.advance(600_000)
    expect(hook.received).toHaveLength(1)
    expect([...store.meta.keys()].filter(key => /^subscription(-link)?\//.test(key))).toEqual([])
  })
})

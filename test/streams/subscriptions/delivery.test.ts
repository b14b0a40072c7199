/** Webhooks end to end: wakes, answers, retries, callbacks, fencing. */
import { describe, expect, test } from 'bun:test'
import { startOffset } from '../../../src/streams/subscriptions/lease.ts'
import { deliveriesConcurrentMax } from '../../../src/streams/subscriptions/limits.ts'
import { settle, until } from './fake-clock.ts'
import { accepted, broken, done, verifySignature } from './receiver.ts'
import { bearer, stage } from './scene.ts'
import { acked, caller, refusal, webhook } from './server.ts'

const { receiver, scene } = stage()

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

  test('nor does it when the alarm of the lease itself is late', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    let answer = (_response: Response) => {}
    const hook = receiver(() => new Promise<Response>(resolve => (answer = resolve)))
    await subscriptions.create('s', webhook(hook.url, { lease_ttl_ms: 1_000 }), caller)
    store.create('events/a', '{}')
    await until(() => hook.received.length === 1, 'a delivery')
    clock.jump(1_000)
    answer(Response.json({ done: true }))
    await until(() => store.meta.get('subscription/s')?.includes('"phase":"idle"'), 'the end of the wake')
    expect(await acked(subscriptions, 's')).toEqual({ 'events/a': startOffset })
  })

  test('done says nothing about a stream that was created again meanwhile', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(() => {
      if (hook.received.length === 1) {
        for (const path of ['events/a', 'manual/x']) {
          store.remove(path)
          store.create(path, '{"new":"and longer"}')
        }
      }
      return hook.received.length === 1 ? Response.json({ done: true }) : new Response(null, { status: 202 })
    })
    await subscriptions.create('s', webhook(hook.url, { streams: ['manual/x'] }), caller)
    store.create('manual/x', '{}')
    const { body } = await until(() => hook.received[1], 'the next wake')
    const again = body.streams.find(stream => stream.path === 'manual/x')
    expect(again).toMatchObject({ acked_offset: startOffset, tail_offset: store.tail('manual/x'), has_pending: true })
  })

  test('a receiver may call back before it answers, and is woken again although it never does', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const hook = receiver(() => new Promise<Response>(() => {}))
    await subscriptions.create('s', webhook(hook.url), caller)
    const tail = store.create('events/a', '{}')
    const { body } = await until(() => hook.received[0], 'a delivery')
    const report = { wakeId: body.wake_id, generation: 1, acks: [{ path: 'events/a', offset: tail }], done: true }
    expect(await subscriptions.report('s', 'webhook', bearer(body.callback_token), report)).toEqual({ ok: true, next_wake: false })
    store.push('events/a', '{}')
    expect((await until(() => hook.received[1], 'the next wake')).body.generation).toBe(2)
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

  test('one that waits for a place and needs it no more passes it on', async () => {
    const { store, start } = scene()
    const { subscriptions } = await start()
    const gates: (() => void)[] = []
    const hook = receiver(() => new Promise<Response>(resolve => gates.push(() => resolve(new Response(null, { status: 202 })))))
    for (let i = 0; i < deliveriesConcurrentMax; i++) await subscriptions.create(`s${i}`, webhook(hook.url), caller)
    store.create('events/a', '{}')
    await until(() => gates.length === deliveriesConcurrentMax, 'all places taken')
    await subscriptions.create('first', webhook(hook.url, { pattern: 'first/*' }), caller)
    await subscriptions.create('second', webhook(hook.url, { pattern: 'second/*' }), caller)
    store.create('first/a', '{}')
    await settle()
    store.create('second/a', '{}')
    await settle()
    store.remove('first/a')
    await settle()
    gates[0]?.()
    await until(() => hook.received.some(received => received.body.subscription_id === 'second'), 'the second one')
    expect(hook.received.some(received => received.body.subscription_id === 'first')).toBe(false)
    for (const open of gates) open()
  })
})

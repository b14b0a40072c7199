/** Pull-wake end to end: claims, heartbeats, releases, wake streams that come late. */
import { describe, expect, test } from 'bun:test'
import { settle, until } from './fake-clock.ts'
import { done } from './receiver.ts'
import { bearer, stage, wakeEvents } from './scene.ts'
import { caller, pullWake, refusal } from './server.ts'

const { scene } = stage()

describe('pull-wake', () => {
  test('event, claim, busy, ack, next event, release', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake(), caller)
    expect(await refusal(subscriptions.claim('s', 'w1', caller))).toBe('no_pending_work')
    const a = store.create('events/a', '{}')
    await until(() => wakeEvents(store).length === 1, 'an event')
    expect(wakeEvents(store)[0]).toEqual({ type: 'wake', subscription_id: 's', stream: 'events/a', generation: 1, ts: clock.now() })
    const claim = await subscriptions.claim('s', 'w1', caller)
    expect(claim).toMatchObject({ generation: 1, lease_ttl_ms: 30_000 })
    const busy = await subscriptions.claim('s', 'w2', caller).catch((error: unknown) => error)
    expect(busy).toMatchObject({ code: 'already_claimed', details: { current_holder: 'w1', generation: 1 } })
    store.push('events/a', '{"more":1}')
    const report = { wakeId: claim.wake_id, generation: 1, acks: [{ path: 'events/a', offset: a }], done: true }
    expect(await subscriptions.report('s', 'pull-wake', bearer(claim.token), report)).toEqual({ ok: true, next_wake: true })
    await until(() => wakeEvents(store).length === 2, 'the next event')
    const again = await subscriptions.claim('s', 'w2', caller)
    expect(again.generation).toBe(2)
    await subscriptions.release('s', bearer(again.token), { wakeId: again.wake_id, generation: 2, acks: [], done: false })
    await until(() => wakeEvents(store).length === 3, 'an event after the release')
    expect(wakeEvents(store).map(event => event.generation)).toEqual([1, 2, 3])
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
    expect(wakeEvents(store)).toHaveLength(1)
    await clock.advance(1)
    expect(wakeEvents(store).map(event => event.generation)).toEqual([1, 2])
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), beat))).toBe('fenced')
    expect((await subscriptions.claim('s', 'w2', caller)).generation).toBe(2)
  })

  test('a lease is over at its time, even when its alarm is late', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 5_000 }), caller)
    const tail = store.create('events/a', '{}')
    const claim = await subscriptions.claim('s', 'w1', caller)
    clock.jump(5_000)
    const report = { wakeId: claim.wake_id, generation: 1, acks: [{ path: 'events/a', offset: tail }], done: true }
    expect(await refusal(subscriptions.report('s', 'pull-wake', bearer(claim.token), report))).toBe('fenced')
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
    expect(wakeEvents(store).map(event => event.generation)).toEqual([1])
    expect((await subscriptions.get('s', caller)).status).toBe('active')
    store.remove('wake/pool')
    store.create('wake/pool')
    await clock.advance(1)
    expect(wakeEvents(store).map(event => event.generation)).toEqual([1])
  })

  test('an event that nobody claims is repeated, ever more rarely', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    store.create('wake/pool')
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 10_000 }), caller)
    store.create('events/a', '{}')
    const startMs = clock.now()
    await clock.advance(200_000)
    expect(wakeEvents(store).map(event => event.ts - startMs)).toEqual([0, 10_000, 30_000, 70_000, 150_000])
    expect(new Set(wakeEvents(store).map(event => event.generation))).toEqual(new Set([1]))
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
    expect(wakeEvents(store)).toHaveLength(1)
  })
})

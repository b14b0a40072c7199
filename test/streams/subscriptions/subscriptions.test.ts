/** Creating, confirming, linking and deleting subscriptions. */
import { describe, expect, test } from 'bun:test'
import { startOffset } from '../../../src/streams/subscriptions/lease.ts'
import type { SubscriptionOptions } from '../../../src/streams/subscriptions/subscriptions.ts'
import { settle, until } from './fake-clock.ts'
import { broken, done } from './receiver.ts'
import { bearer, stage, wakeEvents } from './scene.ts'
import { acked, caller, pullWake, refusal, webhook } from './server.ts'

const { receiver, scene } = stage()

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

  test('a link that cannot be stored at once is stored later', async () => {
    const { store, clock, start } = scene()
    const { subscriptions } = await start()
    await subscriptions.create('s', pullWake(), caller)
    store.saveFailure = new Error('disk full')
    store.create('events/a')
    await settle()
    store.saveFailure = null
    expect(store.meta.has('subscription-link/s/events%2Fa')).toBe(false)
    await clock.advance(1_000)
    expect(store.meta.has('subscription-link/s/events%2Fa')).toBe(true)
    const saves = store.saves
    await clock.advance(10_000)
    store.push('events/a', '{}')
    await settle()
    const { wake_id, generation, token } = await subscriptions.claim('s', 'w', caller)
    const before = store.saves
    await subscriptions.report('s', 'pull-wake', bearer(token), { wakeId: wake_id, generation, acks: [], done: false })
    await settle()
    expect([before > saves, store.saves - before]).toEqual([true, 1])
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
    await until(() => wakeEvents(store).length === 1, 'an event')
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
    const next = await subscriptions.claim('s', 'w', caller)
    const fresh = next.streams.map(stream => ({ path: stream.path, offset: stream.tail_offset }))
    const second = { wakeId: next.wake_id, generation: 2, acks: fresh, done: true }
    expect(await subscriptions.report('s', 'pull-wake', bearer(next.token), second)).toEqual({ ok: true, next_wake: false })
    expect(await acked(subscriptions, 's')).toEqual({ 'manual/x': store.tail('manual/x'), 'events/a': store.tail('events/a') })
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

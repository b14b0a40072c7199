/** Everything that must go on after the server was stopped or killed. */
import { afterEach, expect, test } from 'bun:test'
import { OperatorError } from '../../../src/lib/errors.ts'
import { startOffset } from '../../../src/streams/subscriptions/lease.ts'
import { FakeClock, settle, until } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { accepted, broken, done, Receiver, verifySignature, type Answer } from './receiver.ts'
import { acked, caller, live, pullWake, refusal, webhook, type Life } from './server.ts'

const lives: Life[] = []
const receivers: Receiver[] = []
afterEach(async () => {
  for (const life of lives.splice(0)) life.kill()
  for (const receiver of receivers.splice(0)) await receiver.close()
})

const bearer = (token: string) => `Bearer ${token}`

class Scene {
  readonly store = new MemoryStore()
  readonly clock = new FakeClock()
  life: Life | null = null

  /** Kills what runs, and starts anew over the same store. */
  async start(): Promise<Life['subscriptions']> {
    this.life?.kill()
    await settle()
    this.life = await live(this.store, this.clock)
    lives.push(this.life)
    return this.life.subscriptions
  }

  down(): void {
    this.life?.kill()
  }
}

function receiver(answer: Answer): Receiver {
  const made = new Receiver(answer)
  receivers.push(made)
  return made
}

test('a claim, its token and its generation go on; so do acks', async () => {
  const scene = new Scene()
  const { store, clock } = scene
  const before = await scene.start()
  await before.create('s', pullWake(), caller)
  const a = store.create('events/a', '{}')
  const claim = await before.claim('s', 'w1', caller)
  await clock.advance(29_999)
  const after = await scene.start()
  expect(await refusal(after.claim('s', 'w2', caller))).toBe('already_claimed')
  const report = { wakeId: claim.wake_id, generation: 1, acks: [{ path: 'events/a', offset: a }], done: false }
  await after.report('s', 'pull-wake', bearer(claim.token), report)
  const later = await scene.start()
  expect(await acked(later, 's')).toEqual({ 'events/a': a })
  store.push('events/a', '{}')
  await clock.advance(30_000)
  expect((await later.claim('s', 'w2', caller)).generation).toBe(2)
})

test('a lease that ran out while the server was down is over', async () => {
  const scene = new Scene()
  const before = await scene.start()
  await before.create('s', pullWake(), caller)
  scene.store.create('events/a', '{}')
  const claim = await before.claim('s', 'w1', caller)
  scene.down()
  await scene.clock.advance(30_000)
  const after = await scene.start()
  expect(await refusal(after.report('s', 'pull-wake', bearer(claim.token), { wakeId: claim.wake_id, generation: 1, acks: [], done: true }))).toBe('fenced')
  expect((await after.claim('s', 'w2', caller)).generation).toBe(2)
})

test('the time of the next attempt is kept, and the failed status', async () => {
  const scene = new Scene()
  const { store, clock } = scene
  const hook = receiver(broken)
  const before = await scene.start()
  await before.create('s', webhook(hook.url), caller)
  store.create('events/a', '{}')
  for (const attempts of [1, 2]) {
    await until(() => store.meta.get('subscription/s')?.includes(`"attempts":${attempts}`), `failure ${attempts}`)
    await settle()
    if (attempts === 1) await clock.advance(1_000)
  }
  const after = await scene.start()
  expect((await after.get('s', caller)).status).toBe('failed')
  await clock.advance(1_999)
  expect(hook.received).toHaveLength(2)
  hook.answer = done
  await clock.advance(1)
  await until(() => hook.received.length === 3, 'the retry, two seconds after the failure')
  expect(new Set(hook.received.map(received => received.body.wake_id)).size).toBe(1)
})

test('a delivery that was cut by a crash goes out again with the same wake, and the same key signs it', async () => {
  const scene = new Scene()
  const hook = receiver(() => new Promise<Response>(() => {}))
  const before = await scene.start()
  const keys = before.jwks().keys
  await before.create('s', webhook(hook.url), caller)
  scene.store.create('events/a', '{}')
  await until(() => hook.received.length === 1, 'a delivery')
  hook.answer = done
  const after = await scene.start()
  await until(() => hook.received.length === 2, 'the delivery again')
  const [one, two] = hook.received
  expect([two?.body.wake_id, two?.body.generation]).toEqual([one?.body.wake_id ?? '', 1])
  expect(verifySignature(hook.last(), keys)).not.toBeNull()
  await until(() => scene.store.meta.get('subscription/s')?.includes('"idle"'), 'done')
  expect(await acked(after, 's')).toEqual({ 'events/a': scene.store.tail('events/a') })
})

test('nothing that happened unnoticed is lost: appends, creations, deletions, streams created again', async () => {
  const scene = new Scene()
  const { store } = scene
  const hook = receiver(accepted)
  const before = await scene.start()
  for (const path of ['events/appended', 'events/deleted', 'events/again', 'manual/again', 'manual/gone']) store.create(path, '{"n":1}')
  await before.create('s', webhook(hook.url, { streams: ['manual/again', 'manual/gone'] }), caller)
  scene.down()
  store.push('events/appended', '{"n":2}')
  store.create('events/created', '{}')
  for (const path of ['events/deleted', 'manual/gone']) store.remove(path)
  for (const path of ['events/again', 'manual/again']) {
    store.remove(path)
    store.create(path, '{}')
  }
  const after = await scene.start()
  const { body } = await until(() => hook.received[0], 'a delivery')
  expect(body.streams.filter(stream => stream.has_pending).map(stream => stream.path).toSorted()).toEqual([
    'events/again',
    'events/appended',
    'events/created',
    'manual/again',
  ])
  const positions = await acked(after, 's')
  expect(positions).toMatchObject({ 'events/again': startOffset, 'events/created': startOffset, 'manual/again': startOffset, 'manual/gone': startOffset })
  expect(Object.keys(positions)).not.toContain('events/deleted')
  expect(positions['events/appended']).not.toBe(startOffset)
})

test('a kill at any save loses no wake: 60 seeds of appends, acks and kills', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const scene = new Scene()
    const { store, clock } = scene
    store.create('wake/pool')
    let subscriptions = await scene.start()
    await subscriptions.create('s', pullWake({ lease_ttl_ms: 1_000 }), caller)
    const random = sequence(seed)
    for (let step = 0; step < 20; step++) {
      const path = `events/${Math.floor(random() * 3)}`
      const kind = random()
      if (store.tail(path) === '') store.create(path, '{}')
      else if (kind < 0.5) store.push(path, '{}')
      else if (kind < 0.6) store.remove(path)
      else if (kind < 0.8) void work(subscriptions).catch(() => {})
      else subscriptions = await scene.start()
      if (random() < 0.5) await settle()
    }
    subscriptions = await scene.start()
    await clock.advance(1_000)
    // At most one claim for what is left; then everything is acknowledged.
    await work(subscriptions).catch((error: unknown) => expect(error).toMatchObject({ code: 'no_pending_work' }))
    const positions = await acked(subscriptions, 's')
    const tails = Object.fromEntries(Object.keys(positions).map(path => [path, store.tail(path)]))
    expect({ seed, positions }).toEqual({ seed, positions: tails })
    expect(Object.keys(positions).toSorted()).toEqual(['events/0', 'events/1', 'events/2'].filter(path => store.tail(path) !== ''))
  }
})

test('a damaged entry stops the start, by name', async () => {
  const scene = new Scene()
  const before = await scene.start()
  await before.create('s', pullWake(), caller)
  scene.store.meta.set('subscription/s', '{"id":"s"}')
  const failure = await scene.start().catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(OperatorError)
  expect(String(failure)).toContain('subscription/s')
})

async function work(subscriptions: Life['subscriptions']): Promise<void> {
  const claim = await subscriptions.claim('s', 'w', caller)
  const acks = claim.streams.map(stream => ({ path: stream.path, offset: stream.tail_offset }))
  await subscriptions.report('s', 'pull-wake', bearer(claim.token), { wakeId: claim.wake_id, generation: claim.generation, acks, done: true })
}

function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

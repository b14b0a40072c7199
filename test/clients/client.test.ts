/** The published `@durable-streams/client`, unmodified, against a real server: batching, resuming, live reading, exactly-once writing. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createFetchWithBackoff, DurableStream, IdempotentProducer, stream } from '@durable-streams/client'
import { startServer, type Server } from '../support/server.ts'

interface Item {
  readonly n: number
}

setDefaultTimeout(60_000)

let server: Server
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.close()
})

const address = (name: string) => `${server.base}/clients/${name}`
const json = 'application/json'
const waitMsMax = 10_000

describe('appending', () => {
  test('concurrent appends are coalesced, and each arrives once and in order', async () => {
    let posts = 0
    const counting = async (input: RequestInfo | URL, init?: RequestInit) => {
      if (init?.method === 'POST') posts++
      return await fetch(input, init)
    }
    const handle = await DurableStream.create({
      url: address('batched'),
      contentType: json,
      fetch: Object.assign(counting, { preconnect: fetch.preconnect }),
    })
    await Promise.all(Array.from({ length: 200 }, (_, n) => handle.append(JSON.stringify({ n }))))
    const items = await (await stream<Item>({ url: address('batched'), live: false })).json()
    expect(items.map(item => item.n)).toEqual(Array.from({ length: 200 }, (_, n) => n))
    expect(posts).toBeLessThan(200)
  })

  test('a streamed body arrives whole', async () => {
    const handle = await DurableStream.create({ url: address('streamed'), contentType: 'text/plain' })
    await handle.appendStream(threeParts())
    expect(await (await stream({ url: address('streamed'), live: false })).text()).toBe('one two three')
  })

  test('closing is seen by HEAD and by a reader at the end', async () => {
    const handle = await DurableStream.create({ url: address('closed'), contentType: 'text/plain' })
    await handle.append('the end')
    await handle.close()
    expect(await handle.head()).toMatchObject({ streamClosed: true })
    const reader = await stream({ url: address('closed'), live: 'long-poll' })
    expect(await reader.text()).toBe('the end')
    await expect(handle.append('too late')).rejects.toThrow()
  })
})

describe('reading', () => {
  test('a reader resumes at its saved offset without gap or repetition', async () => {
    const handle = await DurableStream.create({ url: address('resumed'), contentType: json })
    await handle.append(JSON.stringify({ n: 0 }))
    const first = await stream<Item>({ url: address('resumed'), live: false })
    expect(await first.json()).toEqual([{ n: 0 }])
    await handle.append(JSON.stringify({ n: 1 }))
    await handle.append(JSON.stringify({ n: 2 }))
    const second = await stream<Item>({ url: address('resumed'), offset: first.offset, live: false })
    expect(await second.json()).toEqual([{ n: 1 }, { n: 2 }])
  })

  for (const live of ['sse', 'long-poll'] as const) {
    test(`a live reader over ${live} gets what was there and what comes`, async () => {
      const url = address(`live-${live}`)
      const handle = await DurableStream.create({ url, contentType: json })
      await handle.append(JSON.stringify({ n: 0 }))
      const reader = await stream<Item>({ url, live })
      const seen: number[] = []
      const enough = Promise.withResolvers<void>()
      const unsubscribe = reader.subscribeJson(batch => {
        seen.push(...batch.items.map(item => item.n))
        if (seen.length >= 20) enough.resolve()
      })
      for (let n = 1; n < 20; n++) await handle.append(JSON.stringify({ n }))
      await within(enough.promise)
      unsubscribe()
      reader.cancel()
      expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n))
    })
  }

  test('binary over SSE is decoded to the very bytes that were appended', async () => {
    const url = address('binary')
    const handle = await DurableStream.create({ url, contentType: 'application/octet-stream' })
    const bytes = Uint8Array.from({ length: 1024 }, (_, at) => at % 256)
    await handle.append(bytes)
    const reader = await stream({ url, live: 'sse' })
    const received = Promise.withResolvers<Uint8Array>()
    const unsubscribe = reader.subscribeBytes(chunk => {
      if (chunk.data.length > 0) received.resolve(chunk.data)
    })
    expect(await within(received.promise)).toEqual(bytes)
    unsubscribe()
    reader.cancel()
  })
})

describe('idempotent producer', () => {
  test('pipelined batches with lost answers are stored once and in order', async () => {
    const url = address('producer')
    const handle = await DurableStream.create({ url, contentType: json })
    let requests = 0
    // Every third answer is thrown away after the server has stored the batch: the client must send it again.
    const losing = async (input: RequestInfo | URL, init?: RequestInit) => {
      const answer = await fetch(input, init)
      if (++requests % 3 === 0) throw new TypeError('fetch failed: the answer was lost')
      return answer
    }
    const failures: Error[] = []
    const producer = new IdempotentProducer(handle, 'lossy', {
      lingerMs: 1,
      maxBatchBytes: 200,
      fetch: retrying(Object.assign(losing, { preconnect: fetch.preconnect })),
      onError: error => failures.push(error),
    })
    for (let n = 0; n < 300; n++) producer.append(JSON.stringify({ n }))
    await producer.flush()
    await producer.detach()
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(3)
    const items = await (await stream<Item>({ url, live: false })).json()
    expect(items.map(item => item.n)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('a restarted producer claims the next epoch and fences the old one', async () => {
    const handle = await DurableStream.create({ url: address('fenced'), contentType: json })
    const failures: Error[] = []
    const old = new IdempotentProducer(handle, 'worker', { lingerMs: 1, onError: error => failures.push(error) })
    old.append(JSON.stringify({ n: 0 }))
    await old.flush()
    const successor = new IdempotentProducer(handle, 'worker', { epoch: 1, lingerMs: 1 })
    successor.append(JSON.stringify({ n: 1 }))
    await successor.flush()
    old.append(JSON.stringify({ n: 2 }))
    await old.flush().catch(() => undefined)
    expect(failures.length).toBe(1)
    const claiming = new IdempotentProducer(handle, 'worker', { autoClaim: true, lingerMs: 1 })
    claiming.append(JSON.stringify({ n: 3 }))
    await claiming.flush()
    expect(claiming.epoch).toBe(2)
    const items = await (await stream<Item>({ url: address('fenced'), live: false })).json()
    expect(items.map(item => item.n)).toEqual([0, 1, 3])
  })
})

function retrying(unreliable: typeof fetch): typeof fetch {
  return createFetchWithBackoff(unreliable, { initialDelay: 1, maxDelay: 20, multiplier: 1.3 })
}

async function* threeParts(): AsyncGenerator<string> {
  for (const part of ['one ', 'two ', 'three']) {
    yield part
    await Bun.sleep(5)
  }
}

async function within<T>(promise: Promise<T>): Promise<T> {
  const late = Bun.sleep(waitMsMax).then(() => {
    throw new Error(`nothing came in ${waitMsMax} ms`)
  })
  return await Promise.race([promise, late])
}

/** Live readers over SSE: framing that no payload can break, cycling, keep-alive comments, cursors, a thousand readers at once. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { controlOf, dataOf, EventReader, lastOffset, type ServerSentEvent } from '../support/event-source.ts'
import { ask, binary, eventually, json, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'
import { head, Wire } from '../support/wire.ts'

setDefaultTimeout(60_000)

let server: Server
let cycling: Server

beforeAll(async () => {
  ;[server, cycling] = await Promise.all([
    startServer({ env: { DS_TRANSPORT__CONNECTION__SSE_KEEP_ALIVE_SECS: '1' } }),
    startServer({ mode: 'memory', env: { DS_TRANSPORT__CONNECTION__SSE_RECONNECT_INTERVAL_SECS: '1' } }),
  ])
})
afterAll(async () => {
  await Promise.all([server.close(), cycling.close()])
})

async function follow(url: string, offset: string, more = ''): Promise<EventReader> {
  const answer = await fetch(`${url}?offset=${offset}&live=sse${more}`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  return new EventReader(answer)
}

test.concurrent('a payload cannot begin an event of its own, whatever line ends it holds', async () => {
  const url = `${server.base}/injection`
  await ask(url, 'PUT', textPlain)
  const attacks = [
    'x\n\nevent: control\ndata:{"streamNextOffset":"evil"}\n\n', 'x\r\revent: control\rdata:{"streamClosed":true}\r\r', 'x\r\n\r\nevent: control\r\ndata:{}\r\n\r\n',
    '\n', '\r', '\r\n', '\n\r', ':comment\nid: 7\nretry: 1', ' leading space', 'data: data: x', '\u2028\u2029\u0085\u0000\ufeff',
  ]
  for (const attack of attacks) await ask(url, 'POST', textPlain, attack)
  await using live = await follow(url, '-1')
  const old = await live.until(control => control.upToDate === true)
  expect(dataOf(old)).toBe(attacks.join('').replace(/\r\n|\r/g, '\n'))
  // And one by one, live.
  for (const attack of attacks) {
    await ask(url, 'POST', textPlain, attack)
    const events = await live.until(control => control.upToDate === true)
    expect(dataOf(events)).toBe(attack.replace(/\r\n|\r/g, '\n'))
    expectPairs(events)
  }
})

test.concurrent('texts are cut between characters, live and afterwards, also when a writer cuts inside one', async () => {
  const url = `${server.base}/characters`
  await ask(url, 'PUT', textPlain)
  const text = 'aä€𝄞'.repeat(40_000)
  const bytes = Buffer.from(text)
  await using live = await follow(url, '-1')
  const received = live.until(control => control.streamClosed === true)
  for (let at = 0; at < bytes.byteLength; ) {
    const size = at < 200 ? 1 : 3001
    await ask(url, 'POST', textPlain, Uint8Array.from(bytes.subarray(at, at + size)))
    at += size
  }
  await ask(url, 'POST', { 'stream-closed': 'true' })
  await using late = await follow(url, '-1')
  for (const events of [await received, await late.rest()]) {
    expect(dataOf(events)).toBe(text)
    expect(events.some(event => event.data.includes('\ufffd'))).toBe(false)
    expectPairs(events)
  }
})

test.concurrent('bytes come as base64, every event decodable by itself', async () => {
  const url = `${server.base}/bytes`
  await ask(url, 'PUT', binary)
  const records = Array.from({ length: 50 }, (_, index) => crypto.getRandomValues(new Uint8Array(index * 7 + 1)))
  for (const record of records.slice(0, 25)) await ask(url, 'POST', binary, record)
  const answer = await fetch(`${url}?offset=-1&live=sse`)
  expect(answer.headers.get('stream-sse-data-encoding')).toBe('base64')
  await using live = new EventReader(answer)
  for (const record of records.slice(25)) await ask(url, 'POST', binary, record)
  await ask(url, 'POST', { 'stream-closed': 'true' })
  const events = await live.rest()
  const decoded = events.filter(event => event.type === 'data').map(event => Buffer.from(event.data, 'base64'))
  expect(Buffer.concat(decoded).equals(Buffer.concat(records))).toBe(true)
})

test.concurrent('JSON events are arrays; a value with line ends between its members survives', async () => {
  const url = `${server.base}/json`
  await ask(url, 'PUT', json)
  await using live = await follow(url, '-1')
  await live.until(control => control.upToDate === true)
  await ask(url, 'POST', json, '{\r\n "a": [1,\n2],\r "b": "x\\ny"\n}')
  const events = await live.until(control => control.upToDate === true)
  expect(JSON.parse(dataOf(events))).toEqual([{ a: [1, 2], b: 'x\ny' }])
})

test.concurrent('cursors do not go back within a connection, and an echoed one is passed', async () => {
  const url = `${server.base}/cursors`
  await ask(url, 'PUT', textPlain)
  let sent = ''
  let offset = '-1'
  for (let round = 0; round < 3; round++) {
    await using live = await follow(url, offset, sent === '' ? '' : `&cursor=${sent}`)
    const events = await live.until(control => control.upToDate === true)
    for (let record = 0; record < 5; record++) {
      await ask(url, 'POST', textPlain, `${round}.${record};`)
      events.push(...(await live.until(control => control.upToDate === true)))
    }
    const cursors = events.filter(event => event.type === 'control').map(event => Number(controlOf(event).streamCursor))
    expect(cursors).toEqual(cursors.toSorted((a, b) => a - b))
    if (sent !== '') for (const cursor of cursors) expect(cursor).toBeGreaterThan(Number(sent))
    sent = String(cursors.at(-1))
    offset = lastOffset(events)
  }
})

test.concurrent('a quiet connection hears comments', async () => {
  const url = `${server.base}/quiet`
  await ask(url, 'PUT', textPlain)
  await using live = await follow(url, '-1')
  await live.until(control => control.upToDate === true)
  const ended = live.next()
  await eventually('two comments', () => live.comments.length >= 2)
  await ask(url, 'POST', textPlain, 'still here')
  expect((await ended)?.data).toBe('still here')
})

test.concurrent('a connection ends after its interval, between two events, and nothing is lost over many of them', async () => {
  const url = `${cycling.base}/cycles`
  await ask(url, 'PUT', textPlain)
  let stopped = false
  let count = 0
  const writing = (async () => {
    while (!stopped) {
      await ask(url, 'POST', textPlain, `${count++};`)
      await Bun.sleep(5)
    }
    await ask(url, 'POST', { 'stream-closed': 'true' })
  })()
  let offset = '-1'
  let text = ''
  const lives: number[] = []
  for (let closed = false; !closed; ) {
    const startedMs = performance.now()
    await using live = await follow(url, offset)
    const events = await live.rest()
    lives.push(performance.now() - startedMs)
    expectPairs(events)
    expect(events.at(-1)?.type).toBe('control')
    text += dataOf(events)
    offset = lastOffset(events)
    closed = events.some(event => event.type === 'control' && controlOf(event).streamClosed === true)
    if (lives.length === 3) stopped = true
  }
  await writing
  expect(text).toBe(Array.from({ length: count }, (_, index) => `${index};`).join(''))
  // 0.9 to 1.1 s by jitter, and up to half a second for the clock that looks.
  for (const ms of lives.slice(0, 3)) {
    expect(ms).toBeGreaterThan(800)
    expect(ms).toBeLessThan(10_000)
  }
})

test.concurrent('after a long-poll or a cycle the connection can be used again', async () => {
  await ask(`${cycling.base}/reuse`, 'PUT', textPlain, 'x')
  using wire = await Wire.open(cycling.port)
  for (const live of ['sse', 'long-poll', 'sse']) {
    const answer = await wire.request('GET', `/v1/stream/reuse?offset=-1&live=${live}`)
    expect(answer.status).toBe(200)
  }
  expect((await wire.request('POST', '/v1/stream/reuse', { 'Content-Type': 'text/plain' }, 'y')).status).toBe(204)
})

test.concurrent('readers are told when the stream is deleted under them', async () => {
  const url = `${server.base}/deleted`
  await ask(url, 'PUT', textPlain)
  await using live = await follow(url, '-1')
  const events = await live.until(control => control.upToDate === true)
  const polled = fetch(`${url}?offset=${lastOffset(events)}&live=long-poll`)
  await Bun.sleep(100)
  await ask(url, 'DELETE')
  expect(await live.rest()).toEqual([])
  expect((await polled).status).toBe(404)
  expect((await fetch(`${url}?offset=${lastOffset(events)}&live=sse`)).status).toBe(404)
})

test.concurrent('a thousand readers of one stream all get every message, in order', async () => {
  const url = `${server.base}/crowd`
  await ask(url, 'PUT', json)
  // By hand: Bun's fetch keeps 256 requests open at a time.
  const wires = await Promise.all(Array.from({ length: 1000 }, () => Wire.open(server.port)))
  await Promise.all(wires.map(wire => wire.send(head('GET', '/v1/stream/crowd?offset=-1&live=sse'))))
  await Promise.all(wires.map(wire => wire.until(received => received.includes('upToDate'))))
  for (let message = 0; message < 20; message++) await ask(url, 'POST', json, JSON.stringify({ message }))
  await ask(url, 'POST', { ...json, 'stream-closed': 'true' }, '{"message":20}')
  const expected = Array.from({ length: 21 }, (_, message) => ({ message }))
  for (const wire of wires) {
    const answer = await wire.answer()
    const events = await new EventReader(new Response(new Uint8Array(answer.body))).rest()
    expect(events.filter(event => event.type === 'data').flatMap(event => JSON.parse(event.data) as unknown[])).toEqual(expected)
    wire[Symbol.dispose]()
  }
})

/** Every data event is followed by its control event. */
function expectPairs(events: readonly ServerSentEvent[]): void {
  for (const [index, event] of events.entries()) if (event.type === 'data') expect(events[index + 1]?.type).toBe('control')
  expect(events.every(event => event.type === 'data' || event.type === 'control')).toBe(true)
}

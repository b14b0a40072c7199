/** Offsets that are not where the reader should be: inside a record, beyond the tail, of a stream that is gone, of another store. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ask, binary, readPage, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

const pollMs = 600
let server: Server

beforeAll(async () => {
  server = await startServer({ env: { DS_TRANSPORT__CONNECTION__LONG_POLL_TIMEOUT_SECS: String(pollMs / 1000) } })
})
afterAll(async () => {
  await server.close()
})

async function read(name: string, query: string): Promise<{ status: number; body: string; next: string | null; upToDate: string | null; ms: number }> {
  const startedMs = performance.now()
  const answer = await fetch(`${server.base}/${name}?${query}`)
  const body = await answer.text()
  const { headers } = answer
  return { status: answer.status, body, next: headers.get('stream-next-offset'), upToDate: headers.get('stream-up-to-date'), ms: performance.now() - startedMs }
}

function offset(position: number, incarnation = 0): string {
  return `${String(incarnation).padStart(16, '0')}_${String(position).padStart(16, '0')}`
}

// One byte behind a border counts as the border: @durable-streams/y-durable-streams adds one to the offset of its snapshot.
test.concurrent('only where a record begins or ends can be read from, in every kind of read', async () => {
  await ask(`${server.base}/records`, 'PUT', textPlain)
  for (const record of ['one', 'three', 'x']) await ask(`${server.base}/records`, 'POST', textPlain, record)
  for (const live of ['', '&live=long-poll', '&live=sse']) {
    for (const position of [2, 5, 6, 7]) expect((await read('records', `offset=${offset(position)}${live}`)).status).toBe(400)
  }
  for (const [position, rest] of [[0, 'onethreex'], [3, 'threex'], [8, 'x'], [9, '']] as const) {
    expect(await read('records', `offset=${offset(position)}`)).toMatchObject({ status: 200, body: rest, next: offset(9), upToDate: 'true' })
  }
})

test.concurrent('beyond the tail there is nothing yet: an empty answer, or a wait for what comes', async () => {
  await ask(`${server.base}/ahead`, 'PUT', textPlain, 'abc')
  const empty = await read('ahead', `offset=${offset(1000)}`)
  expect([empty.status, empty.body, empty.upToDate]).toEqual([200, '', 'true'])
  const waited = await read('ahead', `offset=${offset(1000)}&live=long-poll`)
  expect(waited.status).toBe(204)
  expect(waited.ms).toBeGreaterThan(pollMs * 0.9)
  const waiting = read('ahead', `offset=${offset(1000)}&live=long-poll`)
  await Bun.sleep(100)
  await ask(`${server.base}/ahead`, 'POST', textPlain, 'def')
  const found = await waiting
  expect([200, 204]).toContain(found.status)
  // Wherever it was sent to, the reader gets on from there without a hole.
  expect((await read('ahead', `offset=${found.next}`)).status).toBe(200)
})

test.concurrent('a deleted stream is gone for every kind of read; with forks it stays reserved', async () => {
  await ask(`${server.base}/deleted`, 'PUT', textPlain, 'abc')
  await ask(`${server.base}/source`, 'PUT', textPlain, 'abc')
  expect((await ask(`${server.base}/fork`, 'PUT', { ...textPlain, 'stream-forked-from': '/v1/stream/source' })).status).toBe(201)
  for (const name of ['deleted', 'source']) expect((await ask(`${server.base}/${name}`, 'DELETE')).status).toBe(204)
  for (const query of ['offset=-1', 'offset=now', `offset=${offset(3)}`, `offset=${offset(3)}&live=long-poll`, 'offset=-1&live=sse']) {
    expect((await read('deleted', query)).status).toBe(404)
    expect((await read('source', query)).status).toBe(410)
  }
  for (const method of ['HEAD', 'DELETE'] as const) {
    expect((await ask(`${server.base}/deleted`, method)).status).toBe(404)
    expect((await ask(`${server.base}/source`, method)).status).toBe(410)
  }
  expect((await ask(`${server.base}/deleted`, 'POST', textPlain, 'x')).status).toBe(404)
  expect((await ask(`${server.base}/source`, 'POST', textPlain, 'x')).status).toBe(410)
  expect((await ask(`${server.base}/deleted`, 'PUT', textPlain)).status).toBe(201)
  expect((await ask(`${server.base}/source`, 'PUT', textPlain)).status).toBe(409)
  expect(await (await fetch(`${server.base}/fork`)).text()).toBe('abc')
})

test.concurrent('offsets of a store that does not exist yet, and texts that are none, are refused', async () => {
  await ask(`${server.base}/forms`, 'PUT', textPlain, 'abc')
  const wrong = [
    offset(0, 1), offset(3, 7), '0', '3', '-2', '_', '0_0', `${offset(3)}0`, ` ${offset(3)}`, `${offset(3)}%20`, offset(3).replace('_', '-'), 'NOW', '%00',
    '9999999999999999_9999999999999999', '0000000000000000_000000000000000x', `${offset(3)}&offset=${offset(3)}`, '', '٣', "1'%20or%201=1",
  ]
  for (const each of wrong) {
    for (const live of ['', '&live=long-poll', '&live=sse']) expect([each, (await read('forms', `offset=${each}${live}`)).status]).toEqual([each, 400])
  }
  for (const live of ['yes', '', 'SSE', 'long-poll,sse']) expect((await read('forms', `offset=-1&live=${live}`)).status).toBe(400)
  for (const live of ['sse', 'long-poll']) expect((await read('forms', `live=${live}`)).status).toBe(400)
})

test.concurrent('the largest offset there can be is beyond every tail', async () => {
  await ask(`${server.base}/huge`, 'PUT', binary)
  const page = await readPage(`${server.base}/huge`, `0000000000000000_9999999999999999`)
  expect([page.bytes.byteLength, page.upToDate]).toEqual([0, true])
})

test.concurrent('the largest time to live is kept as one that never ends', async () => {
  const url = `${server.base}/ttl`
  expect((await ask(url, 'PUT', { ...textPlain, 'stream-ttl': '18446744073709551615' })).status).toBe(201)
  expect((await ask(url, 'PUT', { ...textPlain, 'stream-ttl': '18446744073709551615' })).status).toBe(200)
  expect((await ask(url, 'POST', textPlain, 'x')).status).toBe(204)
  expect(await (await fetch(url)).text()).toBe('x')
  expect((await fetch(url, { method: 'HEAD' })).headers.get('stream-ttl')).toMatch(/^\d{16,}$/)
})

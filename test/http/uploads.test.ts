/** Bodies as clients really send them: in chunks, slowly, at the limit, above it, announced first, or never finished. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { startServer, type Server } from '../support/server.ts'
import { head, Wire } from '../support/wire.ts'

const limitBytes = 10 * 1024 * 1024
const text = { 'Content-Type': 'text/plain' }
const chunked = { ...text, 'Transfer-Encoding': 'chunked' }
let server: Server

beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.close()
})

test.concurrent('PUT and POST in chunks, one byte at a time, arrive whole and as one message', async () => {
  using wire = await Wire.open(server.port)
  for (const method of ['PUT', 'POST']) {
    const raw = Buffer.from(`${head(method, '/v1/stream/slow', chunked)}${chunks([`${method}-`, 'ä€𝄞', 'end;'])}`)
    for (const byte of raw) {
      await wire.send(Uint8Array.of(byte))
      await Bun.sleep(1)
    }
    expect((await wire.answer()).status).toBe(method === 'PUT' ? 201 : 204)
  }
  expect(await bodyOf('slow')).toBe('PUT-ä€𝄞end;POST-ä€𝄞end;')
})

test.concurrent('chunk extensions and hexadecimal sizes in capitals are understood', async () => {
  using wire = await Wire.open(server.port)
  await wire.send(`${head('PUT', '/v1/stream/extensions', chunked)}A;name="a;b"\r\n0123456789\r\n0\r\n\r\n`)
  expect((await wire.answer()).status).toBe(201)
  expect(await bodyOf('extensions')).toBe('0123456789')
})

test.concurrent('an append of exactly the limit is stored; one byte more is 413 and the connection goes on', async () => {
  using wire = await Wire.open(server.port)
  expect((await wire.request('PUT', '/v1/stream/limit', text)).status).toBe(201)
  for (const coding of ['length', 'chunked'] as const) {
    expect((await upload(wire, '/v1/stream/limit', coding, limitBytes)).status).toBe(204)
    const refused = await upload(wire, '/v1/stream/limit', coding, limitBytes + 1)
    expect(refused.status).toBe(413)
    expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'body_too_large', status: 413 })
    expect((await wire.request('HEAD', '/v1/stream/limit')).headers.get('stream-next-offset')).toEndWith(
      String(limitBytes * (coding === 'length' ? 1 : 2)).padStart(16, '0'),
    )
  }
})

test.concurrent('a JSON array of 10 MiB is one append, and every value of it comes back', async () => {
  const url = `${server.base}/array`
  const json = { 'content-type': 'application/json' }
  await fetch(url, { method: 'PUT', headers: json })
  const values = Array.from({ length: 90_000 }, (_, index) => ({ index, text: 'x'.repeat(index % 160) }))
  let body = JSON.stringify(values)
  body = `[${' '.repeat(limitBytes - body.length)}${body.slice(1)}`
  expect(body.length).toBe(limitBytes)
  expect((await fetch(url, { method: 'POST', headers: json, body })).status).toBe(204)
  expect((await fetch(url, { method: 'POST', headers: json, body: `${body} ` })).status).toBe(413)
  const found: unknown[] = []
  for (let offset = '-1'; ; ) {
    const page = await fetch(`${url}?offset=${offset}`)
    found.push(...((await page.json()) as unknown[]))
    offset = page.headers.get('stream-next-offset') ?? ''
    if (page.headers.has('stream-up-to-date')) break
  }
  expect(found).toEqual(values)
})

test.concurrent('a client that asks first (Expect: 100-continue) is told to go on', async () => {
  using wire = await Wire.open(server.port)
  await wire.send(head('PUT', '/v1/stream/expect', { ...text, 'Content-Length': '5', Expect: '100-continue' }))
  expect((await wire.answer()).status).toBe(100)
  await wire.send('hello')
  expect((await wire.answer()).status).toBe(201)
  expect(await bodyOf('expect')).toBe('hello')
})

test.concurrent('a body that breaks off leaves nothing, and the server is well', async () => {
  const streams = ['gone/length', 'gone/chunked', 'gone/create']
  for (const name of streams.slice(0, 2)) expect((await fetch(`${server.base}/${name}`, { method: 'PUT', headers: text })).status).toBe(201)
  const starts = [
    `${head('POST', '/v1/stream/gone/length', { ...text, 'Content-Length': '1000' })}half of it`,
    `${head('POST', '/v1/stream/gone/chunked', chunked)}${chunks(['half'], false)}`,
    `${head('PUT', '/v1/stream/gone/create', chunked)}${chunks(['half'], false)}`,
  ]
  for (const start of starts) {
    for (const how of ['end', 'reset'] as const) await breakOff(start, how)
  }
  await Bun.sleep(200)
  const tails = await Promise.all(streams.map(async name => (await fetch(`${server.base}/${name}`, { method: 'HEAD' })).headers.get('stream-next-offset')))
  expect(tails).toEqual([nothing, nothing, null])
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  expect(server.logs()).not.toContain('"level":"error"')
})

test.concurrent('framing that two servers would read differently is refused', async () => {
  const both = `${head('POST', '/v1/stream/smuggled', { ...chunked, 'Content-Length': '4' })}0\r\n\r\n`
  const twice = 'POST /v1/stream/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'
  const badChunk = `${head('POST', '/v1/stream/smuggled', chunked)}-5\r\nhello\r\n0\r\n\r\n`
  for (const request of [both, twice, badChunk]) {
    using wire = await Wire.open(server.port)
    await wire.send(request)
    await wire.until(received => received.byteLength > 0)
    expect(wire.received.toString('latin1')).toMatch(/^HTTP\/1\.1 4\d\d /)
  }
})

const nothing = '0000000000000000_0000000000000000'

async function upload(wire: Wire, path: string, coding: 'length' | 'chunked', bytes: number) {
  const body = Buffer.alloc(bytes, 'x')
  if (coding === 'length') return wire.request('POST', path, text, body)
  await wire.send(head('POST', path, chunked))
  const size = 100_000
  for (let at = 0; at < bytes; at += size) await wire.send(chunks([body.subarray(at, at + size).toString('latin1')], false))
  await wire.send('0\r\n\r\n')
  return wire.answer()
}

function chunks(parts: readonly string[], ends = true): string {
  const framed = parts.map(part => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`).join('')
  return ends ? `${framed}0\r\n\r\n` : framed
}

async function breakOff(start: string, how: 'end' | 'reset'): Promise<void> {
  const socket = connect(server.port, '127.0.0.1').on('error', () => {}).resume()
  await new Promise(resolve => socket.write(start, resolve))
  await Bun.sleep(50)
  if (how === 'reset') socket.resetAndDestroy()
  else socket.end()
}

async function bodyOf(name: string): Promise<string> {
  return await (await fetch(`${server.base}/${name}`)).text()
}

/** Body limits on real sockets: the refusal arrives, the connection stays usable, memory stays flat. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { drainBytesMax, readBody } from '../../src/http/body.ts'
import { asRefusal, errorResponse } from '../../src/http/errors.ts'
import { type Fetch, listen, type Listener } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'

const mebibyte = 1024 * 1024
const bodyBytesMax = 10 * mebibyte
const seen: string[] = []
let listener: Listener
let secure: Listener

const answerLength: Fetch = async request => {
  try {
    return new Response(`length ${(await readBody(request, bodyBytesMax)).length}`)
  } catch (error) {
    seen.push(asRefusal(error)?.code ?? String(error))
    return errorResponse(error, { requestId: 'r', log: silentLog })
  }
}

beforeAll(async () => {
  const common = { fetch: answerLength, hostname: '127.0.0.1', port: 0, http2: true, log: silentLog, clock: systemClock }
  const pem = (name: string) => Bun.file(join(import.meta.dir, '../fixtures/tls', name)).text()
  listener = await listen(common)
  secure = await listen({ ...common, tls: { cert: await pem('server1.crt'), key: await pem('server1.key'), minVersion: '1.2' } })
})
afterAll(async () => {
  await Promise.all([listener.stop(0), secure.stop(0)])
})

/** A client that sends everything first and reads what came back, on one connection. */
class Wire {
  readonly #socket: Socket
  text = ''
  closed = false

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.on('data', data => void (this.text += data))
    this.#socket.on('close', () => void (this.closed = true))
    this.#socket.on('error', () => {})
  }

  async send(data: string | Uint8Array): Promise<void> {
    if (this.closed) return
    if (!this.#socket.write(data)) {
      await new Promise<void>(resolve => {
        const done = () => {
          this.#socket.off('drain', done).off('close', done)
          resolve()
        }
        this.#socket.once('drain', done).once('close', done)
      })
    }
  }

  async until(pattern: RegExp): Promise<void> {
    for (let i = 0; i < 2000 && !pattern.test(this.text); i++) await Bun.sleep(10)
    expect(this.text).toMatch(pattern)
  }

  end(): void {
    this.#socket.destroy()
  }
}

const chunk = Buffer.alloc(65_536, 'x')
const chunkFrame = Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')])

async function post(wire: Wire, bytes: number, chunked: boolean): Promise<void> {
  const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`
  await wire.send(`POST /a HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`)
  for (let sent = 0; sent < bytes; sent += chunk.length) await wire.send(chunked ? chunkFrame : chunk)
  if (chunked) await wire.send('0\r\n\r\n')
}

describe.each([['Content-Length', false], ['chunked', true]] as const)('%s', (_name, chunked) => {
  test.each([0, 65_536, bodyBytesMax])('%d bytes are read', async bytes => {
    const wire = new Wire(listener.port)
    await post(wire, bytes, chunked)
    await wire.until(new RegExp(`length ${bytes}$`))
    wire.end()
  })

  test.each([11, 40])('%d MiB is refused and the connection goes on', async size => {
    const wire = new Wire(listener.port)
    await post(wire, size * mebibyte, chunked)
    await wire.until(/^HTTP\/1\.1 413 /)
    await wire.until(/"code":"body_too_large"/)
    await wire.send('POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc')
    await wire.until(/HTTP\/1\.1 200 OK[^]*length 3$/)
    expect(wire.closed).toBe(false)
    wire.end()
  })
})

test('a Content-Length far above the limit is refused before the body comes', async () => {
  const wire = new Wire(listener.port)
  await wire.send(`POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bodyBytesMax + drainBytesMax + 1}\r\n\r\n`)
  await wire.until(/^HTTP\/1\.1 413 /)
  wire.end()
})

test('a client that goes away in the middle is a refusal, not a fault', async () => {
  for (const length of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    seen.length = 0
    const wire = new Wire(listener.port)
    await wire.send(`POST /a HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n3\r\nabc\r\n`)
    await Bun.sleep(50)
    wire.end()
    for (let i = 0; i < 2000 && seen.length === 0; i++) await Bun.sleep(10)
    expect(seen).toEqual(['bad_request'])
  }
})

test('an endless chunked body costs no memory', async () => {
  const script = join(import.meta.dir, '../support/body-server.ts')
  const server = Bun.spawn([process.execPath, script], { stdout: 'pipe', stderr: 'inherit' })
  const port = Number(new TextDecoder().decode((await server.stdout.getReader().read()).value))
  const rssBytes = async () => Number(await (await fetch(`http://127.0.0.1:${port}/rss`)).text())
  await fetch(`http://127.0.0.1:${port}/a`, { method: 'POST', body: 'warm' })
  const before = await rssBytes()
  const wire = new Wire(port)
  await wire.send('POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  let peak = 0
  // 1 GiB here; 10 GiB give the same figure (each 64 KiB is discarded before the next is read).
  for (let i = 0; i < 16_384; i++) {
    await wire.send(chunkFrame)
    if (i % 2_048 === 0) peak = Math.max(peak, await rssBytes())
  }
  peak = Math.max(peak, await rssBytes())
  await wire.until(/^HTTP\/1\.1 413 /)
  wire.end()
  server.kill()
  await server.exited
  expect(peak - before).toBeLessThan(32 * mebibyte)
}, 30_000)

test('HTTP/2: refused above the limit, and the session goes on', async () => {
  const session = http2.connect(secure.url, { rejectUnauthorized: false })
  const send = async (bytes: number) => {
    const stream = session.request({ ':path': '/a', ':method': 'POST' })
    let status = 0
    stream.on('response', headers => void (status = headers[':status'] ?? 0))
    for (let sent = 0; sent < bytes; sent += chunk.length) stream.write(chunk)
    stream.end()
    for await (const _ of stream);
    return status
  }
  expect(await send(65_536)).toBe(200)
  expect(await send(11 * mebibyte)).toBe(413)
  expect(await send(65_536)).toBe(200)
  session.close()
})

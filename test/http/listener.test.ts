/** Listening: ports, unix sockets, TLS versions, ALPN, client certificates, swaps of the certificate, stopping. */
import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import http2 from 'node:http2'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls'
import { type Fetch, listen, type Listener, type ListenOptions } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'

const fixture = (name: string) => Bun.file(join(import.meta.dir, '../fixtures/tls', name)).text()
const pair = async (name: string) => ({ cert: await fixture(`${name}.crt`), key: await fixture(`${name}.key`) })
const cleanups: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const hello: Fetch = async request => new Response(`hello ${new URL(request.url).pathname}`)

async function start(options: Partial<ListenOptions>): Promise<Listener> {
  const listener = await listen({
    fetch: hello, hostname: '127.0.0.1', port: 0, http2: true, log: silentLog, clock: systemClock, ...options,
  })
  cleanups.push(() => listener.stop(0))
  return listener
}

async function failure(run: Promise<unknown>): Promise<unknown> {
  return run.then(() => undefined, (error: unknown) => error)
}

/** Serial number and protocol that a new TLS connection sees, or the error. */
function handshake(port: number, options: ConnectionOptions = {}): Promise<{ serial: string; protocol: string } | string> {
  return new Promise(resolve => {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.once('error', (error: Error & { code?: string }) => resolve(`error ${error.code}`))
    socket.once('secureConnect', () => {
      resolve({ serial: socket.getPeerCertificate().serialNumber, protocol: socket.getProtocol() ?? '' })
      socket.destroy()
    })
  })
}

describe('plain', () => {
  test('answers, and names its address', async () => {
    const listener = await start({})
    expect(listener.port).toBeGreaterThan(0)
    expect(listener.url).toBe(`http://127.0.0.1:${listener.port}`)
    expect(await (await fetch(`${listener.url}/a`)).text()).toBe('hello /a')
  })

  test('a short host name does not hide the path', async () => {
    const fetchOnly: Fetch = async request => new Response(`${request.method} ${request.url.indexOf('/', 11)} ${await request.text()}`)
    const listener = await start({ fetch: fetchOnly })
    const answer = await fetch(`${listener.url}/v1/stream/a`, { method: 'POST', body: 'x', headers: { Host: 'hw' } })
    expect(await answer.text()).toBe('POST 16 x')
  })

  test('a port in use is an operator’s mistake with a remedy', async () => {
    const first = await start({})
    const error = await failure(start({ port: first.port }))
    expect(error).toBeInstanceOf(OperatorError)
    expect(String(error)).toContain(`127.0.0.1:${first.port}: the address is in use`)
    expect((error as OperatorError).exitCode).toBe(75)
  })

  test('a TLS port is not shared with another server either', async () => {
    const first = await start({ tls: { ...(await pair('server1')), minVersion: '1.2' } })
    expect(await failure(start({ port: first.port, tls: { ...(await pair('server2')), minVersion: '1.2' } }))).toBeInstanceOf(OperatorError)
  })

  test('an address of another machine is refused by name', async () => {
    const error = await failure(start({ hostname: '192.0.2.1' }))
    expect(error).toBeInstanceOf(OperatorError)
  })

  test('a handler that throws answers our opaque 500, not a page of Bun’s', async () => {
    const listener = await start({ fetch: async () => { throw new Error('secret-text') } })
    const answer = await fetch(listener.url)
    expect(answer.status).toBe(500)
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await answer.text()).not.toContain('secret-text')
  })
})

describe('stopping', () => {
  const slow: Fetch = async () => {
    await Bun.sleep(300)
    return new Response('slow')
  }

  test('lets an answer in flight end and refuses new connections', async () => {
    const listener = await start({ fetch: slow })
    const answer = fetch(listener.url).then(response => response.text())
    await Bun.sleep(50)
    const stopped = listener.stop(5_000)
    await Bun.sleep(20)
    expect(await failure(fetch(listener.url))).toBeInstanceOf(Error)
    expect(await answer).toBe('slow')
    await stopped
  })

  test('cuts what is not done after the bound', async () => {
    const listener = await start({ fetch: async () => new Promise<Response>(() => {}) })
    const answer = failure(fetch(listener.url))
    await Bun.sleep(50)
    const startedAt = performance.now()
    await listener.stop(100)
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    expect(await answer).toBeInstanceOf(Error)
  })
})

describe('unix socket', () => {
  function socketPath(): string {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-listener-'))
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
    return join(directory, 'control.sock')
  }

  test('answers', async () => {
    const unix = socketPath()
    const listener = await start({ unix })
    expect(listener.url).toBe(`unix:${unix}`)
    expect(await (await fetch('http://localhost/b', { unix })).text()).toBe('hello /b')
  })

  test('a file that a killed process left is replaced', async () => {
    const unix = socketPath()
    const child = Bun.spawn([process.execPath, '-e', `Bun.serve({ unix: ${JSON.stringify(unix)}, fetch: () => new Response() }); console.log(1)`], { stdout: 'pipe' })
    await child.stdout.getReader().read()
    child.kill('SIGKILL')
    await child.exited
    expect(existsSync(unix)).toBe(true)
    await start({ unix })
    expect(await (await fetch('http://localhost/b', { unix })).text()).toBe('hello /b')
  })

  test('a socket on which somebody answers is left alone', async () => {
    const unix = socketPath()
    const server = createServer()
    await new Promise<void>(resolve => server.listen(unix, resolve))
    cleanups.push(() => new Promise<void>(resolve => server.close(() => resolve())))
    expect(await failure(start({ unix }))).toBeInstanceOf(OperatorError)
    expect(existsSync(unix)).toBe(true)
  })
})

describe('TLS', () => {
  test('HTTP/1.1 and HTTP/2 by ALPN', async () => {
    const listener = await start({ tls: { ...(await pair('server1')), minVersion: '1.2' } })
    expect(listener.url).toStartWith('https://')
    const ca = await fixture('server1.crt')
    expect(await (await fetch(`${listener.url}/c`, { tls: { ca } })).text()).toBe('hello /c')
    const session = http2.connect(listener.url, { ca })
    const request = session.request({ ':path': '/d' })
    let text = ''
    for await (const chunk of request) text += chunk
    session.close()
    expect(text).toBe('hello /d')
  })

  test('1.1 is refused, 1.2 is taken, unless 1.3 is the minimum', async () => {
    const keys = await pair('server1')
    const from12 = await start({ tls: { ...keys, minVersion: '1.2' } })
    const from13 = await start({ tls: { ...keys, minVersion: '1.3' } })
    expect(await handshake(from12.port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })).toBeString()
    expect(await handshake(from12.port, { maxVersion: 'TLSv1.2' })).toMatchObject({ protocol: 'TLSv1.2' })
    expect(await handshake(from13.port, { maxVersion: 'TLSv1.2' })).toBeString()
    expect(await handshake(from13.port)).toMatchObject({ protocol: 'TLSv1.3' })
  })

  test('with a client CA, only its certificates get in', async () => {
    const tls = { ...(await pair('server1')), clientCa: await fixture('client-ca.crt'), minVersion: '1.2' } as const
    const { url } = await start({ tls })
    const ask = async (extra: object) =>
      fetch(`${url}/m`, { keepalive: false, tls: { ca: tls.cert, ...extra } }).then(answer => answer.text(), () => 'refused')
    expect(await ask({})).toBe('refused')
    expect(await ask(await pair('stranger'))).toBe('refused')
    expect(await ask(await pair('client'))).toBe('hello /m')
  })

  test('a swap: new connections see the new certificate, an answer in flight ends', async () => {
    const half: Fetch = async () => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue('first ')
          await Bun.sleep(400)
          controller.enqueue('second')
          controller.close()
        },
      })
      return new Response(body)
    }
    const listener = await start({ fetch: half, tls: { ...(await pair('server1')), minVersion: '1.2' } })
    expect(await handshake(listener.port)).toMatchObject({ serial: '1001' })
    const inFlight = fetch(listener.url, { tls: { rejectUnauthorized: false } }).then(answer => answer.text())
    await Bun.sleep(100)
    listener.replaceTls({ ...(await pair('server2')), minVersion: '1.2' })
    await Bun.sleep(50)
    for (let i = 0; i < 10; i++) expect(await handshake(listener.port)).toMatchObject({ serial: '1002' })
    expect(await inFlight).toBe('first second')
  })

  test('a certificate that Bun does not accept leaves the old one in use', async () => {
    const listener = await start({ tls: { ...(await pair('server1')), minVersion: '1.2' } })
    expect(() => listener.replaceTls({ cert: 'nonsense', key: 'nonsense', minVersion: '1.2' })).toThrow()
    expect(await handshake(listener.port)).toMatchObject({ serial: '1001' })
  })
})

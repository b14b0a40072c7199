/** HTTP/2 over TLS: appends, catch-up and live readers side by side on one connection. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import { loopbackCertificate } from '../support/certificate.ts'
import { EventReader, controlOf } from '../support/event-source.ts'
import { startServer, type Server } from '../support/server.ts'

let server: Server
let session: ClientHttp2Session

beforeAll(async () => {
  server = await startServer({ tls: loopbackCertificate, env: { DS_LIMITS__MAX_REQUEST_BODY_BYTES: '1000000' } })
  session = connect(server.url, { ca: loopbackCertificate.ca })
  await new Promise<void>((resolve, reject) => session.once('connect', () => resolve()).once('error', reject))
})
afterAll(async () => {
  session.close()
  await server.close()
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: ReadableStream<Uint8Array>
}

function send(method: string, name: string, headers: Readonly<Record<string, string>> = {}, body?: string | Uint8Array): Promise<Answer> {
  const stream = session.request({ ':method': method, ':path': `/v1/stream/${name}`, 'content-type': 'text/plain', ...headers })
  stream.end(body)
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.once('response', found => {
      const parts = new ReadableStream<Uint8Array>({
        start(controller) {
          stream.on('data', (data: Buffer) => controller.enqueue(new Uint8Array(data)))
          stream.once('end', () => controller.close())
        },
        cancel: () => void stream.close(),
      })
      resolve({ status: Number(found[':status']), headers: found, body: parts })
    })
  })
}

async function statusOf(answer: Promise<Answer>): Promise<number> {
  const { status, body } = await answer
  await new Response(body).arrayBuffer()
  return status
}

test('two hundred appends and ten live readers share a connection; all get all', async () => {
  expect(await statusOf(send('PUT', 'shared'))).toBe(201)
  const readers = await Promise.all(Array.from({ length: 10 }, async () => new EventReader(new Response((await send('GET', 'shared?offset=-1&live=sse')).body))))
  const received = readers.map(reader => reader.until(control => control.streamClosed === true))
  const statuses = await Promise.all(Array.from({ length: 200 }, (_, record) => statusOf(send('POST', 'shared', {}, `${record};`))))
  expect(new Set(statuses)).toEqual(new Set([204]))
  expect(await statusOf(send('POST', 'shared', { 'stream-closed': 'true' }))).toBe(204)
  const page = await new Response((await send('GET', 'shared?offset=-1')).body).text()
  expect(page.split(';').slice(0, -1).map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, record) => record))
  for (const events of await Promise.all(received)) {
    expect(events.filter(event => event.type === 'data').map(event => event.data).join('')).toBe(page)
    const last = events.at(-1)
    expect(last && controlOf(last).streamClosed).toBe(true)
  }
})

test('a body above the limit is refused, and its neighbours on the connection are not disturbed', async () => {
  expect(await statusOf(send('PUT', 'limit'))).toBe(201)
  const large = statusOf(send('POST', 'limit', {}, new Uint8Array(1_000_001)))
  const others = Array.from({ length: 10 }, () => statusOf(send('POST', 'limit', {}, 'x')))
  expect(await large).toBe(413)
  expect(await Promise.all(others)).toEqual(Array.from({ length: 10 }, () => 204))
  expect(await statusOf(send('POST', 'limit', {}, new Uint8Array(1_000_000)))).toBe(204)
})

test('a body that is reset half way leaves nothing', async () => {
  expect(await statusOf(send('PUT', 'reset'))).toBe(201)
  for (let attempt = 0; attempt < 20; attempt++) await resetHalfWay('/v1/stream/reset', attempt * 2)
  await Bun.sleep(200)
  expect(await new Response((await send('GET', 'reset?offset=-1')).body).text()).toBe('')
})

/** By hand, frame by frame: a client library would end the body before it resets the stream. */
async function resetHalfWay(path: string, waitMs: number): Promise<void> {
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: loopbackCertificate.ca, ALPNProtocols: ['h2'] })
  socket.on('error', () => {})
  socket.resume()
  await new Promise<void>(resolve => socket.once('secureConnect', () => resolve()))
  const fields = [[':method', 'POST'], [':scheme', 'https'], [':authority', 'localhost'], [':path', path], ['content-type', 'text/plain']] as const
  const block = Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]))
  const start = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(frameTypes.settings, 0, 0), frame(frameTypes.headers, endHeaders, 1, block)]
  socket.write(Buffer.concat([...start, frame(frameTypes.data, 0, 1, Buffer.from('half'))]))
  await Bun.sleep(waitMs)
  socket.write(frame(frameTypes.resetStream, 0, 1, Buffer.from([0, 0, 0, 8])))
  await Bun.sleep(10)
  socket.destroy()
}

const frameTypes = { data: 0, headers: 1, resetStream: 3, settings: 4 } as const
const endHeaders = 4

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.byteLength, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

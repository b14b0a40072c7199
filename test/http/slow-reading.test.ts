/** Readers that stop reading: they cost a bounded amount, lose their connection after a while, and find everything when they come back. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dataOf, EventReader, lastOffset } from '../support/event-source.ts'
import { ask, binary, eventually, readPages } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'
import { head, Wire } from '../support/wire.ts'

const slowSecs = 2
/** For what was made on the way and is not held any more to be collected on a busy machine, while the readers are all still there. */
const collectedMsMax = 1000
const readersCount = 40
const recordBytes = 64 * 1024
const recordsCount = 384
/** What one reader that takes nothing may cost in the server, sockets' buffers aside: one event in base64 and what is being made. */
const readerMiBMax = 2.5
const largeBytes = 8 * 1024 * 1024
const bytesPerSecond = 5_000_000
let server: Server
let sent: Buffer

beforeAll(async () => {
  server = await startServer({ env: { DS_LIMITS__SLOW_READER_SECS: String(slowSecs) } })
  await ask(`${server.base}/large`, 'PUT', binary)
  const records = Array.from({ length: recordsCount }, (_, index) => new Uint8Array(recordBytes).fill(index % 251))
  for (const record of records) expect((await ask(`${server.base}/large`, 'POST', binary, record)).status).toBe(204)
  sent = Buffer.concat(records)
})
afterAll(async () => {
  await server.close()
})

test('SSE: bounded memory, then the connection is closed; the reader resumes without loss', async () => {
  const before = { files: openFiles(server.pid), mib: residentMiB(server.pid) }
  const wires = await stalledReaders('/v1/stream/large?offset=-1&live=sse')
  await eventually('all of them are followed', async () => (await sseConnections()) === readersCount)
  await Bun.sleep(500)
  await eventually('they cost little', () => residentMiB(server.pid) - before.mib < readersCount * readerMiBMax, collectedMsMax)
  // The server is not held up by them.
  const startedMs = performance.now()
  expect((await ask(`${server.base}/large`, 'HEAD')).status).toBe(200)
  expect(performance.now() - startedMs).toBeLessThan(10_000)
  await eventually('they are given up', async () => (await sseConnections()) === 0, 20_000)
  await eventually('their sockets are closed', () => openFiles(server.pid) < before.files + readersCount / 2, 20_000)
  for (const wire of wires) wire.resume()
  await eventually('the connections are closed', () => wires.every(wire => wire.closed), 20_000)
  const [first] = wires
  expect(await joinAfterBreak(first?.received ?? Buffer.alloc(0))).toBe(true)
  for (const wire of wires) wire[Symbol.dispose]()
}, 30_000)

test('a reader that is slow but reads is not given up, also while one event takes longer than the limit', async () => {
  await ask(`${server.base}/event`, 'PUT', binary)
  for (let record = 0; record < 3; record++) await ask(`${server.base}/event`, 'POST', binary, new Uint8Array(largeBytes).fill(5))
  const socket = connect(server.port, '127.0.0.1').on('error', () => {})
  const startedMs = performance.now()
  let bytes = 0
  socket.write(head('GET', '/v1/stream/event?offset=-1&live=sse', { Connection: 'close' }))
  await new Promise<void>(resolve => {
    socket.on('close', () => resolve())
    socket.on('data', (data: Buffer) => {
      bytes += data.byteLength
      socket.pause()
      setTimeout(() => socket.resume(), (data.byteLength / bytesPerSecond) * 1000)
      if (data.subarray(-200).includes('upToDate')) resolve()
    })
  })
  socket.destroy()
  expect(bytes).toBeGreaterThan((3 * largeBytes * 4) / 3)
  // Otherwise nothing was proved: the sockets' buffers took it all at once.
  expect(performance.now() - startedMs).toBeGreaterThan(slowSecs * 2000)
}, 30_000)

test('catch-up: readers of large pages that take nothing cost a page at the most', async () => {
  const before = residentMiB(server.pid)
  const wires = await stalledReaders('/v1/stream/large?offset=-1')
  await Bun.sleep(500)
  await eventually('they cost little', () => residentMiB(server.pid) - before < readersCount * readerMiBMax, collectedMsMax)
  for (const wire of wires) wire.resume()
  const pages = await Promise.all(wires.map(wire => wire.answer()))
  for (const page of pages) expect(page.body.equals(sent.subarray(0, page.body.byteLength))).toBe(true)
  for (const wire of wires) wire[Symbol.dispose]()
  expect(Buffer.concat((await readPages(`${server.base}/large`)).map(page => page.bytes)).equals(sent)).toBe(true)
}, 30_000)

async function stalledReaders(path: string): Promise<Wire[]> {
  const wires = await Promise.all(Array.from({ length: readersCount }, () => Wire.open(server.port)))
  for (const wire of wires) {
    wire.pause()
    await wire.send(head('GET', path))
  }
  return wires
}

/** Reads what came before the break, then the rest from the last offset that was told, and compares. */
async function joinAfterBreak(received: Buffer): Promise<boolean> {
  const events = await new EventReader(new Response(new Uint8Array(unchunked(received)))).rest()
  const complete = events.slice(0, events.findLastIndex(event => event.type === 'control') + 1)
  expect(complete.length).toBeGreaterThan(0)
  const parts = complete.filter(event => event.type === 'data').map(event => Buffer.from(event.data, 'base64'))
  expect(dataOf(complete).length).toBeGreaterThan(0)
  const rest = await readPages(`${server.base}/large`, lastOffset(complete))
  return Buffer.concat([...parts, ...rest.map(page => page.bytes)]).equals(sent)
}

/** The body of a chunked answer as far as it came. */
function unchunked(received: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = received.indexOf('\r\n\r\n') + 4; ; ) {
    const lineEnd = received.indexOf('\r\n', at)
    const length = Number.parseInt(received.subarray(at, Math.max(at, lineEnd)).toString('latin1'), 16)
    if (lineEnd < 0 || !(length > 0)) return Buffer.concat(parts)
    parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + length))
    at = lineEnd + 2 + length + 2
  }
}

async function sseConnections(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^headwater_sse_connections\{kind="sse"\} (\d+)$/m.exec(text)?.[1])
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

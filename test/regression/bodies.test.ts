/** B13 of the field survey: a body without end was buffered whole. It must be counted while it is read, and refused. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { startServer, type Server } from '../support/server.ts'
import { limitMs, rounds } from './scale.ts'

const limitBytes = 1_048_576
const growthMiBMax = 32
const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)

for (const method of ['POST', 'PUT'] as const) {
  test(`a ${method} that never ends is refused with 413 and costs no memory`, async () => {
    await using server = await startServer({ env: { DS_LIMITS__MAX_REQUEST_BODY_BYTES: String(limitBytes) } })
    await fetch(`${server.base}/endless`, { method: 'PUT', headers: { 'content-type': 'text/plain' } })
    await sendChunks(server, method, 4)
    const beforeMiB = residentMiB(server.pid)
    const { answer, sentBytes } = await sendChunks(server, method, rounds(256) * 16)
    expect(answer.startsWith('HTTP/1.1 413')).toBe(true)
    expect(sentBytes).toBeGreaterThan(limitBytes)
    expect(residentMiB(server.pid) - beforeMiB).toBeLessThan(growthMiBMax)
    const head = await fetch(`${server.base}/endless`, { method: 'HEAD' })
    expect(head.status).toBe(200)
  }, limitMs(60_000))
}

test('a body one byte above the limit is 413 and the connection can be used again; one at the limit is stored', async () => {
  await using server = await startServer({ env: { DS_LIMITS__MAX_REQUEST_BODY_BYTES: String(limitBytes) } })
  const url = `${server.base}/limit`
  const headers = { 'content-type': 'text/plain' }
  await fetch(url, { method: 'PUT', headers })
  const post = async (length: number) => (await fetch(url, { method: 'POST', headers, body: 'x'.repeat(length) })).status
  expect(await post(limitBytes + 1)).toBe(413)
  expect(await post(limitBytes)).toBe(204)
  const reused = await exchange(server, [
    `POST /v1/stream/limit HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${limitBytes + 1}\r\n\r\n${'x'.repeat(limitBytes + 1)}`,
    'HEAD /v1/stream/limit HTTP/1.1\r\nHost: x\r\n\r\n',
  ])
  expect(reused.map(head => head.slice(0, 12))).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200'])
})

test('chunked bodies of PUT and POST are stored whole', async () => {
  await using server = await startServer()
  const put = 'PUT /v1/stream/chunked HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n'
  const post = 'POST /v1/stream/chunked HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n,t\r\n2\r\nwo\r\n0\r\n\r\n'
  const heads = await exchange(server, [put, post])
  expect(heads.map(head => head.slice(0, 12))).toEqual(['HTTP/1.1 201', 'HTTP/1.1 204'])
  expect(await (await fetch(`${server.base}/chunked`)).text()).toBe('one,two')
})

/** Sends up to `count` chunks of 64 KiB, goes on after the first answer as a rude client does, and returns that answer. */
async function sendChunks(server: Server, method: string, count: number): Promise<{ answer: string; sentBytes: number }> {
  const socket = await open(server)
  let answer = ''
  let ended = false
  let sentBytes = 0
  socket.on('data', data => (answer += data.toString('latin1')))
  socket.on('close', () => (ended = true))
  socket.write(`${method} /v1/stream/endless HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n`)
  for (let sent = 0; sent < count && !ended; sent++) {
    sentBytes += 0x10000
    if (!socket.write(chunk)) await Promise.race([drained(socket), Bun.sleep(2000)])
  }
  if (!ended) socket.write('0\r\n\r\n')
  for (let wait = 0; wait < 200 && answer === '' && !ended; wait++) await Bun.sleep(10)
  socket.destroy()
  return { answer, sentBytes }
}

/** Sends requests one after the other on one connection; returns the heads of the answers. */
async function exchange(server: Server, requests: readonly string[]): Promise<string[]> {
  const socket = await open(server)
  const heads: string[] = []
  for (const request of requests) {
    const answered = new Promise<string>(resolve => socket.once('data', data => resolve(data.toString('latin1'))))
    socket.write(request)
    heads.push(await Promise.race([answered, Bun.sleep(5000).then(() => 'no answer')]))
    await Bun.sleep(50)
  }
  socket.destroy()
  return heads
}

async function open(server: Server): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => resolve(socket))
    // A server may cut an endless body off; that is an answer, not a failure of the test.
    socket.on('error', reject)
  })
}

function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('drain', () => resolve())
    socket.once('close', () => resolve())
  })
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

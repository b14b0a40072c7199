/** Requests whose Host is short, unfit or missing: they are made anew for the router, and were taken for others by what asks who calls. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { listen, type Listener } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'

let listener: Listener
beforeAll(async () => {
  listener = await listen({
    hostname: '127.0.0.1', port: 0, http2: false, log: silentLog, clock: systemClock,
    fetch: (request, server) => {
      server.timeout(request, 30)
      return new Response(`${new URL(request.url).pathname} ${server.requestIP(request)?.address}`)
    },
  })
})
afterAll(() => listener.stop(0))

// Without the caller's address everybody was a caller of this machine to /metrics, and the limit of logins by address did not hold.
test.each([
  ['a short one', 'GET /a/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'],
  ['one that is no host', 'GET /a/b HTTP/1.1\r\nHost: h/x\r\nConnection: close\r\n\r\n'],
  ['an empty one', 'GET /a/b HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n'],
  ['none', 'GET /a/b HTTP/1.0\r\n\r\n'],
])('%s hides neither path nor caller', async (_, request) => {
  expect(await answerTo(request)).toEndWith('\r\n\r\n/a/b 127.0.0.1')
})

function answerTo(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(listener.port, '127.0.0.1', () => socket.write(text))
    socket.on('data', chunk => (answer += String(chunk)))
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
    socket.setTimeout(2000, () => socket.destroy())
  })
}

/** A process of its own for test/http/body.test.ts: POST reads a body of at most 10 MiB, GET /rss tells the memory in use. */
import { readBody } from '../../src/http/body.ts'
import { errorResponse } from '../../src/http/errors.ts'
import { listen } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'

const listener = await listen({
  hostname: '127.0.0.1',
  port: 0,
  http2: true,
  log: silentLog,
  clock: systemClock,
  async fetch(request) {
    if (request.url.endsWith('/rss')) return new Response(String(process.memoryUsage.rss()))
    try {
      return new Response(String((await readBody(request, 10 * 1024 * 1024)).length))
    } catch (error) {
      return errorResponse(error, { requestId: 'r', log: silentLog })
    }
  },
})
console.log(listener.port)

/** A small server for test/ops/lifecycle.test.ts: prints its port, then each event of its life on a line. */
import { listen } from '../../src/http/listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Health } from '../../src/ops/health.ts'
import { Lifecycle } from '../../src/ops/lifecycle.ts'
import { createLog, lineWriter } from '../../src/ops/log.ts'
import { createNotify } from '../../src/ops/notify.ts'

const say = lineWriter(1)
const clock = systemClock
const log = createLog({ filter: 'info', style: { format: 'json', colour: false, journal: false }, write: lineWriter(2), clock })
const health = new Health()
const notify = await createNotify({ socket: process.argv[2], clock, log })
const lifecycle = new Lifecycle({ health, notify, clock, log, readinessDelayMs: 200, drainMs: 1_000, exit: code => process.exit(code) })

const listener = await lifecycle.step('listen', () =>
  listen({
    hostname: '127.0.0.1', port: 0, http2: false, log: silentLog, clock,
    async fetch(request) {
      const path = new URL(request.url).pathname
      if (path === '/readyz') return new Response(null, { status: health.report().ready ? 200 : 503 })
      if (path === '/fail') lifecycle.fail(new Error('the writer died'))
      if (path === '/throw') setTimeout(() => { throw new Error('uncaught') }, 0)
      if (path === '/reject') void Promise.reject(new Error('unawaited'))
      if (path === '/stuck') return new Promise<Response>(() => {})
      if (path !== '/live') return new Response('ok')
      await new Promise<void>(resolve => lifecycle.stopping.addEventListener('abort', () => resolve(), { once: true }))
      return new Response('come back')
    },
  }),
)
lifecycle.onStop('stores', 'first opened', () => say('closed first\n'))
lifecycle.onStop('stores', 'second opened', async () => {
  await Bun.sleep(20)
  say('closed second\n')
})
lifecycle.onStop('listeners', 'http', async () => {
  say('listener closing\n')
  await listener.stop(1_000)
  say('listener closed\n')
})
lifecycle.loop('steady', async signal => {
  while (!signal.aborted) await clock.sleep(10_000, signal)
  say('loop ended\n')
})
lifecycle.onReload('broken', () => { throw new Error('bad configuration') })
lifecycle.onReload('fine', () => say(`reloaded\n`))
const running = lifecycle.run()
lifecycle.ready(`listening on ${listener.url}`)
say(`${listener.port}\n`)
process.exit(await running)

/** The probes' addresses over the app object: alive, ready, verbose, metrics. */
import { expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { healthRoutes } from '../../src/http/health-routes.ts'
import { metricsRoute } from '../../src/http/metrics-route.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { Health } from '../../src/ops/health.ts'
import { processMetrics } from '../../src/ops/metrics.ts'

const ask = async (app: { handle: (request: Request) => Promise<Response> }, path: string, method = 'GET') => {
  const answer = await app.handle(new Request(`http://localhost${path}`, { method }))
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

test('alive from the first moment, ready when started and every check passes', async () => {
  const health = new Health()
  const shard = health.state('shard 0', 'the shard is not open')
  const app = new Elysia().use(healthRoutes(() => health.report()))
  for (const path of ['/livez', '/healthz']) expect(await ask(app, path)).toMatchObject({ status: 200, text: 'ok' })
  expect(await ask(app, '/api/healthcheck')).toMatchObject({ status: 200, text: 'Ok' })
  expect(await ask(app, '/readyz')).toMatchObject({ status: 503, text: 'not ready' })
  health.started()
  const waiting = await ask(app, '/readyz?verbose')
  expect(waiting.status).toBe(503)
  expect(waiting.headers.get('Retry-After')).toBe('1')
  expect(JSON.parse(waiting.text)).toEqual({
    status: 'fail',
    checks: [{ name: 'start', ok: true }, { name: 'shutdown', ok: true }, { name: 'shard 0', ok: false, detail: 'the shard is not open' }],
  })
  shard(null)
  expect(await ask(app, '/readyz')).toMatchObject({ status: 200, text: 'ok' })
  expect((await ask(app, '/readyz', 'HEAD')).status).toBe(200)
  health.check('broken', () => {
    throw new Error('secret')
  })
  const broken = await ask(app, '/readyz?verbose')
  expect(broken.status).toBe(503)
  expect(broken.text).not.toContain('secret')
  health.check('broken', () => null)
  health.drain()
  expect(await ask(app, '/readyz')).toMatchObject({ status: 503 })
  expect(await ask(app, '/livez')).toMatchObject({ status: 200 })
})

test('/metrics is text that Prometheus reads, with the process in it', async () => {
  const figures = processMetrics(new Metrics(), systemClock, '3.99.0')
  const app = new Elysia().use(metricsRoute(() => figures.render()))
  await Bun.sleep(600)
  const first = await ask(app, '/metrics')
  figures.stop()
  expect(first.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  for (const line of first.text.trimEnd().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/)
  }
  expect(first.text).toMatch(/headwater_build_info\{version="[^"]+",revision="[^"]+",bun_version="1\.[^"]+",sqlite_version="3\.99\.0"\} 1\n/)
  const value = (name: string) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(first.text)?.[1])
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(value('process_start_time_seconds')).toBeGreaterThan(1.7e9)
  expect(value('headwater_uptime_seconds')).toBeGreaterThan(0.5)
  expect(value('headwater_event_loop_delay_seconds_count')).toBeGreaterThanOrEqual(1)
  if (process.platform === 'linux') expect(value('process_open_fds')).toBeGreaterThan(2)
})

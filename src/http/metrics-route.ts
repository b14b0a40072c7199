/** `GET /metrics` in the text format of Prometheus. What is counted is ops/metrics.ts. */
import { Elysia } from 'elysia'

/** `render` gives the whole text. Names and labels tell no stream, user or address; who may read it is metrics-access.ts. */
export function metricsRoute(render: () => string) {
  const headers = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Cache-Control': 'no-store' }
  return new Elysia({ name: 'metrics-route' }).get('/metrics', async () => new Response(render(), { headers }))
}

/** The addresses that probes ask: alive, ready, and the healthcheck of TrailBase's clients. What healthy means is ops/health.ts. */
import { Elysia } from 'elysia'

export interface HealthReport {
  readonly ready: boolean
  /** Names of what was checked, with a sentence on each that failed. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[]
}

const headers = { 'Cache-Control': 'no-store', 'Content-Type': 'text/plain; charset=utf-8' }

/**
 * GET and HEAD on `/livez` and `/healthz` (the event loop turns; touches no disk), `/readyz` (200 or 503; `?verbose` lists
 * the checks) and `/api/healthcheck` (`Ok`). No credential; names no secrets. `report` must not wait for anything.
 */
export function healthRoutes(report: () => HealthReport) {
  const alive = async () => new Response('ok', { headers })
  const healthcheck = async () => new Response('Ok', { headers })
  return new Elysia({ name: 'health-routes' })
    .get('/livez', alive)
    .get('/healthz', alive)
    .get('/readyz', async ({ request }) => readiness(report(), new URL(request.url).searchParams.has('verbose')))
    .get('/api/healthcheck', healthcheck)
}

function readiness(report: HealthReport, verbose: boolean): Response {
  const status = report.ready ? 200 : 503
  const retry = report.ready ? {} : { 'Retry-After': '1' }
  if (!verbose) return new Response(report.ready ? 'ok' : 'not ready', { status, headers: { ...headers, ...retry } })
  const body = { status: report.ready ? 'pass' : 'fail', checks: report.checks }
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...retry } })
}

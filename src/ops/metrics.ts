/** The names and readings of what the process and its HTTP side tell Prometheus. Counting and text format are lib/metrics.ts. */
import { readdirSync, readFileSync } from 'node:fs'
import type { RequestMeter } from '../http/access-log.ts'
import { build } from '../lib/build.ts'
import type { Clock } from '../lib/clock.ts'
import type { Counter, Histogram, Metrics } from '../lib/metrics.ts'

/** Upper bounds in seconds. */
const requestBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const loopDelayBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
/** How often the event loop's delay is measured. */
const loopDelayPeriodMs = 500

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Requests by route, method and code; the series are looked up once and kept. Methods we do not know count as OTHER. */
export function httpMetrics(metrics: Metrics): RequestMeter & { readonly begun: number } {
  let inFlight = 0
  let begun = 0
  metrics.gauge('headwater_http_requests_in_flight', 'Requests whose answer has not begun.', () => inFlight)
  const routes = new Map<string, { readonly seconds: Histogram; readonly codes: Map<string, Map<number, Counter>> }>()
  const routeOf = (route: string) => {
    let entry = routes.get(route)
    if (entry === undefined) {
      const help = 'Seconds from the request to the beginning of its answer.'
      entry = { seconds: metrics.histogram('headwater_http_request_duration_seconds', help, requestBounds, { route }), codes: new Map() }
      routes.set(route, entry)
    }
    return entry
  }
  const counterOf = (codes: Map<string, Map<number, Counter>>, route: string, verb: string, status: number) => {
    const method = methods.has(verb) ? verb : 'OTHER'
    let byStatus = codes.get(method)
    if (byStatus === undefined) codes.set(method, (byStatus = new Map<number, Counter>()))
    let counter = byStatus.get(status)
    if (counter === undefined) {
      const labels = { route, method, code: String(status) }
      counter = metrics.counter('headwater_http_requests_total', 'Requests answered.', labels)
      byStatus.set(status, counter)
    }
    return counter
  }
  return {
    /** Requests begun since the start. */
    get begun() {
      return begun
    },
    begin() {
      inFlight++
      begun++
    },
    end(route, method, status, seconds) {
      inFlight--
      const entry = routeOf(route)
      entry.seconds.observe(seconds)
      counterOf(entry.codes, route, method, status).add()
    },
  }
}

export interface ProcessMetrics {
  /** Every metric in the text format. */
  render(): string
  stop(): void
}

/** Registers the figures of the process and starts to measure the event loop. `sqliteVersion` is told in build_info. */
export function processMetrics(metrics: Metrics, clock: Clock, sqliteVersion: string): ProcessMetrics {
  const startedAtMs = clock.now()
  const startedAt = clock.monotonic()
  metrics.gauge('headwater_build_info', 'Always 1; the labels tell the build.', () => 1, {
    version: build.version, revision: build.revision, bun_version: Bun.version, sqlite_version: sqliteVersion,
  })
  metrics.gauge('headwater_uptime_seconds', 'Seconds since the start.', () => (clock.monotonic() - startedAt) / 1_000)
  metrics.gauge('process_start_time_seconds', 'Start of the process, seconds since the epoch.', () => startedAtMs / 1_000)
  metrics.gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss())
  fileDescriptorMetrics(metrics)
  const countCpu = cpuCounter(metrics)
  const stopLoop = measureLoopDelay(metrics, clock)
  return {
    render() {
      countCpu()
      return metrics.render()
    },
    stop: stopLoop,
  }
}

/** Files in use and allowed; Linux only, absent elsewhere. */
function fileDescriptorMetrics(metrics: Metrics): void {
  const limit = /^Max open files\s+(\d+)/m.exec(readText('/proc/self/limits'))?.[1]
  if (limit === undefined) return
  // The listing opens one file itself.
  metrics.gauge('process_open_fds', 'Open file descriptors.', () => readdirSync('/proc/self/fd').length - 1)
  metrics.gauge('process_max_fds', 'File descriptors that may be open.', () => Number(limit))
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Adds the CPU time since the last call; call it before each scrape. */
function cpuCounter(metrics: Metrics): () => void {
  const counter = metrics.counter('process_cpu_seconds_total', 'User and system CPU time, in seconds.')
  let countedMicros = 0
  return () => {
    const { user, system } = process.cpuUsage()
    counter.add((user + system - countedMicros) / 1e6)
    countedMicros = user + system
  }
}

function measureLoopDelay(metrics: Metrics, clock: Clock): () => void {
  const help = 'How much later than asked a timer ran: what a request waits for the event loop.'
  const delay = metrics.histogram('headwater_event_loop_delay_seconds', help, loopDelayBounds)
  let due = clock.monotonic() + loopDelayPeriodMs
  return clock.every(loopDelayPeriodMs, () => {
    const now = clock.monotonic()
    delay.observe(Math.max(0, now - due) / 1_000)
    due = now + loopDelayPeriodMs
  })
}

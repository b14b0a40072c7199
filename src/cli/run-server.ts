/** Runs the server as a process: log, depot, listeners, signals. What a server consists of is app.ts. */
import { chmodSync, mkdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createApp, type App } from '../app.ts'
import { listen, type Listener } from '../http/listener.ts'
import { systemClock, type Clock } from '../lib/clock.ts'
import { systemIds } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import { ConfigReload } from '../ops/config-reload.ts'
import { readSurroundings, type LoadedConfig } from '../ops/config.ts'
import { adminNotice, makeDepot } from '../ops/depot.ts'
import { Lifecycle } from '../ops/lifecycle.ts'
import { createLog, lineWriter, logStyle } from '../ops/log.ts'
import { createNotify } from '../ops/notify.ts'
import type { Config } from '../ops/options.ts'
import { readTls, watchTls, type TlsFiles } from '../ops/tls.ts'
import { assertOpenAllowed } from '../streams/open-guard.ts'

/** Runs the server until a signal stops it; `load` reads the configuration again. Resolves to the exit code. */
export async function runServer(loaded: LoadedConfig, load: () => LoadedConfig): Promise<number> {
  const { config } = loaded
  const clock = systemClock
  const around = readSurroundings()
  const style = logStyle({
    format: config.log.format,
    fd: 2,
    isTerminal: process.stderr.isTTY === true,
    noColor: around.noColor ? '1' : undefined,
    journalStream: around.journalStream ?? undefined,
  })
  const log = createLog({ filter: config.log.filter, style, write: lineWriter(2), clock })
  for (const warning of loaded.warnings) log.warn(warning)
  assertOpenAllowed({
    isOpen: config.streamApis.length === 0,
    address: config.server.bindAddress.host,
    allowOpenStreams: config.http.allowOpenStreams,
  })
  const exit = (code: number) => process.exit(code)
  const fence = (message: string) => {
    log.fatal('storage failed: nothing is acknowledged any more', { error: message })
    exit(1)
  }
  const watchdogUsec = around.watchdogUsec === null ? undefined : String(around.watchdogUsec)
  const notify = await createNotify({ socket: around.notifySocket ?? undefined, watchdogUsec, clock, log })
  // Opened before the life-cycle, which needs its health: a depot that cannot be opened ends the start with the reason.
  makeDepot(config, loaded.file, log)
  const app = await createApp(config, { clock, ids: systemIds, log, fence })
  if (app.records.firstAdmin !== null) process.stdout.write(adminNotice(app.records.firstAdmin))
  const reload = new ConfigReload({ first: loaded, load, apply: next => app.apply(next), log })
  app.reloadConfig = () => reload.reload()
  const drainMs = config.shutdown.drainSecs * 1000
  const lifecycle = new Lifecycle({ health: app.health, notify, clock, log, readinessDelayMs: 0, drainMs, exit })
  const running = lifecycle.run()
  lifecycle.onStop('stores', 'streams', () => app.stop())
  lifecycle.stopping.addEventListener('abort', () => {
    app.streams.live.stop()
    app.records.subscriptions.stop()
  })
  lifecycle.onReload('configuration', async () => void (await reload.reload()))
  const listener = await openListeners(config, app, lifecycle, { clock, log })
  lifecycle.ready(`listening on ${listener.url}`)
  log.info('ready', { url: listener.url, storage: config.storage.mode, depot: config.depot, ms: Math.round(clock.monotonic()) })
  return running
}

async function openListeners(config: Config, app: App, lifecycle: Lifecycle, parts: { clock: Clock; log: Log }): Promise<Listener> {
  const { clock, log } = parts
  const { host: hostname, port } = config.server.bindAddress
  const files = tlsFiles(config)
  const first = files === null ? null : await readTls(files, clock, log)
  const http2 = config.transport.http.versions.includes('http2')
  const listener = await listen({ fetch: app.fetch, hostname, port, ...(first === null ? {} : { tls: first.settings }), http2, log, clock })
  lifecycle.onStop('listeners', 'public listener', () => listener.stop(config.shutdown.drainSecs * 1000))
  if (files !== null && first !== null) {
    const watch = watchTls({ files, first, replace: settings => listener.replaceTls(settings), clock, log, metrics: app.metrics })
    lifecycle.onReload('certificate', async () => void (await watch.reload()))
    lifecycle.onStop('work', 'certificate watch', () => watch.stop())
  }
  await openControl(config, app, lifecycle, parts)
  return listener
}

/** Longest path of a Unix socket, in bytes. */
const socketPathBytesMax = 103

async function openControl(config: Config, app: App, lifecycle: Lifecycle, parts: { clock: Clock; log: Log }): Promise<void> {
  const absolute = join(config.depot, 'headwater.sock')
  const unix = [absolute, relative(process.cwd(), absolute)].find(path => Buffer.byteLength(path) <= socketPathBytesMax)
  if (unix === undefined) {
    parts.log.warn('the depot’s path is too long for a control socket; `headwater stream` needs --url', { depot: config.depot })
    return
  }
  mkdirSync(dirname(absolute), { recursive: true, mode: 0o700 })
  const control = await listen({ fetch: app.controlFetch, hostname: 'localhost', port: 0, unix, http2: false, ...parts })
  chmodSync(unix, 0o600) // whoever opens it is the operator
  lifecycle.onStop('listeners', 'control socket', () => control.stop(config.shutdown.drainSecs * 1000))
}

function tlsFiles(config: Config): TlsFiles | null {
  const { certPath, keyPath, clientCaPath, minVersion } = config.tls
  if (certPath === null || keyPath === null) return null
  return { certPath, keyPath, minVersion, ...(clientCaPath === null ? {} : { clientCaPath }) }
}

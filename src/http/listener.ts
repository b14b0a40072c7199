/** One listening socket on Bun.serve, with or without TLS. What is answered comes in as `fetch`. */
import { constants } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import type { Server } from 'bun'
import type { Clock } from '../lib/clock.ts'
import { OperatorError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { errorResponse } from './errors.ts'

export type HttpServer = Server<undefined>
export type Fetch = (request: Request, server: HttpServer) => Response | Promise<Response>

export interface TlsSettings {
  /** PEM text: the certificate, then its intermediates. */
  readonly cert: string
  readonly key: string
  /** PEM text of the CAs whose client certificates are required and accepted; absent = no client certificates. */
  readonly clientCa?: string
  readonly minVersion: '1.2' | '1.3'
}

export interface ListenOptions {
  readonly fetch: Fetch
  readonly hostname: string
  /** 0 = any free port. */
  readonly port: number
  /** Path of a unix socket; used instead of hostname and port, and always plain HTTP/1.1. */
  readonly unix?: string
  readonly tls?: TlsSettings
  /** Also HTTP/2: by ALPN with TLS, by prior knowledge without. */
  readonly http2: boolean
  readonly log: Log
  readonly clock: Clock
}

export interface Listener {
  readonly url: string
  /** 0 on a unix socket. */
  readonly port: number
  /** Accepts nothing more, lets answers in flight end for at most `drainMs`, then cuts the rest. */
  stop(drainMs: number): Promise<void>
  /**
   * New connections get the new certificate; answers in flight end on the old one. Idle connections are closed. Throws, with
   * the old certificate still in use, when Bun does not accept the new one.
   */
  replaceTls(settings: TlsSettings): void
}

/**
 * Seconds without a byte after which a connection is closed, also while a handler works. Live answers lift it with
 * `server.timeout(request, 0)` and send their own heart-beat: any number above 255 is cut to 255 by Bun.
 */
export const idleTimeoutSecs = 60

/** How long a unix socket is asked whether anybody still answers on it. */
const unixProbeMsMax = 500

/** Opens the socket. Refuses with OperatorError when the address is in use, not ours to take, or the certificate is not accepted. */
export async function listen(options: ListenOptions): Promise<Listener> {
  if (options.unix !== undefined) await removeStaleSocket(options.unix, options.clock)
  if (options.unix === undefined) refuseSharedPort(options)
  let current = open(options, options.port, options.tls)
  // Read once: Bun forgets the port when a server stops.
  const port = current.port ?? 0
  const retired = new Set<HttpServer>()
  return {
    url: options.unix === undefined ? addressOf(options, port) : `unix:${options.unix}`,
    port,
    async stop(drainMs) {
      await stopAll([current, ...retired], drainMs, options.clock)
    },
    replaceTls(settings) {
      // Server.reload ignores `tls`, so a second socket is bound beside the first (SO_REUSEPORT) before that one closes.
      const next = open(options, port, settings)
      const old = current
      current = next
      retired.add(old)
      void old.stop().then(() => retired.delete(old))
    },
  }
}

function open(options: ListenOptions, port: number, tls: TlsSettings | undefined): HttpServer {
  const shared = {
    fetch: withFindablePath(options.fetch),
    development: false,
    // Our own limit answers with our own error and keeps the connection (body.ts); Bun's does neither.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    error: (error: unknown) => errorResponse(error, { requestId: '', log: options.log }),
  } as const
  try {
    if (options.unix !== undefined) return Bun.serve({ ...shared, fetch: withTimeout(shared.fetch), unix: options.unix })
    const tcp = { ...shared, hostname: options.hostname, port, http2: options.http2, idleTimeout: idleTimeoutSecs }
    if (tls === undefined) return Bun.serve(tcp)
    return Bun.serve({ ...tcp, reusePort: true, tls: bunTls(tls) })
  } catch (error) {
    throw openingError(error, options, port)
  }
}

/** SO_REUSEPORT would let two servers share a port and answer in turns; a socket without it tells whether one is there. */
function refuseSharedPort(options: ListenOptions): void {
  const { hostname, port } = options
  if (port === 0) return
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true)
  } catch (error) {
    throw openingError(error, options, port)
  }
}

/**
 * Elysia looks for the path from character 11 of the address on, so that a host of fewer than 4 characters (`Host: hw`)
 * hides every route; without a host that is one, the address is a path alone. Such a request gets another host; all others pass untouched.
 */
function withFindablePath(fetch: Fetch): Fetch {
  return (request, server) => {
    const { url } = request
    const pathAt = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('//') + 2)
    if (pathAt >= 11) return fetch(request, server)
    return fetch(new Request(`http://localhost${url.slice(pathAt)}`, request), knowing(server, request))
  }
}

/** The server does not know the request that took the place of `original`: asked about it, it would name no caller and set no limit. */
function knowing(server: HttpServer, original: Request): HttpServer {
  return new Proxy(server, {
    get(target, name) {
      if (name === 'requestIP') return () => target.requestIP(original)
      if (name === 'timeout') return (_: Request, secs: number) => target.timeout(original, secs)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A unix socket takes no idle timeout of its own, so each request sets it. */
function withTimeout(fetch: Fetch): Fetch {
  return (request, server) => {
    server.timeout(request, idleTimeoutSecs)
    return fetch(request, server)
  }
}

function bunTls(tls: TlsSettings) {
  // Bun's floor is TLS 1.2 already.
  const secureOptions = tls.minVersion === '1.3' ? constants.SSL_OP_NO_TLSv1_2 : 0
  const client = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }
  return { cert: tls.cert, key: tls.key, secureOptions, ...client }
}

async function stopAll(servers: readonly HttpServer[], drainMs: number, clock: Clock): Promise<void> {
  const cancel = new AbortController()
  const drained = Promise.all(servers.map(server => server.stop())).then(() => true)
  const late = clock.sleep(drainMs, cancel.signal).then(() => false)
  const inTime = await Promise.race([drained, late])
  cancel.abort()
  if (!inTime) await Promise.all(servers.map(server => server.stop(true)))
}

function addressOf(options: ListenOptions, port: number): string {
  const host = options.hostname.includes(':') ? `[${options.hostname}]` : options.hostname
  return `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`
}

function openingError(error: unknown, options: ListenOptions, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  const where = options.unix ?? `${options.hostname}:${port}`
  if (code === 'EADDRINUSE') {
    return new OperatorError(`cannot listen on ${where}: the address is in use`, 'Stop the other process, or choose another --address.', 75)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new OperatorError(`cannot listen on ${where}: not permitted`, 'Choose a port above 1023, or grant CAP_NET_BIND_SERVICE.', 77)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'ENOENT') {
    return new OperatorError(`cannot listen on ${where}: this machine has no such address`, 'Choose an address of this machine, or 0.0.0.0 for all.', 78)
  }
  return error
}

/** A socket file that a killed process left behind would keep its address in use for ever. */
async function removeStaleSocket(path: string, clock: Clock): Promise<void> {
  // A leading NUL is Linux' abstract name space: no file, nothing to remove.
  if (path.startsWith('\0') || !isSocket(path)) return
  if (await answers(path, clock)) return
  rmSync(path, { force: true })
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false
}

function answers(path: string, clock: Clock): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    const cancel = clock.after(unixProbeMsMax, () => end(true))
    const end = (answered: boolean) => {
      cancel()
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

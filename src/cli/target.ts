/** Where a `stream` command goes: to a URL, to the server that runs on the depot, or to the depot itself when none runs. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Command } from 'commander'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { OperatorError } from '../lib/errors.ts'
import { lazily } from '../lib/lazily.ts'
import type { LoadedConfig } from '../ops/config.ts'
import { addConfigFlags, loadDepot, type ConfigFlags } from './configured.ts'
import { exitFailed, exitUsage, type Context } from './context.ts'

export interface TargetFlags extends ConfigFlags {
  readonly url?: string
  readonly token?: string
  readonly insecure?: boolean
  readonly json?: boolean
}

export interface Target {
  /** For messages. */
  readonly name: string
  /** The URL path of the stream `path` (decoded). */
  readonly pathOf: (path: string) => string
  /** A request to the stream `path` (decoded). `query` without the question mark. */
  readonly stream: (path: string, init?: RequestInit, query?: string) => Promise<Response>
  /** A request to the control API. */
  readonly control: (pathAndQuery: string, init?: RequestInit) => Promise<Response>
  readonly close: () => Promise<void>
}

/** Longest answer that is read to explain a refusal. */
const problemBytesMax = 64 * 1024
/** Longest path that a Unix socket address takes on every system, in bytes. */
const socketPathBytesMax = 103

export function addTargetFlags(command: Command): Command {
  addConfigFlags(command, 'depot')
  return command
    .option('--url <URL>', 'talk to the server at this URL instead of the depot')
    .option('--token <TOKEN>', 'bearer token for --url (better: the variable HEADWATER_TOKEN)')
    .option('--insecure', 'with --url: accept any certificate')
    .option('--json', 'print JSON')
}

export async function openTarget(context: Context, flags: TargetFlags): Promise<Target> {
  if (flags.url !== undefined) return urlTarget(context, flags, flags.url)
  const loaded = loadDepot(context, flags)
  const { depot, http } = loaded.config
  const running = await runningTarget(context, loaded)
  if (running !== null) return running
  const local = await context.product.open(loaded)
  const fetchLocal = (path: string, init?: RequestInit) => local.fetch(new Request(`http://localhost${path}`, init))
  return pathTarget(`the depot ${depot}`, http.streamBasePath, fetchLocal, local.stop)
}

/** The server that runs on the depot, or null. */
export async function runningTarget(context: Context, { config: { depot, http } }: LoadedConfig): Promise<Target | null> {
  const socket = socketPath(context.io.cwd, depot)
  if (socket === null || !(await answers(socket))) return null
  return pathTarget(`the server on ${depot}`, http.streamBasePath, (path, init) => unixFetch(socket, path, init), async () => {})
}

/** Throws what the server answered as an operator's error; returns `response` when it is a success. `remedy`: instead of what helps with streams. */
export async function expectOk(response: Response, what: string, remedy = remedyOf(response.status)): Promise<Response> {
  if (response.ok) return response
  const problem = problemOf(await firstBytes(response, problemBytesMax))
  const code = problem.code === undefined ? '' : `, ${problem.code}`
  const why = problem.detail ?? problem.title ?? response.statusText
  throw new OperatorError(`${what}: ${why} (${response.status}${code})`, remedy, exitFailed)
}

/** `GET /readyz` and the like of the server on `depot` through its control socket, or null when none runs there. */
export async function askSocket(cwd: string, depot: string, path: string, signal: AbortSignal): Promise<Response | null> {
  const socket = socketPath(cwd, depot)
  if (socket === null || !(await answers(socket))) return null
  return unixFetch(socket, path, { signal })
}

function urlTarget(context: Context, flags: TargetFlags, text: string): Target {
  const base = URL.parse(text)
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new OperatorError(`--url: expected http://HOST:PORT or https://HOST:PORT, got "${text}"`, 'Add /PATH when streams are not below /v1/stream.', exitUsage)
  }
  const basePath = base.pathname === '/' ? '/v1/stream' : base.pathname.replace(/\/+$/, '')
  const token = flags.token ?? context.inputs.env['HEADWATER_TOKEN']
  const fetchUrl = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    if (token !== undefined && token !== '') headers.set('Authorization', `Bearer ${token}`)
    const tls = { rejectUnauthorized: flags.insecure !== true }
    return reached(base.origin, () => fetch(base.origin + path, { ...init, headers, redirect: 'manual', tls }))
  }
  return {
    ...pathTarget(base.origin, basePath, fetchUrl, async () => {}),
    control: async () => {
      const remedy = 'Run it on the machine of the server with --depot DIR.'
      throw new OperatorError('this command works on the depot or through its control socket, not by URL', remedy, exitUsage)
    },
  }
}

function pathTarget(
  name: string,
  basePath: string,
  send: (path: string, init?: RequestInit) => Promise<Response>,
  close: () => Promise<void>,
): Target {
  const pathOf = (path: string) => `${basePath}/${path.split('/').map(encodeURIComponent).join('/')}`
  return {
    name,
    pathOf,
    stream: (path, init, query = '') => send(`${pathOf(path)}${query === '' ? '' : `?${query}`}`, init),
    control: (pathAndQuery, init) => send(`/control${pathAndQuery}`, init),
    close,
  }
}

/** The address of the control socket of `depot`, in its shorter form; null when it is not there. */
function socketPath(cwd: string, depot: string): string | null {
  const absolute = join(depot, 'headwater.sock')
  if (!existsSync(absolute)) return null
  const short = [absolute, relative(cwd, absolute)].toSorted((a, b) => a.length - b.length)[0] ?? absolute
  return Buffer.byteLength(short) > socketPathBytesMax ? null : short
}

/** A socket file may be left over from a server that was killed: only an answer counts. */
async function answers(socket: string): Promise<boolean> {
  try {
    const response = await fetch('http://localhost/healthz', { unix: socket })
    await response.body?.cancel()
    return true
  } catch {
    return false
  }
}

function unixFetch(socket: string, path: string, init: RequestInit = {}): Promise<Response> {
  return reached(socket, () => fetch(`http://localhost${path}`, { ...init, redirect: 'manual', unix: socket }))
}

async function reached(where: string, send: () => Promise<Response>): Promise<Response> {
  try {
    return await send()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new OperatorError(`cannot reach ${where}: ${why}`, 'Is the server running there? `headwater health` tells.', exitFailed)
  }
}

async function firstBytes(response: Response, bytesMax: number): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    parts.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= bytesMax) break
  }
  return Buffer.concat(parts).subarray(0, bytesMax).toString()
}

interface Problem {
  readonly title?: string
  readonly detail?: string
  readonly code?: string
}

const isProblem = lazily(() =>
  Compile(Type.Object({ title: Type.Optional(Type.String()), detail: Type.Optional(Type.String()), code: Type.Optional(Type.String()) })),
)

function problemOf(text: string): Problem {
  try {
    const value: unknown = JSON.parse(text)
    return isProblem().Check(value) ? value : {}
  } catch {
    return text.trim() === '' ? {} : { detail: text.trim().slice(0, 500) }
  }
}

function remedyOf(status: number): string {
  if (status === 401) return 'Give a valid token with HEADWATER_TOKEN or --token.'
  if (status === 403) return 'The token is valid but the rules (stream_apis) do not allow this.'
  if (status === 404 || status === 410) return '`headwater stream ls` lists what there is.'
  if (status === 429 || status === 503) return 'Try again in a moment; `headwater health --ready` tells when.'
  if (status === 507) return 'Free room on the disk, or raise the limit that the message names.'
  return ''
}

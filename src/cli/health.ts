/** `headwater health`: ask a server whether it lives or is ready; for HEALTHCHECK, scripts and people. */
import type { Command } from 'commander'
import type { LoadedConfig } from '../ops/config.ts'
import { count } from './arguments.ts'
import { addConfigFlags, loadDepot, type ConfigFlags } from './configured.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { askSocket } from './target.ts'

interface HealthFlags extends ConfigFlags {
  readonly url?: string
  readonly ready?: boolean
  readonly insecure?: boolean
  readonly timeout: number
  readonly json?: boolean
}

const timeoutSecsDefault = 5

export function addHealth(program: Command, context: Context): void {
  const command = program
    .command('health')
    .description('Ask the server of a depot, or at a URL, for its health; exit code 0 when well, else 1')
    .option('--url <URL>', 'the server (default: the one on the depot)')
    .option('--ready', 'ask whether it is ready to serve, not only alive')
    .option('--timeout <SECONDS>', 'give up after this time', count, timeoutSecsDefault)
    .option('--insecure', 'with --url: accept any certificate')
    .action(context.action((flags: HealthFlags) => health(context, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    ['headwater health --ready', 'the server of this machine, on ./depot'],
    ['headwater health --url https://example.com', 'a server somewhere'],
    ['HEALTHCHECK CMD ["headwater", "health", "--ready"]', 'in a Dockerfile'],
  ])
}

async function health(context: Context, flags: HealthFlags): Promise<number> {
  const abort = new AbortController()
  const cancel = context.clock.after(flags.timeout * 1000, () => abort.abort(new Error(`no answer within ${flags.timeout} s`)))
  const outcome = await ask(context, flags, abort.signal).catch(error => ({ status: 0, why: error instanceof Error ? error.message : String(error) }))
  cancel()
  const isWell = outcome.status === 200
  const word = flags.ready === true ? 'ready' : 'alive'
  const text = isWell ? `${word}\n` : `not ${word}: ${outcome.why}\n`
  await context.io.out(flags.json === true ? jsonLine({ healthy: isWell, probe: word, status: outcome.status, detail: outcome.why }) : text)
  return isWell ? exitOk : exitFailed
}

async function ask(context: Context, flags: HealthFlags, signal: AbortSignal): Promise<{ status: number; why: string }> {
  const path = flags.ready === true ? '/readyz' : '/healthz'
  const response = flags.url === undefined ? await askDepot(context, loadDepot(context, flags), path, signal) : await askUrl(flags.url, path, flags.insecure === true, signal)
  const text = await response.text()
  return { status: response.status, why: text.trim().slice(0, 500) }
}

async function askDepot(context: Context, loaded: LoadedConfig, path: string, signal: AbortSignal): Promise<Response> {
  const answer = await askSocket(context.io.cwd, loaded.config.depot, path, signal)
  return answer ?? askUrl(ownUrl(loaded), path, true, signal)
}

function askUrl(url: string, path: string, isInsecure: boolean, signal: AbortSignal): Promise<Response> {
  return fetch(new URL(path, url), { signal, redirect: 'manual', tls: { rejectUnauthorized: !isInsecure } })
}

/** A server that listens on all addresses is asked on the loopback address; its certificate names another host. */
function ownUrl(loaded: LoadedConfig): string {
  const { server, tls } = loaded.config
  const any: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const host = any[server.bindAddress.host] ?? server.bindAddress.host
  return `${tls.certPath === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${server.bindAddress.port}`
}

/** A real Headwater process on a free loopback port with its own depot: started, killed, restarted and always cleaned up. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { headwaterCommand } from './command.ts'

export type StorageMode = 'memory' | 'file-fast' | 'file-durable' | 'acid'

export interface ServerOptions {
  readonly mode?: StorageMode
  readonly shards?: number
  readonly tls?: { readonly certPath: string; readonly keyPath: string; readonly ca: string }
  /** Further environment; the caller's own DS_* variables never reach the server. */
  readonly env?: Readonly<Record<string, string>>
  /** Further arguments of `serve`. */
  readonly args?: readonly string[]
  /** A directory that outlives the server; without it a temporary one is made and removed. */
  readonly depot?: string
  readonly bin?: string
  /** How long a start may take until /readyz answers 200. */
  readonly readyMsMax?: number
}

export interface Server extends AsyncDisposable {
  readonly url: string
  /** The stream root, `<url>/v1/stream`. */
  readonly base: string
  readonly port: number
  readonly depot: string
  readonly pid: number
  /** Milliseconds from spawn to the first 200 of /readyz, of the latest start. */
  readonly readyMs: number
  readonly alive: boolean
  /** What the process wrote to stdout and stderr, all starts together. */
  logs(): string
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves to the exit code, kills after `stopMsMax`. */
  stop(stopMsMax?: number): Promise<number>
  /** Starts the process again on the same depot and port, after `kill` or `stop` (stops it first when it runs). */
  restart(env?: Readonly<Record<string, string>>): Promise<void>
  /** Stops the process and removes the temporary depot. */
  close(): Promise<void>
}

type Child = Bun.Subprocess<'ignore', number, number>

const readyMsDefault = 30_000
const stopMsDefault = 30_000
const pollMs = 4
/** What every exit path must still clean up, also when a test file is cut off. */
const open = new Set<() => void>()
process.on('exit', () => {
  for (const cleanUp of open) cleanUp()
})

/** Starts a server and waits until it is ready; throws with its log when it ends or the deadline passes first. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const workDir = mkdtempSync(join(tmpdir(), 'headwater-test-'))
  const depot = options.depot ?? join(workDir, 'depot')
  const running = new Running(options, workDir, depot, await freePort())
  await running.restart()
  return running
}

/** A port of the loopback address that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

class Running implements Server {
  readonly url: string
  readonly base: string
  #child: Child | undefined
  #readyMs = 0
  readonly #logPath: string
  readonly #cleanUp: () => void

  constructor(
    readonly options: ServerOptions,
    readonly workDir: string,
    readonly depot: string,
    readonly port: number,
  ) {
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
    this.base = `${this.url}/v1/stream`
    this.#logPath = join(workDir, 'server.log')
    this.#cleanUp = () => {
      this.#child?.kill('SIGKILL')
      rmSync(workDir, { recursive: true, force: true })
    }
    open.add(this.#cleanUp)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get readyMs(): number {
    return this.#readyMs
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  logs(): string {
    return readFileSync(this.#logPath, 'utf8')
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#child?.exited
  }

  async stop(stopMsMax = stopMsDefault): Promise<number> {
    const child = this.#child
    if (!child) return 0
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
    const code = await child.exited
    clearTimeout(late)
    return code
  }

  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.alive) await this.stop()
    const command = headwaterCommand(this.options.bin) // may build it first
    const startedMs = performance.now()
    const log = openSync(this.#logPath, 'a')
    this.#child = Bun.spawn({
      cmd: [
        ...command,
        'serve',
        '--depot',
        this.depot,
        '--address',
        `127.0.0.1:${this.port}`,
        ...(this.options.args ?? []),
      ],
      env: { ...serverEnvironment(this.options), ...env },
      stdin: 'ignore',
      stdout: log,
      stderr: log,
    })
    closeSync(log)
    try {
      await this.#untilReady(startedMs)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.alive) await this.stop()
    this.#cleanUp()
    open.delete(this.#cleanUp)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #untilReady(startedMs: number): Promise<void> {
    const deadlineMs = startedMs + (this.options.readyMsMax ?? readyMsDefault)
    const tls = this.options.tls ? { tls: { ca: this.options.tls.ca } } : {}
    while (performance.now() < deadlineMs) {
      if (!this.alive) throw new Error(`the server ended before it was ready (${this.#ending()})\n${this.logs().slice(-4000)}`)
      const answer = await fetch(`${this.url}/readyz`, { ...tls, signal: AbortSignal.timeout(1000) }).catch(() => undefined)
      await answer?.arrayBuffer().catch(() => undefined)
      if (answer?.status === 200) {
        this.#readyMs = performance.now() - startedMs
        return
      }
      await Bun.sleep(pollMs)
    }
    throw new Error(`the server was not ready in ${deadlineMs - startedMs} ms\n${this.logs().slice(-4000)}`)
  }

  #ending(): string {
    return String(this.#child?.signalCode ?? `exit code ${this.#child?.exitCode}`)
  }
}

function serverEnvironment(options: ServerOptions): Record<string, string> {
  const inherited = Object.entries(Bun.env).filter(([name]) => !/^(DS_|TRAIL_|DEPOT$|DATA_DIR$|ADDRESS$|PUBLIC_URL$|PORT$|RUST_LOG$|NODE_ENV$|HEADWATER_)/.test(name))
  return {
    ...Object.fromEntries(inherited.map(([name, value]) => [name, value ?? ''])),
    ...(options.mode ? { DS_STORAGE__MODE: options.mode } : {}),
    ...(options.shards ? { DS_STORAGE__ACID_SHARD_COUNT: String(options.shards) } : {}),
    ...(options.tls ? { DS_TLS__CERT_PATH: options.tls.certPath, DS_TLS__KEY_PATH: options.tls.keyPath } : {}),
    ...options.env,
  }
}

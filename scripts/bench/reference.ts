/** The npm Node reference server as a process under node: the peer of the benchmarks, and a stand-in while a test is written. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ReferenceServer {
  readonly url: string
  readonly pid: number
  close(): Promise<void>
}

const startMsMax = 20_000

// Runs inside node: the package is CommonJS or ESM there as it would be for its users.
const program = `
import { DurableStreamTestServer } from '@durable-streams/server'
const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1', webhooks: true, ...JSON.parse(process.argv[1]) })
console.log('ready ' + await server.start())
`

/** Starts the reference server in memory, or on files (fsync per append) in a temporary directory that `close` removes. */
export async function startReference(storage: 'memory' | 'file'): Promise<ReferenceServer> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-reference-'))
  const options = storage === 'file' ? { dataDir: directory } : {}
  const child = Bun.spawn({
    cmd: ['node', '--input-type=module', '-e', program, JSON.stringify(options)],
    cwd: join(import.meta.dir, '../..'),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const url = await readUrl(child.stdout)
  return {
    url,
    pid: child.pid,
    async close() {
      kill()
      await child.exited
      process.off('exit', kill)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function readUrl(stdout: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stdout.getReader()
  const decoder = new TextDecoder()
  const late = setTimeout(() => void reader.cancel(), startMsMax)
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`the reference server did not start: ${text}`)
    text += decoder.decode(value, { stream: true })
    const url = /ready (\S+)\n/.exec(text)?.[1]
    if (url === undefined) continue
    clearTimeout(late)
    return url
  }
}

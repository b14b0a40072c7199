/** Runs one headwater command as a process of its own, in a directory of its own, and collects what it says. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { headwaterCommand } from './command.ts'

export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
}

export interface CliResult {
  readonly code: number
  readonly out: string
  readonly bytes: Uint8Array
  readonly err: string
}

const commandMsMax = 30_000

/** The caller's own DS_*, HEADWATER_* and colour variables never reach the command. */
export async function headwater(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const inherited = Object.entries(Bun.env).filter(([name]) => !/^(DS_|TRAIL_|DEPOT$|DATA_DIR$|ADDRESS$|PUBLIC_URL$|PORT$|RUST_LOG$|NODE_ENV$|HEADWATER_|NO_COLOR$|FORCE_COLOR$)/.test(name))
  const child = Bun.spawn([...headwaterCommand(), ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...Object.fromEntries(inherited.map(([name, value]) => [name, value ?? ''])), ...options.env },
    stdin: new Blob([typeof options.stdin === 'string' ? options.stdin : new Uint8Array(options.stdin ?? [])]),
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: commandMsMax,
  })
  const [bytes, err] = await Promise.all([new Response(child.stdout).bytes(), new Response(child.stderr).text()])
  return { code: await child.exited, out: Buffer.from(bytes).toString(), bytes, err }
}

/** What a command that makes a depot tells besides, on stderr. */
export const firstAdminNotice = /^The first administrator of this depot \(shown this once\):\n(?:  \S+ +\S+\n){3}/

/** A directory that is gone when the scope ends. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'headwater-cli-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

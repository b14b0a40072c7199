/**
 * Runs TrailBase's own TypeScript client tests against our executable: `bun scripts/trailbase-suite.ts PATH`, where PATH is a git directory or checkout of
 * its repository. Nothing of it is kept or changed; a stand-in for `cargo` starts our server with the arguments that the suite gives. docs/compatibility.md says what is expected.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { headwaterCommand } from '../test/support/command.ts'

const help = `bun scripts/trailbase-suite.ts PATH [--bin PATH] [--keep] [--log]
bun scripts/trailbase-suite.ts --stand-in DIR [--bin PATH]

  PATH            a git directory or checkout of TrailBase's repository
  --bin PATH      our executable
  --keep          leave the temporary directory, and say where it is
  --log           print what the suite and the server print
  --stand-in DIR  only make DIR with the stand-in for cargo: first on PATH, it lets the tests of TrailBase's other clients start our server
`

/** What of the repository the suite needs. */
const parts = ['Cargo.lock', 'crates/assets/js/client', 'crates/assets/js/bindings', 'client/testfixture']
/** Tools of its authors that no test loads. */
const unneeded = ['@eslint/js', '@microsoft/api-extractor', 'eslint', 'globals', 'prettier', 'typescript-eslint']
/** The newest one that runs under Node 20; the suite's own wants 22. */
const jsdom = '26.1.0'
/** They call code that is compiled to WebAssembly, which this server does not load. One of them passes with any answer, and so says nothing. */
const needsWasm = /wasm/i
/** It signs in through another provider, which this server does not do yet. */
const needsOAuth = /OIDC/
const runMsMax = 300_000

interface Outcome {
  readonly name: string
  readonly passed: boolean
}

const { values, positionals } = parseArgs({
  options: {
    bin: { type: 'string' },
    'stand-in': { type: 'string' },
    keep: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
})
const [repository] = positionals
if (values['stand-in'] !== undefined) {
  console.log(standIn(values['stand-in']))
  process.exit(0)
}
if (values.help || repository === undefined) {
  console.log(help)
  process.exit(values.help ? 0 : 2)
}
const directory = mkdtempSync(join(tmpdir(), 'headwater-trailbase-'))
process.on('exit', () => (values.keep ? console.log(`kept: ${directory}`) : rmSync(directory, { recursive: true, force: true })))
process.exit(await runSuite(repository))

/** 0 when everything passes but what is known to need more than this server has. */
async function runSuite(repository: string): Promise<number> {
  await run(directory, ['bash', '-c', `set -o pipefail; git -C "$1" archive HEAD ${parts.join(' ')} | tar -x`, 'bash', repository])
  const client = join(directory, 'crates/assets/js/client')
  keepNeeded(join(client, 'package.json'))
  await run(client, ['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'])
  const path = [standIn(join(directory, 'bin')), Bun.env.PATH ?? ''].join(delimiter)
  const unit = await run(client, ['npx', 'vitest', 'run', '--reporter=tap'], { mayFail: true })
  const integration = await run(client, ['npx', 'vite-node', 'tests/integration_test_runner.ts'], { mayFail: true, env: { PATH: path, CI: '1' } })
  const outcomes = [...outcomesOf(unit), ...outcomesOf(integration)]
  for (const outcome of outcomes) console.log(`${verdictOf(outcome).padEnd(6)} ${outcome.name}`)
  const verdicts = Map.groupBy(outcomes, verdictOf)
  const count = (verdict: string) => verdicts.get(verdict)?.length ?? 0
  console.log(`${count('passes')} of ${outcomes.length} pass; ${count('WASM')} need WebAssembly, ${count('OAuth')} OAuth, ${count('FAILS')} fail`)
  if (values.log || outcomes.length === 0) console.log(`${unit}\n${integration}`)
  return count('FAILS') > 0 || outcomes.length === 0 ? 1 : 0
}

function verdictOf({ name, passed }: Outcome): string {
  if (needsWasm.test(name)) return 'WASM'
  if (passed) return 'passes'
  return needsOAuth.test(name) ? 'OAuth' : 'FAILS'
}

function keepNeeded(path: string): void {
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { devDependencies: Record<string, string> }
  for (const name of unneeded) delete manifest.devDependencies[name]
  manifest.devDependencies.jsdom = jsdom
  writeFileSync(path, JSON.stringify(manifest))
}

/** `cargo build` does nothing, `cargo run … -- ARGS` becomes our server. Returns the folder that it is in. */
function standIn(bin: string): string {
  mkdirSync(bin, { recursive: true })
  const command = headwaterCommand(values.bin).map(part => `'${part}'`).join(' ')
  const script = `#!/bin/sh\n[ "$1" = run ] || exit 0\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec ${command} "$@"\n`
  writeFileSync(join(bin, 'cargo'), script)
  chmodSync(join(bin, 'cargo'), 0o755)
  return bin
}

interface RunOptions {
  readonly mayFail?: boolean
  readonly env?: Readonly<Record<string, string>>
}

async function run(cwd: string, cmd: readonly string[], { mayFail = false, env = {} }: RunOptions = {}): Promise<string> {
  const child = Bun.spawn({ cmd: [...cmd], cwd, env: { ...Bun.env, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', timeout: runMsMax })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0 && !mayFail) throw new Error(`${cmd.join(' ')}\n${out}${err}`)
  return `${out}\n${err}`
}

/** Leaves of TAP output, with the names of what they are in. */
function outcomesOf(tap: string): Outcome[] {
  const outcomes: Outcome[] = []
  const path: string[] = []
  for (const line of tap.split('\n')) {
    const match = /^( *)(not ok|ok) \d+ - (.*?)( # (?:time=\S+|SKIP.*))?( \{)?$/.exec(line)
    if (match === null) continue
    const [, indent = '', verdict, name = '', note = '', opens] = match
    const depth = indent.length / 4
    path.length = Math.min(path.length, depth)
    path[depth] = name
    if (opens === undefined && !note.includes('SKIP')) outcomes.push({ name: path.join(' > '), passed: verdict === 'ok' })
  }
  return outcomes
}

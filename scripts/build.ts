/** `bun run build`: the one executable. Nothing in the directory where it runs later (.env, bunfig.toml, tsconfig.json) can change it. */
import { mkdirSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const targets = [
  'linux-x64',
  'linux-x64-baseline',
  'linux-arm64',
  'linux-x64-musl',
  'linux-x64-baseline-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
] as const
type Target = (typeof targets)[number]

const usage = `bun run build [--target ${targets.join('|')}] [--outfile dist/headwater]

Without --target the executable is for this machine. --target downloads the runtime of that platform once.`

const root = resolve(import.meta.dir, '..')

function targetOf(text: string | undefined): Target | null {
  if (text === undefined) return null
  const target = targets.find(known => known === text)
  if (target === undefined) throw new Error(`--target: expected ${targets.join(', ')}, got "${text}"`)
  return target
}

/** Workers are entry points of their own. All land beside the program, where `besideProgram` makes the program look for them. */
function entryPoints(): string[] {
  const workers = [...new Bun.Glob('src/**/*-worker.ts').scanSync({ cwd: root })].toSorted()
  const names = new Set(workers.map(path => basename(path)))
  if (names.size !== workers.length) throw new Error('two workers have the same file name; in the executable they would be one')
  return [resolve(root, 'src/main.ts'), ...workers.map(path => resolve(root, path))]
}

/** HEADWATER_REVISION in the environment is for builds without git, such as in a container. */
function revision(): string {
  const given = process.env['HEADWATER_REVISION']
  if (given !== undefined && given !== '') return given
  const git = Bun.spawnSync(['git', 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'], { cwd: root })
  return git.success ? git.stdout.toString().trim() : 'unknown'
}

/**
 * In the executable there are no folders: `new URL('../storage/x-worker.ts', import.meta.url)` becomes `./x-worker.ts`.
 */
const besideProgram: Bun.BunPlugin = {
  name: 'workers beside the program',
  setup(builder) {
    builder.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await Bun.file(path).text()
      const contents = text.replace(/new URL\((['"])[^'"]*?([a-z0-9-]+-worker\.ts)\1, import\.meta\.url\)/g, "new URL('./$2', import.meta.url)")
      return { contents, loader: 'ts' }
    })
  },
}

async function build(target: Target | null, outfile: string): Promise<void> {
  mkdirSync(dirname(outfile), { recursive: true })
  const result = await Bun.build({
    entrypoints: entryPoints(),
    root: resolve(root, 'src'),
    naming: { entry: '[name].[ext]' },
    plugins: [besideProgram],
    // What a command does not need is not even read: `version` and `health` start without the server.
    splitting: true,
    target: 'bun',
    format: 'esm',
    minify: true,
    bytecode: true,
    define: { HEADWATER_REVISION: JSON.stringify(revision()), 'process.env.NODE_ENV': '"production"' },
    compile: {
      outfile,
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      ...(target === null ? {} : { target: `bun-${target}` }),
    },
  })
  if (!result.success) throw new AggregateError(result.logs, 'the build failed')
}

const { values } = parseArgs({ options: { target: { type: 'string' }, outfile: { type: 'string' }, help: { type: 'boolean' } } })
if (values.help === true) {
  console.log(usage)
} else {
  const target = targetOf(values.target)
  const outfile = resolve(values.outfile ?? `dist/headwater${target === null ? '' : `-${target}`}`)
  const startedAt = performance.now()
  await build(target, outfile)
  const megabytes = (Bun.file(outfile).size / 1e6).toFixed(1)
  console.log(`${outfile}: ${megabytes} MB in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
}

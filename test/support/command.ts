/** Which server the tests start: the executable, built anew when a source is newer than it. Starts nothing itself. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

export const repository = join(import.meta.dir, '../..')

/** What one process starts stays the same, also while somebody edits the sources. */
let own: readonly string[] | null = null

/**
 * The command line that runs Headwater. Order: `bin`, the environment's HEADWATER_BIN, `dist/headwater`, which is built when it is
 * older than a source: that takes 2 s once, and each of some hundred starts of a test run 0.15 s of processor time instead of 0.6.
 * The sources under this Bun when `bin` is 'source', and when they cannot be built.
 */
export function headwaterCommand(bin: string | undefined = Bun.env.HEADWATER_BIN): readonly string[] {
  const source = [process.execPath, join(repository, 'src/main.ts')]
  if (bin === 'source') return source
  if (bin !== undefined && bin !== '') return [bin]
  return (own ??= builtCommand() ?? source)
}

function builtCommand(): readonly string[] | null {
  const built = join(repository, 'dist/headwater')
  return (existsSync(built) && statSync(built).mtimeMs > newestSourceMs()) || build(built) ? [built] : null
}

/** Several processes may do this at a time: the file takes its place whole, and is as old as the sources that were read. */
function build(built: string): boolean {
  const started = new Date()
  const made = `${built}.${process.pid}`
  mkdirSync(join(repository, 'dist'), { recursive: true })
  try {
    const cmd = [process.execPath, join(repository, 'scripts/build.ts'), '--outfile', made]
    if (!Bun.spawnSync({ cmd, cwd: repository, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }).success) return false
    utimesSync(made, started, started)
    renameSync(made, built)
    return true
  } finally {
    rmSync(made, { force: true })
  }
}

function newestSourceMs(): number {
  const root = join(repository, 'src')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = [...files.map(entry => join(entry.parentPath, entry.name)), ...['package.json', 'bun.lock', 'scripts/build.ts'].map(name => join(repository, name))]
  return Math.max(...paths.map(path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0))
}

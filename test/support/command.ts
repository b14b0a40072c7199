/** Which server the tests start: the executable when there is a fresh one, the sources otherwise. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const repository = join(import.meta.dir, '../..')

/**
 * The command line that runs Headwater. Order: `bin`, the environment's HEADWATER_BIN, `dist/headwater` when no source is newer
 * than it, else the sources under this Bun. `bin` may be 'source' to say the last one.
 */
export function headwaterCommand(bin: string | undefined = Bun.env.HEADWATER_BIN): readonly string[] {
  const source = [process.execPath, join(repository, 'src/main.ts')]
  if (bin === 'source') return source
  if (bin !== undefined && bin !== '') return [bin]
  const built = join(repository, 'dist/headwater')
  return existsSync(built) && statSync(built).mtimeMs > newestSourceMs() ? [built] : source
}

function newestSourceMs(): number {
  const root = join(repository, 'src')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Math.max(0, ...files.map(entry => statSync(join(entry.parentPath, entry.name)).mtimeMs))
}

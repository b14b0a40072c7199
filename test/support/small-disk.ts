/** A file system of a fixed size that a test may fill. Needs root, or user namespaces, which one of the two says. */
import { mkdirSync, rmSync, statfsSync, writeSync, openSync, closeSync } from 'node:fs'

export interface SmallDisk extends Disposable {
  readonly directory: string
  /** Writes file `name` until nothing is free. */
  fill(name: string): void
  freeBytes(): number
}

/** Mounts a tmpfs of `megabytes` at `directory`. Throws when the system does not let us. */
export function mountSmallDisk(directory: string, megabytes: number): SmallDisk {
  mkdirSync(directory, { recursive: true })
  const mounted = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'headwater-test', directory])
  if (!mounted.success) throw new Error(`mounting a tmpfs failed: ${mounted.stderr.toString()}`)
  return {
    directory,
    fill: name => fillUp(`${directory}/${name}`),
    freeBytes() {
      const { bavail, bsize } = statfsSync(directory)
      return bavail * bsize
    },
    [Symbol.dispose]() {
      Bun.spawnSync(['umount', '-l', directory])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** How a test may mount: itself, by starting again inside a user namespace, or not at all. */
export function mountingWay(): 'root' | 'namespace' | 'none' {
  const probe = 'mount -t tmpfs none /mnt && umount /mnt'
  if (process.getuid?.() === 0 && Bun.spawnSync(['unshare', '-m', 'sh', '-c', probe]).success) return 'root'
  return Bun.which('unshare') !== null && Bun.spawnSync(['unshare', '-rm', 'sh', '-c', probe]).success ? 'namespace' : 'none'
}

function fillUp(path: string): void {
  const file = openSync(path, 'w')
  const part = new Uint8Array(4096)
  const large = new Uint8Array(1024 * 1024)
  try {
    for (let piece = large; ; ) {
      try {
        if (writeSync(file, piece) === 0) return
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        if (piece === part) return
        piece = part
      }
    }
  } finally {
    closeSync(file)
  }
}

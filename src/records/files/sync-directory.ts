/** Makes names in a directory durable: what was made, renamed or removed in it. The bytes of files are synced by themselves. */
import { open } from 'node:fs/promises'

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Objects as files of one directory. They appear under their name when they are complete and synced. */
import { mkdirSync } from 'node:fs'
import { open, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '../../lib/assert.ts'
import { isMissing, throwStorageError } from './disk-errors.ts'
import { syncDirectory } from './sync-directory.ts'
import { isObjectId, type ObjectStore, type StoredObject } from './object-store.ts'

export class DiskObjects implements ObjectStore {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }

  async put(id: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const partial = this.#partial(id)
    try {
      await writeSynced(partial, chunks)
      await rename(partial, this.#path(id))
      await syncDirectory(this.#directory)
    } catch (error) {
      await unlink(partial).catch(() => {})
      throwStorageError(error)
    }
  }

  async find(id: string): Promise<StoredObject | null> {
    const path = this.#path(id)
    const found = await stat(path).catch((error: unknown) => (isMissing(error) ? null : Promise.reject(error)))
    if (found === null || !found.isFile()) return null
    return { size: found.size, modifiedAtMs: found.mtimeMs, body: (from, end) => Bun.file(path).slice(from, end), bytes: () => Bun.file(path).bytes() }
  }

  /** A directory that cannot be synced leaves all of them as failed: they would come back with a loss of power. */
  async remove(ids: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const failed = new Map<string, unknown>()
    for (const id of ids) {
      for (const path of [this.#path(id), this.#partial(id)]) await unlink(path).catch((error: unknown) => (isMissing(error) ? undefined : void failed.set(id, error)))
    }
    if (ids.length > 0) await syncDirectory(this.#directory).catch((error: unknown) => ids.forEach(id => failed.set(id, error)))
    return failed
  }

  #path(id: string): string {
    assert(isObjectId(id), 'the name of an object is a UUID')
    return join(this.#directory, id)
  }

  #partial(id: string): string {
    assert(isObjectId(id), 'the name of an object is a UUID')
    return join(this.#directory, `.partial-${id}`)
  }
}

async function writeSynced(path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of chunks) await writeWhole(file, chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
}

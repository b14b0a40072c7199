/** The bytes of streams in one file each. A byte stands in the file at its position in the stream, so writing it twice is harmless. */
import { closeSync, fdatasyncSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '../../lib/errors.ts'
import { syncDirectory } from '../../storage/sync-directory.ts'

/** Files kept open. */
const openFilesMax = 256

export class StreamFiles {
  readonly #directory: string
  readonly #flags: 'r' | 'r+'
  readonly #open = new Map<number, number>()
  readonly #known = new Set<string>()
  /** Streams written since the last sync. */
  #dirty = new Set<number>()
  /** Folders with new names since the last sync. */
  readonly #grown = new Set<string>()

  constructor(directory: string, access: 'read' | 'write') {
    this.#directory = join(directory, 'streams')
    this.#flags = access === 'read' ? 'r' : 'r+'
  }

  write(streamId: number, position: number, bytes: Uint8Array): void {
    const file = this.#file(streamId)
    for (let done = 0; done < bytes.byteLength; ) {
      done += writeSync(file, bytes, done, bytes.byteLength - done, position + done)
    }
    this.#dirty.add(streamId)
  }

  /** Refuses when the file ends before: stream_damaged. */
  read(streamId: number, position: number, byteLength: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(byteLength)
    let done = 0
    const file = this.#fileToRead(streamId)
    while (done < byteLength) {
      const read = readSync(file, bytes, done, byteLength - done, position + done)
      if (read === 0) fail('stream_damaged', { detail: `the file of stream ${streamId} ends too early` })
      done += read
    }
    return bytes
  }

  /** Makes everything written so far durable. A failed sync throws: it is never tried again. (field.md B4) */
  sync(): void {
    try {
      for (const streamId of this.#dirty) fdatasyncSync(this.#file(streamId))
      for (const folder of this.#grown) syncDirectory(folder)
    } catch (error) {
      // Also for lack of room: the system may have dropped what it could not write, and would call a second try a success.
      throw new Error('syncing stream files failed', { cause: error })
    }
    this.#dirty = new Set()
    this.#grown.clear()
  }

  remove(streamId: number): void {
    this.#close(streamId)
    this.#dirty.delete(streamId)
    rmSync(this.path(streamId), { force: true })
  }

  /** Closes the file of a stream. */
  forget(streamId: number): void {
    this.#close(streamId)
  }

  close(): void {
    for (const streamId of [...this.#open.keys()]) this.#close(streamId)
  }

  path(streamId: number): string {
    return join(this.#folder(streamId), `${streamId}.data`)
  }

  #folder(streamId: number): string {
    return join(this.#directory, (streamId & 0xff).toString(16).padStart(2, '0'))
  }

  #fileToRead(streamId: number): number {
    try {
      return this.#file(streamId)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        return fail('stream_damaged', { detail: `the file of stream ${streamId} is missing` })
      }
      throw error
    }
  }

  #file(streamId: number): number {
    const known = this.#open.get(streamId)
    if (known !== undefined) {
      this.#open.delete(streamId) // to the back: the least used one is first
      this.#open.set(streamId, known)
      return known
    }
    const file = this.#openFile(streamId)
    this.#open.set(streamId, file)
    if (this.#open.size > openFilesMax) {
      const [oldest] = this.#open.keys()
      if (oldest !== undefined) this.#close(oldest)
    }
    return file
  }

  #openFile(streamId: number): number {
    const path = this.path(streamId)
    if (this.#flags === 'r') return openSync(path, 'r')
    const folder = this.#folder(streamId)
    if (!this.#known.has(folder)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      this.#known.add(folder)
    }
    try {
      return openSync(path, 'r+')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      this.#grown.add(folder).add(this.#directory)
      return openSync(path, 'w+', 0o600)
    }
  }

  #close(streamId: number): void {
    const file = this.#open.get(streamId)
    if (file === undefined) return
    this.#open.delete(streamId)
    closeSync(file)
  }
}

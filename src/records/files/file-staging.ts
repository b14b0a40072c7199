/** Brings bytes into the object store before their row exists: names them in the journal, writes, looks what they are. */
import type { Ids } from '../../lib/ids.ts'
import { lazily } from '../../lib/lazily.ts'
import { uuidText, uuidV4 } from '../functions/uuid-functions.ts'
import { originalName, uniqueName } from './file-name.ts'
import type { FileMetrics } from './file-metrics.ts'
import type { ObjectStore } from './object-store.ts'
import type { PendingObjects } from './pending-objects.ts'
import { StagedFile } from './staged-file.ts'
import { withText } from './stored-file.ts'

export interface StagingParts {
  readonly objects: ObjectStore
  readonly pending: PendingObjects
  readonly metrics: FileMetrics
  readonly ids: Ids
}

/** Bytes from the start that the kind of a file is told by. */
const headBytesMax = 4100

const fileType = lazily(() => import('file-type'))

export class FileStaging {
  readonly #parts: StagingParts

  constructor(parts: StagingParts) {
    this.#parts = parts
  }

  /** Refuses `insufficient_storage`, and what reading `chunks` refuses; nothing is left then. */
  async stage(database: string, about: { filename: string | null; contentType: string | null }, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StagedFile> {
    const { objects, pending, metrics, ids } = this.#parts
    const id = uuidText(uuidV4(ids))
    await pending.begin(id, database)
    const head = new Head()
    try {
      await objects.put(id, head.watched(chunks))
    } catch (error) {
      await this.#remove([id])
      throw error
    }
    metrics.stored(head.size)
    const original = about.filename === null ? null : originalName(about.filename)
    const named = { id, ...withText({ original_filename: original }), filename: uniqueName(original, ids) }
    return new StagedFile({ ...named, ...withText({ content_type: about.contentType, mime_type: await sniffed(head.bytes) }) }, head.size)
  }

  /** Removes what will have no row. What cannot be removed now, the sweep removes. */
  async discard(files: readonly StagedFile[]): Promise<void> {
    await this.#remove(files.map(file => file.stored.id))
  }

  /** Rows name them. */
  async keep(files: readonly StagedFile[]): Promise<void> {
    for (const { stored } of files) await this.#parts.pending.end(stored.id)
  }

  /** Whether rows name them is not known. */
  abandon(files: readonly StagedFile[]): void {
    for (const { stored } of files) this.#parts.pending.abandon(stored.id)
  }

  async #remove(ids: readonly string[]): Promise<void> {
    const { objects, pending } = this.#parts
    if (ids.length === 0) return
    const failed = await objects.remove(ids)
    for (const id of ids) {
      if (failed.has(id)) pending.abandon(id)
      else await pending.end(id)
    }
  }
}

/** The first bytes of what goes through it, and how many they are in all. */
class Head {
  #bytes: Uint8Array = new Uint8Array(0)
  size = 0

  async *watched(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      if (this.#bytes.length < headBytesMax) this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, headBytesMax - this.#bytes.length)])
      this.size += chunk.length
      yield chunk
    }
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }
}

/** By magic bytes; null when they say nothing. */
async function sniffed(head: Uint8Array): Promise<string | null> {
  const { fileTypeFromBuffer } = await fileType()
  try {
    return (await fileTypeFromBuffer(head))?.mime ?? null
  } catch {
    return null // a file that only begins like one
  }
}

/** Objects in a bucket of an S3 service, under their names. The journal of what has no row yet stays on this machine (pending-objects.ts). */
import { S3Client } from 'bun'
import { assert } from '../../lib/assert.ts'
import { isObjectId, type ObjectStore, type StoredObject } from './object-store.ts'

export interface S3Settings {
  readonly endpoint: string
  readonly region: string | null
  readonly bucket: string
  readonly accessKey: string | null
  readonly secretAccessKey: string | null
}

/** Bytes that are sent at a time; S3 takes no smaller ones but for the last. */
const partBytes = 5 * 1024 * 1024
/** Parts of one object on their way together, and how often one is tried again. */
const partsAtOnceMax = 2
const retriesMax = 3

export class S3Objects implements ObjectStore {
  readonly #client: S3Client

  constructor({ endpoint, region, bucket, accessKey, secretAccessKey }: S3Settings) {
    this.#client = new S3Client({
      endpoint: /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`,
      bucket,
      ...(region === null ? {} : { region }),
      ...(accessKey === null ? {} : { accessKeyId: accessKey }),
      ...(secretAccessKey === null ? {} : { secretAccessKey }),
    })
  }

  /** An object appears when its last part has been accepted. */
  async put(id: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const writer = this.#client.file(checked(id)).writer({ partSize: partBytes, queueSize: partsAtOnceMax, retry: retriesMax, type: 'application/octet-stream' })
    let waiting = 0
    try {
      for await (const chunk of chunks) {
        await writer.write(chunk)
        waiting += chunk.length
        // Without a pause the writer keeps in memory all that comes faster than it goes.
        if (waiting >= partBytes) {
          await writer.flush()
          waiting = 0
        }
      }
    } catch (error) {
      // Ends the upload of parts; that it ends badly is known.
      await Promise.resolve(writer.end(error instanceof Error ? error : new Error('the file did not come'))).catch(() => {})
      throw error
    }
    await writer.end()
  }

  async find(id: string): Promise<StoredObject | null> {
    if (!isObjectId(id)) return null
    const file = this.#client.file(id)
    try {
      const { size, lastModified } = await file.stat()
      return { size, modifiedAtMs: lastModified.getTime(), body: (from, end) => file.slice(from, end).stream(), bytes: () => file.bytes() }
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  async remove(ids: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const failed = new Map<string, unknown>()
    for (const id of ids) {
      try {
        await this.#client.delete(checked(id))
      } catch (error) {
        if (!isMissing(error)) failed.set(id, error)
      }
    }
    return failed
  }
}

function checked(id: string): string {
  assert(isObjectId(id), 'the name of an object is a UUID')
  return id
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'NoSuchKey' || error.code === 'NotFound')
}

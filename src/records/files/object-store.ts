/** Where the bytes of files are: objects under names that are UUIDs. On disk it is disk-objects.ts, on S3 s3-objects.ts; which row names an object is not its business. */

export interface ObjectStore {
  /** Stores an object under a new name; it is durable when this resolves, and nothing is left of it when it throws. Refuses `insufficient_storage`. */
  put(id: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>
  /** Null when there is none. */
  find(id: string): Promise<StoredObject | null>
  /** Removes durably; what is not there counts as removed. Gives the errors of those that are still there, by name. */
  remove(ids: readonly string[]): Promise<ReadonlyMap<string, unknown>>
}

export interface StoredObject {
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modifiedAtMs: number
  /** The bytes from `from` up to `end`, which is not among them, as the body of an answer. */
  body(from: number, end: number): Blob | ReadableStream<Uint8Array>
  /** All of them, for objects that are known to be small enough. */
  bytes(): Promise<Uint8Array>
}

/** A name that cannot lead anywhere else: stored JSON may have been written by anybody. */
export function isObjectId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

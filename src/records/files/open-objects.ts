/** The object store that the configuration names: a bucket when there is one, else a directory. */
import { DiskObjects } from './disk-objects.ts'
import type { ObjectStore } from './object-store.ts'
import { S3Objects, type S3Settings } from './s3-objects.ts'

export function openObjects(directory: string, s3: S3Settings | null): ObjectStore {
  return s3 === null ? new DiskObjects(directory) : new S3Objects(s3)
}

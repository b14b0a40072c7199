/** What operators see of files: how many were stored and removed, and what waits. */
import type { Metrics } from '../../lib/metrics.ts'

export interface FileMetrics {
  stored(bytes: number): void
  deleted(count: number): void
  retried(count: number): void
  gaveUp(count: number): void
  missing(): void
  thumbnail(isCached: boolean): void
}

export function fileMetrics(metrics: Metrics, pendingCount: () => number): FileMetrics {
  const stored = metrics.counter('headwater_files_stored_total', 'Files whose bytes were stored.')
  const storedBytes = metrics.counter('headwater_files_stored_bytes_total', 'Bytes of files that were stored.')
  const deleted = metrics.counter('headwater_files_deleted_total', 'Files removed after their row.')
  const retried = metrics.counter('headwater_file_deletion_failures_total', 'Attempts to remove a file that failed.')
  const gaveUp = metrics.counter('headwater_file_deletions_given_up_total', 'Files that could not be removed; _file_deletions says why.')
  const missing = metrics.counter('headwater_files_missing_total', 'Downloads of files whose bytes are not there.')
  const made = metrics.counter('headwater_thumbnails_total', 'Thumbnails answered.', { source: 'made' })
  const cached = metrics.counter('headwater_thumbnails_total', 'Thumbnails answered.', { source: 'cache' })
  metrics.gauge('headwater_files_pending', 'Files whose bytes are stored and whose row is not yet.', pendingCount)
  return {
    stored(bytes) {
      stored.add()
      storedBytes.add(bytes)
    },
    deleted: count => deleted.add(count),
    retried: count => retried.add(count),
    gaveUp: count => gaveUp.add(count),
    missing: () => missing.add(),
    thumbnail: isCached => (isCached ? cached : made).add(),
  }
}

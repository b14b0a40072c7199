/** Figures of the record databases for Prometheus. No label names a database or an API: metrics may be public. */
import type { Metrics } from '../../lib/metrics.ts'

/** What the gauges read when they are scraped. */
export interface StoreCounts {
  readonly queuedPrograms: number
  readonly queuedReads: number
  readonly readers: number
  readonly busyReaders: number
}

export interface StoreMeter {
  /** A writer answered a group; `ms` since it was given to its thread. */
  group(programs: number, ms: number): void
  /** A read was refused because it took, or would have waited, too long. */
  late(): void
}

const groupBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
const secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export function storeMetrics(metrics: Metrics, counts: StoreCounts): StoreMeter {
  metrics.gauge('headwater_record_writes_queued', 'Writes of records that wait for their commit.', () => counts.queuedPrograms)
  metrics.gauge('headwater_record_reads_queued', 'Queries of records that wait for a reader.', () => counts.queuedReads)
  metrics.gauge('headwater_record_readers', 'Reader threads.', () => counts.readers)
  metrics.gauge('headwater_record_readers_busy', 'Reader threads that have a query.', () => counts.busyReaders)
  const late = metrics.counter('headwater_record_reads_late_total', 'Queries refused because they took, or waited, too long.')
  const programs = metrics.histogram('headwater_record_group_writes', 'Writes of one commit.', groupBounds)
  const seconds = metrics.histogram('headwater_record_commit_seconds', 'From giving a group of writes to its thread until they are synced.', secondsBounds)
  return {
    group(count, ms) {
      programs.observe(count)
      seconds.observe(ms / 1000)
    },
    late: () => late.add(),
  }
}

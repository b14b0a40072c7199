/** Figures of the streams. Names as in the operations guide; no label ever holds a path. */
import type { Counter, Histogram, Metrics } from '../lib/metrics.ts'
import type { AppendResult } from './commands.ts'
import type { Streams } from './streams.ts'

export interface StreamMetrics {
  readonly commitSeconds: Histogram
  readonly batchSize: Histogram
  appended(kind: AppendResult['kind'], bytes: number): void
}

const commitBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]
const batchBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

export function streamMetrics(metrics: Metrics, streams: () => Streams): StreamMetrics {
  const help = 'Appends by what came of them'
  const name = 'headwater_stream_appends_total'
  const results: Record<AppendResult['kind'], Counter> = {
    appended: metrics.counter(name, help, { result: 'appended' }),
    closed: metrics.counter(name, help, { result: 'closed' }),
    duplicate: metrics.counter(name, help, { result: 'duplicate' }),
  }
  const appendBytes = metrics.counter('headwater_stream_append_bytes_total', 'Bytes of accepted appends')
  metrics.gauge('headwater_sse_connections', 'Live readers', () => streams().live.sseCount, { kind: 'sse' })
  metrics.gauge('headwater_sse_connections', 'Live readers', () => streams().live.longPollCount, { kind: 'long-poll' })
  metrics.gauge('headwater_stream_memory_bytes', 'Bytes of streams kept in memory mode', () => streams().engine.memoryBytes)
  metrics.gauge('headwater_shard_queue_depth', 'Writes that wait for a commit', () => queued(streams()))
  metrics.gauge('headwater_shard_resident_bytes', 'Committed bytes not yet in their tables', () => residentBytes(streams()))
  metrics.gauge('headwater_streams_damaged', 'Streams with a damaged row that something met', () => streams().registry.damaged.count)
  return {
    commitSeconds: metrics.histogram('headwater_commit_duration_seconds', 'Group commits, the sync included', commitBounds),
    batchSize: metrics.histogram('headwater_commit_batch_size', 'Operations in one group commit', batchBounds),
    appended(kind, bytes) {
      results[kind].add()
      if (kind === 'appended') appendBytes.add(bytes)
    },
  }
}

function queued(streams: Streams): number {
  return streams.registry.shards.reduce((sum, shard) => sum + shard.queued, 0)
}

function residentBytes(streams: Streams): number {
  return streams.registry.shards.reduce((sum, shard) => sum + shard.residentBytes, 0)
}

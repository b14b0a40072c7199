/** What each part of the product is told of the configuration: names of options into settings of parts. Reading options is config.ts. */
import type { AccountSettings } from '../auth/accounts/settings.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { JsonSchema } from '../records/catalog/relation.ts'
import { openObjects } from '../records/files/open-objects.ts'
import type { FilesSettings } from '../records/files/record-files.ts'
import type { RecordsSettings } from '../records/records.ts'
import type { SubscriptionLimits } from '../records/subscriptions/limits.ts'
import { segmentBytesFor } from '../streams/store/log-segments.ts'
import type { StoreSettings } from '../streams/store/open.ts'
import type { StreamsSettings } from '../streams/streams.ts'
import type { Config } from './options.ts'

export function storeSettings(config: Config): StoreSettings {
  return {
    mode: config.storage.mode,
    dataDirectory: config.storage.dataDir,
    logSegmentBytes: segmentBytesFor(config.limits.maxRequestBodyBytes),
    acidShards: config.storage.acidShardCount === 'auto' ? null : config.storage.acidShardCount,
  }
}

export function recordsSettings(config: Config): RecordsSettings {
  return {
    config: {
      recordApis: config.recordApis,
      databases: config.databases.map(({ name }) => name),
      schemas: new Map(config.schemas.map(({ name, schema }): [string, JsonSchema] => [name, JSON.parse(schema) as JsonSchema])),
    },
    directories: { depot: config.depot, migrationsDir: config.records.migrationsDir },
    queryMsMax: config.records.queryTimeoutMs,
    readersMax: config.records.readersMax,
    retention: { ageMsMax: config.records.changesRetentionSecs * 1000, bytesMax: config.records.changesRetentionBytes },
    answersKeptMs: config.records.idempotencyRetentionSecs * 1000,
  }
}

export function subscriptionLimits(config: Config): Partial<SubscriptionLimits> {
  return {
    subscriptionsMax: config.records.subscriptionsMax,
    queuedEventsMax: config.records.eventQueueMax,
    keepAliveMs: config.transport.connection.sseKeepAliveSecs * 1000,
  }
}

export function filesSettings(config: Config, metrics: Metrics): FilesSettings {
  const { endpoint, region, bucketName, accessKey, secretAccessKey } = config.server.s3StorageConfig
  const directory = config.records.uploadsDir
  const s3 = endpoint === null || bucketName === null ? null : { endpoint, region, bucket: bucketName, accessKey, secretAccessKey }
  return { objects: openObjects(directory, s3), directory, metrics }
}

export function streamsSettings(config: Config): StreamsSettings {
  const memory = config.limits.maxMemoryBytes
  return {
    streamBytesMax: config.limits.maxStreamBytes,
    memoryBytesMax: memory,
    pageBytes: config.limits.pageBytes,
    // In memory mode the pages are in memory already; elsewhere this is what many readers of one stream share.
    pageCacheBytesMax: config.storage.mode === 'memory' ? memory / 8 : Math.min(memory * 0.75, 256 * 1024 * 1024),
    shard: {
      operationBytesMax: config.limits.maxRequestBodyBytes + 1, // and the comma that frames JSON
      queuedOperationsMax: config.limits.maxStorageJobs,
      queuedBytesMax: Math.min(memory, 32 * 1024 * 1024),
      residentBytesMax: memory,
    },
    live: {
      readersMax: config.limits.maxLiveReaders,
      longPollMsMax: config.transport.connection.longPollTimeoutSecs * 1000,
      sseCycleMs: config.transport.connection.sseReconnectIntervalSecs * 1000,
      keepAliveMs: config.transport.connection.sseKeepAliveSecs * 1000,
      stalledMsMax: config.limits.slowReaderSecs * 1000,
    },
  }
}

export function accountSettings(config: Config): AccountSettings {
  return { auth: config.auth, siteUrl: config.server.siteUrl, isDev: config.server.dev, hasPages: config.server.publicDir !== null }
}

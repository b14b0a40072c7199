/** Opens the store of one mode on its directory, or says why not. The only place that knows every mode. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { OperatorError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { checkWal } from '../../storage/wal-check.ts'
import { Checkpointer } from '../../storage/checkpointer.ts'
import { AcidShard } from './acid-shard.ts'
import { damageRemedy } from './damage-remedy.ts'
import { DirectoryLock } from './directory-lock.ts'
import { FileShard } from './file-shard.ts'
import { defaultSegmentBytes } from './log-segments.ts'
import { readLayout, shardFiles, writeLayout, type Layout } from './layout.ts'
import { memoryShard } from './memory-shard.ts'
import type { ShardStore, StorageMode } from './store.ts'
import type { Fence } from './writer-thread.ts'

export interface StoreSettings {
  readonly mode: StorageMode
  readonly dataDirectory: string
  /** Shards of a new acid store; null = auto. The file modes have one commit log. */
  readonly acidShards: number | null
  /** Bytes of a segment of the commit log of the file modes; every group fits one. */
  readonly logSegmentBytes?: number
}

export interface OpenStore {
  readonly mode: StorageMode
  readonly incarnation: number
  readonly shards: readonly ShardStore[]
  close(): Promise<void>
}

/**
 * What `auto` means: one file. Each file's commit is its own sync, so more files meant fewer appends at every concurrency
 * that was measured on one disk (docs/measurements.md); one group over all streams wins.
 */
export const autoShards = 1

export async function openStore(settings: StoreSettings, parts: { clock: Clock; log: Log; fence: Fence }): Promise<OpenStore> {
  const { mode } = settings
  if (mode === 'memory') {
    return { mode, incarnation: 0, shards: [memoryShard(parts.clock.now())], close: () => Promise.resolve() }
  }
  makeDirectory(settings.dataDirectory)
  const lock = new DirectoryLock(settings.dataDirectory)
  try {
    const layout = settledLayout(settings)
    assertWhole(settings.dataDirectory, layout, parts.log)
    const shards = mode === 'acid' ? await openAcid(settings, layout, parts) : await openFiles(settings, mode, parts)
    if (!layout.made) writeLayout(settings.dataDirectory, { ...layout, made: true })
    return {
      mode,
      incarnation: layout.incarnation,
      shards: shards.shards,
      async close() {
        await shards.close()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

interface Opened {
  readonly shards: readonly ShardStore[]
  close(): Promise<void>
}

async function openAcid(settings: StoreSettings, layout: Layout, parts: { fence: Fence; log: Log }): Promise<Opened> {
  const directory = join(settings.dataDirectory, 'acid')
  makeDirectory(directory)
  const checkpointer = newCheckpointer(parts.fence)
  const shards = await allOpened(
    checkpointer,
    shardFiles(settings.dataDirectory, layout).map((file, shard) => {
      const worker = new Worker(new URL('./acid-worker.ts', import.meta.url).href)
      const writer = { file, shard, shards: layout.shards, directory: null, synced: true, segmentBytes: 0 }
      return AcidShard.open(writer, worker, checkpointer, parts.fence)
    }),
  )
  return { shards, close: () => closeAll(shards, checkpointer) }
}

async function openFiles(
  settings: StoreSettings,
  mode: 'file-fast' | 'file-durable',
  parts: { fence: Fence; log: Log; clock: Clock },
): Promise<Opened> {
  const directory = join(settings.dataDirectory, 'file')
  makeDirectory(directory)
  const checkpointer = newCheckpointer(parts.fence)
  const worker = new Worker(new URL('./file-worker.ts', import.meta.url).href)
  const segmentBytes = settings.logSegmentBytes ?? defaultSegmentBytes
  const writer = { file: join(directory, 'index.db'), shard: 0, shards: 1, directory, synced: mode === 'file-durable', segmentBytes }
  const shards = await allOpened(checkpointer, [FileShard.open(writer, worker, { checkpointer, fence: parts.fence, clock: parts.clock })])
  return { shards, close: () => closeAll(shards, checkpointer) }
}

/** All or none: when one cannot be opened, the others are closed before its reason is told. */
async function allOpened<Opened extends ShardStore>(checkpointer: Checkpointer, opening: readonly Promise<Opened>[]): Promise<readonly Opened[]> {
  const settled = await Promise.allSettled(opening)
  const opened = settled.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  if (opened.length === opening.length) return opened
  await closeAll(opened, checkpointer)
  return Promise.all(opening)
}

function newCheckpointer(fence: Fence): Checkpointer {
  return new Checkpointer(() => new Worker(new URL('../../storage/checkpoint-worker.ts', import.meta.url).href), fence)
}

async function closeAll(shards: readonly ShardStore[], checkpointer: Checkpointer): Promise<void> {
  await checkpointer.close() // first: the last connection to a file is its writer's, which leaves no WAL behind
  await Promise.all(shards.map(shard => shard.close()))
}

/** What the directory was made with wins; settings that contradict it are refused. */
function settledLayout(settings: StoreSettings): Layout {
  const family = settings.mode === 'acid' ? 'acid' : 'file'
  const found = readLayout(settings.dataDirectory)
  if (found === null) {
    const lost = (['acid', 'file'] as const).flatMap(each => shardFiles(settings.dataDirectory, { family: each, shards: 1 })).find(existsSync)
    if (lost !== undefined) throw new OperatorError(`${settings.dataDirectory} holds streams (${lost}) but no layout.json`, damageRemedy, 74)
    const layout = { format: 1, family, shards: family === 'acid' ? (settings.acidShards ?? autoShards) : 1, incarnation: 0, made: false } as const
    writeLayout(settings.dataDirectory, layout)
    return layout
  }
  if (found.family !== family) {
    throw new OperatorError(
      `${settings.dataDirectory} holds streams of storage.mode ${found.family === 'acid' ? 'acid' : 'file-durable or file-fast'}, not ${settings.mode}`,
      'set storage.mode back, or export with the old mode and import into a new storage.data_dir',
      78,
    )
  }
  if (family === 'acid' && settings.acidShards !== null && settings.acidShards !== found.shards) {
    throw new OperatorError(
      `${settings.dataDirectory} was made with ${found.shards} shard(s); storage.acid_shard_count is ${settings.acidShards}`,
      `set storage.acid_shard_count to ${found.shards} or auto, or export and import into a new storage.data_dir`,
      78,
    )
  }
  return found
}

/**
 * SQLite takes a missing file for a new one and leaves out everything behind a bad frame of a WAL: neither may happen to what was acknowledged.
 * The tables, rows and segments themselves are verified when they are read.
 */
function assertWhole(directory: string, layout: Layout, log: Log): void {
  for (const file of shardFiles(directory, layout)) {
    if (layout.made && !existsSync(file)) throw new OperatorError(`${file} is missing`, damageRemedy, 74)
    const { damage, note } = checkWal(`${file}-wal`)
    if (damage !== null) throw new OperatorError(`${file}-wal is damaged: ${damage}`, damageRemedy, 74)
    if (note !== null) log.warn('a write was cut off when the server ended', { file: `${file}-wal`, note })
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new OperatorError(`cannot make ${path}: ${error instanceof Error ? error.message : String(error)}`, 'check owner and rights of the directory', 73)
  }
}

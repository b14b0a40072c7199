/** Brings an archive in: spooled and verified whole, then staged, then installed. A bad archive changes nothing (issue 2, B9). */
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal, fail } from '../lib/errors.ts'
import type { Ids } from '../lib/ids.ts'
import { ArchiveReader, archiveLineBytesMax, type ArchiveEvent, type ArchiveTotals } from './archive.ts'
import type { OnConflict, StagedStream, StreamAdmin } from './export.ts'
import { LineSplitter } from './lines.ts'

export interface ImportOptions {
  readonly onConflict: OnConflict
  /** A directory on the depot's disk, where the upload lies until it is verified. */
  readonly spoolDir: string
  /** Largest archive in bytes; above it `body_too_large`. */
  readonly importBytesMax: number
  readonly ids: Ids
}

export interface ImportResult extends ArchiveTotals {
  readonly installed: number
  readonly skipped: number
}

/**
 * Imports the archive in `body`. Refuses with `invalid_archive` (line and reason), `stream_exists` (on conflict `fail`, before anything
 * is written), `body_too_large` and `insufficient_storage`; streams of a refused archive are as they were.
 */
export async function importArchive(
  admin: StreamAdmin,
  body: ReadableStream<Uint8Array>,
  options: ImportOptions,
): Promise<ImportResult> {
  const spool = await openSpool(options)
  try {
    const totals = await verify(admin, body, spool, options)
    const staged: StagedStream[] = []
    try {
      const skipped = await stageAll(admin, spool, options, staged)
      return { ...totals, ...(await installAll(staged, skipped, options)) }
    } catch (error) {
      for (const stream of staged) await stream.discard()
      throw asRefusal(error)
    }
  } finally {
    await spool.close()
  }
}

/** Records that are handed to a staged stream at once. */
const batchBytesMax = 1024 * 1024
const batchRecordsMax = 1000
const readBytes = 256 * 1024
const namedConflictsMax = 10

/** The spool has no name from the start, so that a crash leaves nothing behind. */
async function openSpool(options: ImportOptions): Promise<FileHandle> {
  await mkdir(options.spoolDir, { recursive: true, mode: 0o700 })
  const path = join(options.spoolDir, `import-${options.ids.random()}.spool`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

async function verify(
  admin: StreamAdmin,
  body: ReadableStream<Uint8Array>,
  spool: FileHandle,
  options: ImportOptions,
): Promise<ArchiveTotals> {
  const conflicts: string[] = []
  const totals = await eachEvent(spooling(body, spool, options), async event => {
    if (event.kind !== 'stream' || options.onConflict !== 'fail' || conflicts.length > namedConflictsMax) return
    if (admin.info(event.stream.path) !== null) conflicts.push(event.stream.path)
  })
  if (conflicts.length > 0) failConflict(conflicts)
  return totals
}

function failConflict(paths: readonly string[]): never {
  const named = paths.slice(0, namedConflictsMax).join(', ')
  const more = paths.length > namedConflictsMax ? ' and more' : ''
  return fail('stream_exists', { detail: `${named}${more} exist; import with on_conflict=skip or replace, or remove them first` })
}

async function* spooling(body: ReadableStream<Uint8Array>, spool: FileHandle, options: ImportOptions): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > options.importBytesMax) fail('body_too_large', { detail: `an archive has at most ${options.importBytesMax} bytes` })
    await spool.appendFile(chunk).catch(error => {
      throw asRefusal(error)
    })
    yield chunk
  }
}

async function* spooled(spool: FileHandle): AsyncGenerator<Uint8Array> {
  let position = 0
  for (;;) {
    const { bytesRead, buffer } = await spool.read(Buffer.allocUnsafe(readBytes), 0, readBytes, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function eachEvent(
  chunks: AsyncIterable<Uint8Array>,
  onEvent: (event: ArchiveEvent) => Promise<void>,
): Promise<ArchiveTotals> {
  const reader = new ArchiveReader()
  const splitter = new LineSplitter({
    lineBytesMax: archiveLineBytesMax,
    tooLong: () => fail('invalid_archive', { detail: `a line has more than ${archiveLineBytesMax} bytes` }),
  })
  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) {
      const event = reader.take(line)
      if (event.kind !== 'none') await onEvent(event)
    }
  }
  const rest = splitter.rest()
  if (rest !== null) reader.take(rest)
  return reader.finish()
}

async function stageAll(admin: StreamAdmin, spool: FileHandle, options: ImportOptions, staged: StagedStream[]): Promise<number> {
  let skipped = 0
  let current: StagedStream | null = null
  let batch = new Batch()
  await eachEvent(spooled(spool), async event => {
    if (event.kind === 'stream') {
      const isTaken = options.onConflict === 'skip' && admin.info(event.stream.path) !== null
      if (isTaken) skipped++
      else staged.push((current = await admin.stage(event.stream)))
      batch = new Batch()
    } else if (current !== null && event.kind === 'record') {
      batch.add(event.bytes)
      if (batch.isFull) await current.append(batch.drain())
    } else if (current !== null && event.kind === 'stream_end') {
      if (!batch.isEmpty) await current.append(batch.drain())
      current = null
    } else if (current !== null && event.kind === 'stream_abandoned') {
      staged.pop()
      await current.discard()
      current = null
    }
  })
  return skipped
}

class Batch {
  #records: Uint8Array[] = []
  #bytes = 0

  get isFull(): boolean {
    return this.#bytes >= batchBytesMax || this.#records.length >= batchRecordsMax
  }

  get isEmpty(): boolean {
    return this.#records.length === 0
  }

  add(record: Uint8Array): void {
    this.#records.push(record)
    this.#bytes += record.byteLength
  }

  drain(): readonly Uint8Array[] {
    const records = this.#records
    this.#records = []
    this.#bytes = 0
    return records
  }
}

/** Takes every stream that it installed or skipped out of `staged`, so that only the rest is discarded when one fails. */
async function installAll(staged: StagedStream[], skippedBefore: number, options: ImportOptions): Promise<{ installed: number; skipped: number }> {
  let installed = 0
  let skipped = skippedBefore
  staged.reverse()
  for (let stream = staged.at(-1); stream !== undefined; stream = staged.at(-1)) {
    const outcome = await stream.install(options.onConflict)
    staged.pop()
    if (outcome === 'installed') installed++
    else {
      skipped++
      await stream.discard()
    }
  }
  return { installed, skipped }
}

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new Refusal('insufficient_storage', { detail: 'the archive does not fit on the disk of the depot' })
}

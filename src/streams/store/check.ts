/** Verifies a whole data directory while no server uses it: every file, every checksum. What is wrong is told; nothing is mended. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { OperatorError } from '../../lib/errors.ts'
import { checkWal } from '../../storage/wal-check.ts'
import { checkShard, type ShardCheck, type ShardFacts } from './check-shard.ts'
import { DirectoryLock } from './directory-lock.ts'
import { groupMagic, groupNumber } from './group.ts'
import { readLayout, shardFiles, type Layout } from './layout.ts'
import { follows, groupAt, laterGroup, segmentsIn } from './log-segments.ts'
import { StreamFiles } from './stream-files.ts'

export interface StoreReport {
  readonly files: number
  readonly streams: number
  /** Bytes of streams and logs that were verified. */
  readonly bytes: number
  readonly problems: readonly Finding[]
  /** What is no damage and yet worth knowing: a write that a crash cut off, files that nothing refers to. */
  readonly notes: readonly Finding[]
}

export interface Finding {
  readonly file: string
  readonly problem: string
}

/** Problems that one report lists at the most; the last one says that there are more. */
export const problemsMax = 1000
const bytesPerTurn = 4 * 1024 * 1024

/**
 * Verifies the store in `directory`; `onProgress` gets the bytes verified so far and the size of all files. Refuses (OperatorError) when there is
 * no store (78), or when a server uses it (75).
 */
export async function checkStore(directory: string, onProgress: (doneBytes: number, totalBytes: number) => void): Promise<StoreReport> {
  if (!existsSync(join(directory, 'layout.json'))) {
    throw new OperatorError(`${directory} holds no streams`, 'Name the depot with --depot, or storage.data_dir with --set.', 78)
  }
  const lock = DirectoryLock.ofReader(directory)
  try {
    return await new Check(directory, onProgress).run()
  } finally {
    lock?.release()
  }
}

class Check {
  readonly #directory: string
  readonly #onProgress: (doneBytes: number, totalBytes: number) => void
  readonly #totalBytes: number
  readonly #problems: Finding[] = []
  readonly #notes: Finding[] = []
  #files = 0
  #bytes = 0

  constructor(directory: string, onProgress: (doneBytes: number, totalBytes: number) => void) {
    this.#directory = directory
    this.#onProgress = onProgress
    this.#totalBytes = filesBelow(directory).reduce((sum, path) => sum + statSync(path).size, 0)
  }

  async run(): Promise<StoreReport> {
    const layout = this.#layout()
    const shards = layout === null ? [] : await this.#shards(layout)
    const [first] = shards
    if (layout?.family === 'file') this.#commitLog(first?.lastGroup ?? 0)
    if (layout?.family === 'file' && first !== undefined) this.#orphans(first)
    const streams = new Set(shards.flatMap(shard => [...shard.streams]))
    const orphans = shards.flatMap(shard => [...shard.parents]).filter(parent => !streams.has(parent))
    for (const parent of new Set(orphans)) this.#problem(this.#directory, `stream ${parent}, from which others were forked, is missing`)
    return { files: this.#files, streams: streams.size, bytes: this.#bytes, problems: this.#problems, notes: this.#notes }
  }

  #layout(): Layout | null {
    this.#files++
    try {
      return readLayout(this.#directory)
    } catch (error) {
      this.#problem(join(this.#directory, 'layout.json'), error instanceof Error ? error.message : String(error))
      return null
    }
  }

  async #shards(layout: Layout): Promise<readonly ShardFacts[]> {
    const facts: ShardFacts[] = []
    for (const path of shardFiles(this.#directory, layout)) {
      if (existsSync(path)) facts.push(await this.#shard(path, layout.family === 'file' ? new StreamFiles(dirname(path), 'read') : null))
      else if (layout.made) this.#problem(path, 'it is missing')
      else this.#note(path, 'the server ended before it was made')
    }
    return facts
  }

  async #shard(path: string, files: StreamFiles | null): Promise<ShardFacts> {
    this.#files++
    const wal = checkWal(`${path}-wal`)
    if (wal.damage !== null) this.#problem(`${path}-wal`, wal.damage)
    if (wal.note !== null) this.#note(`${path}-wal`, wal.note)
    const read = new Set<number>()
    const check: ShardCheck = {
      problem: text => this.#problem(path, text),
      verified: bytes => void (this.#bytes += bytes),
      bytesOf(streamId, row) {
        if (files === null) return row.data ?? new Uint8Array(0)
        read.add(streamId)
        return files.read(streamId, row.start, row.end - row.start)
      },
    }
    const steps = checkShard(path, wal.committedFrames > 0, check)
    try {
      for (let shownBytes = this.#bytes; ; ) {
        const step = steps.next()
        if (step.done) {
          this.#files += read.size
          return step.value
        }
        if (this.#bytes - shownBytes < bytesPerTurn) continue
        shownBytes = this.#bytes
        this.#onProgress(this.#bytes, this.#totalBytes)
        await new Promise(resolve => setImmediate(resolve))
      }
    } finally {
      files?.close()
    }
  }

  /** After a clean stop the log is empty. Else it must be readable from the first group that the tables lack. */
  #commitLog(lastApplied: number): void {
    const folder = join(this.#directory, 'file', 'log')
    let last: number | null = null
    for (const { key, path } of existsSync(folder) ? segmentsIn(folder) : []) {
      this.#files++
      const bytes = readFileSync(path)
      let at = 0
      for (let group = groupAt(bytes, at, key); group !== null && follows(groupNumber(group), last, lastApplied); group = groupAt(bytes, at, key)) {
        last = groupNumber(group)
        at += group.byteLength
        this.#bytes += group.byteLength
      }
      const lost = laterGroup(bytes, at, Math.max(last ?? 0, lastApplied), key)
      if (lost) this.#problem(path, `it is damaged at byte ${at}: groups behind it cannot be read`)
      else if (bytes.length > at + 4 && bytes.readUInt32LE(at) === groupMagic && groupAt(bytes, at, key) === null) {
        this.#note(path, `the group at byte ${at} is not whole: a crash cut it off, and it is left out`)
      }
    }
  }

  /** Stream files that no stream has; a create that is still in the log has no file yet, or makes use of what is there. */
  #orphans(facts: ShardFacts): void {
    const folder = join(this.#directory, 'file', 'streams')
    if (!existsSync(folder)) return
    for (const path of filesBelow(folder)) {
      const id = Number(basename(path, '.data'))
      if (!facts.streams.has(id) && !facts.dropped.has(id)) this.#note(path, 'no stream has this file')
    }
  }

  #note(path: string, problem: string): void {
    if (this.#notes.length < problemsMax) this.#notes.push({ file: relative(this.#directory, path), problem })
  }

  #problem(path: string, problem: string): void {
    if (this.#problems.length > problemsMax) return
    const file = relative(this.#directory, path) || basename(path)
    this.#problems.push(this.#problems.length === problemsMax ? { file, problem: 'there are more problems' } : { file, problem })
  }
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

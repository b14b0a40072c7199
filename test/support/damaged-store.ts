/** A small store with streams of every kind, as files to damage, and what its readers are given. Below HTTP: thousands of cases must be cheap. */
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { OperatorError, Refusal } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { GroupEncoder, type LogRecord } from '../../src/streams/store/group.ts'
import { openStore, type OpenStore } from '../../src/streams/store/open.ts'
import type { ShardStore, StorageMode } from '../../src/streams/store/store.ts'

export const streams = 10
export const logSegmentBytes = 128 * 1024
const groups = 60

/** What a reader gets of each stream: a digest of everything, `damaged` (refused), or `missing`. Or why the store is not opened. */
export type Served = { readonly kind: 'streams'; readonly of: readonly string[] } | { readonly kind: 'refused'; readonly message: string }

/**
 * Makes a store in `directory`. Copies it to `killed` while the last groups are only in the log, as a kill would leave it, and stops it cleanly then.
 */
export async function makeStore(mode: StorageMode, directory: string, killed: string): Promise<void> {
  const fences: string[] = []
  const store = await open(mode, directory, fences)
  const [shard] = store.shards
  if (shard === undefined) throw new Error('a store has a shard')
  const writer = new Writer(shard)
  for (let number = 1; number <= groups; number++) {
    await writer.commit(number)
    if (number === groups - 8) await shard.drain()
  }
  cpSync(directory, killed, { recursive: true })
  await store.close()
  if (fences.length > 0) throw new Error(fences.join('\n'))
}

export async function served(mode: StorageMode, directory: string): Promise<Served> {
  const fences: string[] = []
  let store: OpenStore
  try {
    store = await open(mode, directory, fences)
  } catch (error) {
    if (error instanceof OperatorError && error.exitCode === 74) return { kind: 'refused', message: error.message }
    if (error instanceof OperatorError && error.exitCode === 78) return { kind: 'refused', message: error.message } // the format, in words
    throw error
  }
  try {
    const [shard] = store.shards
    return { kind: 'streams', of: Array.from({ length: streams }, (_, id) => (shard === undefined ? 'missing' : streamOf(shard, id))) }
  } finally {
    await Promise.race([store.close(), fenced(fences)])
  }
}

/** Files that hold something, without the lock and what SQLite makes anew. */
export function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.startsWith('lock.db') && !entry.name.endsWith('-shm'))
    .map(entry => join(entry.parentPath, entry.name))
    .filter(path => statSync(path).size > 0)
}

export function digestOf(directory: string): string {
  const all = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return all.map(entry => `${entry.name} ${Bun.hash(readFileSync(join(entry.parentPath, entry.name)))}`).toSorted().join('\n')
}

/** A server would be gone by now: a writer that gave up answers nothing more. */
async function fenced(fences: readonly string[]): Promise<void> {
  for (let waited = 0; fences.length === 0 && waited < 20_000; waited += 10) await systemClock.sleep(10)
}

function open(mode: StorageMode, directory: string, fences: string[]): Promise<OpenStore> {
  return openStore({ mode, dataDirectory: directory, acidShards: 1, logSegmentBytes }, { clock: systemClock, log: silentLog, fence: message => void fences.push(message) })
}

function streamOf(shard: ShardStore, id: number): string {
  try {
    const row = shard.streamByPath(`s/${id}`)
    if (row === null) return 'missing'
    const hash = new Bun.CryptoHasher('sha1')
    hash.update(JSON.stringify([row, shard.streamById(id), shard.producers(id), shard.producer(id, 'p0')]))
    for (let at = row.start; at < row.tail; ) {
      const block = shard.blockAt(id, at)
      if (block === null) return 'damaged' // the reader of pages says so
      hash.update(block.bytes)
      at = block.end
    }
    return hash.digest('hex')
  } catch (error) {
    if (error instanceof Refusal && error.code === 'stream_damaged') return 'damaged'
    throw error
  }
}

class Writer {
  readonly #shard: ShardStore
  readonly #encoder = new GroupEncoder()
  readonly #tails: number[] = []

  constructor(shard: ShardStore) {
    this.#shard = shard
  }

  async commit(number: number): Promise<void> {
    if (number === 1) for (let id = 0; id < streams; id++) this.#create(id)
    else for (let part = 0; part < 5; part++) this.#append((number * 7 + part * 3) % streams, number, part)
    this.#encoder.add({ kind: 'meta', key: `subscription/${number % 5}`, value: `state ${number}` })
    await this.#shard.commit(number, this.#encoder.seal(number))
  }

  #create(id: number): void {
    const fork = id < 8 ? null : { parentId: id - 8, from: `s/${id - 8}`, offset: null, subOffset: 0 }
    this.#tails[id] = 0
    const stream = { id, path: `s/${id}`, contentType: 'text/plain', createdAtMs: 1, ttlSecs: id === 3 ? 1e9 : null, expiresAtMs: null, closed: false, start: 0, fork }
    this.#encoder.add({ kind: 'create', stream })
  }

  #append(id: number, number: number, part: number): void {
    const start = this.#tails[id] ?? 0
    const bytes = Buffer.from(`${number}/${part} `.repeat(1 + ((number * 31 + part * 17) % (id === 0 ? 2000 : 60))))
    const producer = part === 0 ? null : { id: `p${part % 2}`, epoch: 0, seq: number }
    const record: LogRecord = { kind: 'append', id, start, bytes, atMs: number, closes: false, seq: part === 1 ? String(number).padStart(4, '0') : null, producer }
    this.#encoder.add(record)
    this.#tails[id] = start + bytes.byteLength
  }
}

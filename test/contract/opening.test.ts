/** What a data directory refuses: another shard count, another family, a second server, a later format; and what a start mends. */
import { Database } from 'bun:sqlite'
import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperatorError } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { GroupEncoder } from '../../src/streams/store/group.ts'
import { openStore, type OpenStore } from '../../src/streams/store/open.ts'
import type { StorageMode } from '../../src/streams/store/store.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { refusalOf, StoreWorld } from '../support/stream-store.ts'

setDefaultTimeout(30_000)

async function inDirectory(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-opening-'))
  try {
    await act(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function open(dataDirectory: string, mode: StorageMode, acidShards: number | null = null): Promise<OpenStore> {
  return openStore({ mode, dataDirectory, acidShards }, { clock: new ManualClock(), log: silentLog, fence: message => expect(message).toBe('') })
}

async function exitCodeOf(opening: Promise<OpenStore>): Promise<number> {
  try {
    await (await opening).close()
    return 0
  } catch (error) {
    if (error instanceof OperatorError) return error.exitCode
    throw error
  }
}

test('the shard count of a directory is kept; another one is refused, auto is not', async () => {
  await inDirectory(async directory => {
    await (await open(directory, 'acid', 4)).close()
    expect(await exitCodeOf(open(directory, 'acid', 8))).toBe(78)
    const store = await open(directory, 'acid', null)
    expect(store.shards.length).toBe(4)
    await store.close()
  })
})

test('the families of modes do not open each other’s directories; the file modes share theirs', async () => {
  await inDirectory(async directory => {
    await (await open(directory, 'file-fast')).close()
    expect(await exitCodeOf(open(directory, 'acid'))).toBe(78)
    expect(await exitCodeOf(open(directory, 'file-durable'))).toBe(0)
  })
  await inDirectory(async directory => {
    await (await open(directory, 'acid')).close()
    for (const mode of ['file-fast', 'file-durable'] as const) expect(await exitCodeOf(open(directory, mode))).toBe(78)
  })
})

for (const mode of ['acid', 'file-durable'] as const) {
  test(`${mode}: a directory in use is refused, and free again after closing`, async () => {
    await inDirectory(async directory => {
      const first = await open(directory, mode)
      expect(await exitCodeOf(open(directory, mode))).toBe(75)
      await first.close()
      expect(await exitCodeOf(open(directory, mode))).toBe(0)
    })
  })

  test(`${mode}: a file of a later format is refused`, async () => {
    await inDirectory(async directory => {
      await (await open(directory, mode)).close()
      const folder = join(directory, mode === 'acid' ? 'acid' : 'file')
      const name = readdirSync(folder).find(each => each.endsWith('.db')) ?? ''
      const db = new Database(join(folder, name), { readwrite: true })
      db.run('PRAGMA user_version = 1000')
      db.close()
      expect(await exitCodeOf(open(directory, mode))).toBe(78)
    })
  })
}

test('every connection of a shard syncs each commit (B27)', async () => {
  const { openWriter } = await import('../../src/storage/database.ts')
  await inDirectory(async directory => {
    const db = openWriter(join(directory, 'a.db'), { pageBytes: 4096, cacheBytes: 1 << 20 })
    expect(db.query('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    expect(db.query('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    expect(db.query('PRAGMA wal_autocheckpoint').get()).toEqual({ wal_autocheckpoint: 0 })
    db.close()
  })
})

test('a source that a crash left without forks goes after the next start', async () => {
  for (const mode of ['acid', 'file-durable'] as const) {
    await using world = await StoreWorld.open({ mode, shards: null })
    const [shard] = world.store.shards
    const encoder = new GroupEncoder()
    const id = (shard?.lastId ?? 0) + 1
    encoder.add({ kind: 'create', stream: { id, path: 'left', contentType: 'text/plain', createdAtMs: 1, ttlSecs: null, expiresAtMs: null, closed: false, start: 0, fork: null } })
    encoder.add({ kind: 'hide', id })
    const number = (shard?.lastGroup ?? 0) + 1
    await shard?.commit(number, encoder.seal(number))
    await world.drained()
    await world.reopen()
    expect(await refusalOf(() => world.get('left'))).toBe('gone')
    world.streams.start()
    world.clock.advance(1000)
    await world.settled()
    expect(await refusalOf(() => world.get('left'))).toBe('stream_not_found')
    expect(await world.put('left', {})).toMatchObject({ created: true })
  }
})

/** A disk that fails to write or to sync (field survey B4, B5, B6): the server ends and says why, acknowledges nothing more, and nothing is lost or doubled. */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FailingDisk, hasCompiler, hasWriteLimit, limitWrites, type FailingCall } from '../../support/failing-disk.ts'
import { startServer, type Server } from '../../support/server.ts'

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-failing-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const binary = { 'content-type': 'application/octet-stream' }
const producers = 8

/** What fails, and what the file is called. Checkpoints sync the database file; the applier writes and syncs the others. */
const faults: readonly (readonly ['acid' | 'file-durable', FailingCall, string])[] = [
  ['acid', 'fsync', 'shard-000.db-wal'],
  ['acid', 'pwrite64', 'shard-000.db-wal'],
  ['acid', 'fsync', 'shard-000.db'],
  ['file-durable', 'fsync', 'index.db-wal'],
  ['file-durable', 'pwrite64', 'index.db-wal'],
]

describe('EIO once', () => {
  for (const [mode, call, ending] of hasCompiler() ? faults : []) {
    test.concurrent(`${mode}: ${call} of ${ending}`, async () => {
      const disk = FailingDisk.make(join(root, `${mode}-${call}-${ending}`), call, ending)
      await using server = await startServer({ mode, env: disk.env })
      await assertFailStop(server, () => disk.arm())
      expect(disk.struck).toBe(true)
    })
  }

  if (hasCompiler()) {
    test.concurrent('file-durable: fdatasync of a stream file at the stop leaves the log as it is', async () => {
      const disk = FailingDisk.make(join(root, 'stop'), 'fdatasync', '.data')
      await using server = await startServer({ mode: 'file-durable', env: disk.env })
      const url = `${server.base}/s`
      await fetch(url, { method: 'PUT', headers: binary })
      for (let sequence = 0; sequence < 5; sequence++) expect(await append(url, 0, sequence)).toBe(200)
      disk.arm()
      expect(await server.stop()).not.toBe(0)
      expect(disk.struck).toBe(true)
      await server.restart()
      expect(await countsOf(url)).toEqual([[0, 1, 2, 3, 4], ...Array.from({ length: producers - 1 }, () => [])])
    })
  }
})

describe('writes that the system refuses', () => {
  for (const mode of hasWriteLimit() ? (['acid', 'file-durable'] as const) : []) {
    test.concurrent(mode, async () => {
      await using server = await startServer({ mode })
      await assertFailStop(server, () => limitWrites(server.pid, 200_000))
    })
  }
})

test('at least one way to make a disk fail exists here', () => {
  if (!hasCompiler() && !hasWriteLimit() && process.platform === 'linux') throw new Error('neither cc nor prlimit')
})

/** Lets producers append, makes the disk fail, and checks what is left after a restart against what was acknowledged. */
async function assertFailStop(server: Server, strike: () => void): Promise<void> {
  const url = `${server.base}/s`
  await fetch(url, { method: 'PUT', headers: binary })
  const acknowledged = Array.from({ length: producers }, () => 0)
  const writers = acknowledged.map(async (_, producer) => {
    for (let sequence = 0; (await append(url, producer, sequence).catch(() => 0)) === 200; sequence++) acknowledged[producer] = sequence + 1
  })
  await Bun.sleep(300)
  strike()
  await Promise.all(writers)
  for (let waited = 0; server.alive && waited < 20_000; waited += 20) await Bun.sleep(20)
  expect(server.alive).toBe(false)
  expect(await server.stop()).toBe(1)
  expect(server.logs()).toContain('storage failed: nothing is acknowledged any more')

  await server.restart()
  for (const [producer, count] of acknowledged.entries()) {
    // The one that was in flight may be stored or not; its repetition counts once.
    expect([200, 204]).toContain(await append(url, producer, count))
  }
  expect(await countsOf(url)).toEqual(acknowledged.map(count => Array.from({ length: count + 1 }, (_, sequence) => sequence)))
}

async function append(url: string, producer: number, sequence: number): Promise<number> {
  const headers = { ...binary, 'producer-id': `p${producer}`, 'producer-epoch': '0', 'producer-seq': String(sequence) }
  const answer = await fetch(url, { method: 'POST', headers, body: `${producer}:${sequence};${' '.repeat(20_000)}` })
  await answer.arrayBuffer()
  return answer.status
}

/** The sequence numbers of every producer, in the order in which they are stored. */
async function countsOf(url: string): Promise<number[][]> {
  let text = ''
  for (let offset = '-1'; ; ) {
    const answer = await fetch(`${url}?offset=${offset}`)
    expect(answer.status).toBe(200)
    text += await answer.text()
    offset = answer.headers.get('stream-next-offset') ?? ''
    if (answer.headers.get('stream-up-to-date') === 'true') break
  }
  const found = [...text.matchAll(/(\d+):(\d+);/g)]
  return Array.from({ length: producers }, (_, producer) => found.filter(match => Number(match[1]) === producer).map(match => Number(match[2])))
}

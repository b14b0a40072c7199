/** A full disk: appends are refused with 507, reads go on, and everything acknowledged is there, also when the server dies and starts on the full disk. */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mountingWay, mountSmallDisk } from '../../support/small-disk.ts'
import { startServer, type Server } from '../../support/server.ts'

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), 'headwater-full-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const isInside = Bun.env['HEADWATER_TEST_NAMESPACE'] === '1'
const way = isInside ? 'root' : mountingWay()
const binary = { 'content-type': 'application/octet-stream' }
const bodyBytes = 150_000

if (way === 'root') {
  describe.concurrent.each([
    ['acid', 96, 40],
    ['file-durable', 200, 100],
  ] as const)('%s on a disk of %i MB', (mode, megabytes, ballastMegabytes) => {
    test('refuses appends, serves reads, survives a kill while full, and recovers when there is room', async () => {
      using disk = mountSmallDisk(join(root, mode), megabytes)
      writeFileSync(join(disk.directory, 'ballast'), new Uint8Array(ballastMegabytes * 1024 * 1024))
      await using server = await startServer({ mode, depot: join(disk.directory, 'depot') })
      const url = `${server.base}/full`
      expect((await fetch(url, { method: 'PUT', headers: binary })).status).toBe(201)
      let acknowledged = await appendUntilFull(url, 0)
      expect(acknowledged).toBeGreaterThan(20)

      await Bun.sleep(500) // the room that is kept free is for applying what was taken
      disk.fill('filler')
      expect(disk.freeBytes()).toBe(0)
      // What has its place on the disk already may still be used.
      acknowledged = await appendUntilFull(url, acknowledged)
      expect(await stored(url)).toBe(acknowledged)
      expect(server.alive).toBe(true)

      await server.kill()
      await server.restart()
      expect(await stored(url)).toBe(acknowledged)
      // The start may have found room: it empties logs.
      acknowledged = await appendUntilFull(url, acknowledged)

      rmSync(join(disk.directory, 'filler'))
      rmSync(join(disk.directory, 'ballast'))
      acknowledged = await appendOnceThereIsRoom(url, acknowledged)
      expect(await stored(url)).toBe(acknowledged)
      await server.kill()
      await server.restart()
      expect(await stored(url)).toBe(acknowledged)
      expect(await append(url, acknowledged)).toBe(200)
      expect(await stopCode(server)).toBe(0)
    })

    test('filled by others in the middle of a load: nothing acknowledged is lost, nothing is doubled', async () => {
      using disk = mountSmallDisk(join(root, `${mode}-load`), megabytes)
      await using server = await startServer({ mode, depot: join(disk.directory, 'depot') })
      const urls = Array.from({ length: 4 }, (_, index) => `${server.base}/load/${index}`)
      for (const url of urls) expect((await fetch(url, { method: 'PUT', headers: binary })).status).toBe(201)
      const writers = urls.map(url => appendUntilFull(url, 0))
      await Bun.sleep(100)
      disk.fill('filler')
      const counts = await Promise.all(writers)
      await server.kill()
      rmSync(join(disk.directory, 'filler'))
      await server.restart()
      for (const [index, url] of urls.entries()) {
        const count = await appendOnceThereIsRoom(url, counts[index] ?? 0)
        expect(await stored(url)).toBe(count)
      }
    })
  })
} else if (way === 'namespace') {
  test('in a user namespace of its own', () => {
    const cmd = ['unshare', '-rm', process.execPath, 'test', import.meta.path]
    const run = Bun.spawnSync({ cmd, env: { ...process.env, HEADWATER_TEST_NAMESPACE: '1' }, stdout: 'inherit', stderr: 'inherit' })
    expect(run.exitCode).toBe(0)
  })
} else {
  test('a small disk can be made here', () => {
    const why = 'neither root nor user namespaces: this machine cannot prove what happens on a full disk'
    if (Bun.env['CI'] === 'true') throw new Error(why)
    console.warn(why)
  })
}

/** Appends from sequence number `first` on until the disk is full; returns how many are stored in all. */
async function appendUntilFull(url: string, first: number): Promise<number> {
  for (let sequence = first; ; sequence++) {
    const status = await append(url, sequence)
    if (status === 507) return sequence
    expect(status).toBe(200)
  }
}

async function append(url: string, sequence: number): Promise<number> {
  const headers = { ...binary, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': String(sequence) }
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(bodyBytes).fill(sequence % 251) })
  if (answer.status === 507) {
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(await answer.json()).toMatchObject({ code: 'insufficient_storage' })
  } else await answer.arrayBuffer()
  return answer.status
}

/** How many whole bodies the stream holds; throws when a byte is wrong. */
async function stored(url: string): Promise<number> {
  let at = 0
  for (let offset = '-1'; ; ) {
    const answer = await fetch(`${url}?offset=${offset}`)
    expect(answer.status).toBe(200)
    for (const byte of await answer.bytes()) {
      if (byte !== Math.floor(at / bodyBytes) % 251) throw new Error(`byte ${at} is ${byte}`)
      at++
    }
    offset = answer.headers.get('stream-next-offset') ?? ''
    if (answer.headers.get('stream-up-to-date') === 'true') break
  }
  expect(at % bodyBytes).toBe(0)
  return at / bodyBytes
}

/** The same append again and again, as a client does; it counts once. */
async function appendOnceThereIsRoom(url: string, sequence: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const status = await append(url, sequence)
    if (status === 200 || status === 204) return sequence + 1
    await Bun.sleep(50)
  }
  throw new Error('no append was taken although there is room')
}

async function stopCode(server: Server): Promise<number> {
  return await server.stop()
}

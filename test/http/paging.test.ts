/** Catch-up in bounded pages: nothing lost or doubled at their borders, the same pages every time, flags on the last one only. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ask, binary, json, readPage, readPages, type PageSeen } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

const pageBytes = 4096
const modes = ['acid', 'file-durable', 'memory'] as const
const servers = new Map<string, Server>()

beforeAll(async () => {
  const env = { DS_LIMITS__PAGE_BYTES: String(pageBytes) }
  await Promise.all(modes.map(async mode => servers.set(mode, await startServer({ mode, env }))))
})
afterAll(async () => {
  await Promise.all([...servers.values()].map(server => server.close()))
})

for (const mode of modes) {
  test.concurrent(`${mode}: pages hold whole records and join to the exact bytes`, async () => {
    const url = `${baseOf(mode)}/bytes`
    const sent = await fill(url, 300)
    const pages = await readPages(url)
    expect(Buffer.concat(pages.map(page => page.bytes)).equals(sent)).toBe(true)
    expect(pages.length).toBeGreaterThan(10)
    const ends = new Set(recordEnds(300))
    for (const page of pages) {
      expect(ends.has(positionOf(page.next))).toBe(true)
      expect(positionOf(page.next) - position(page.offset)).toBe(page.bytes.byteLength)
    }
    expectBounded(pages)
    expect(pages.map(page => page.upToDate)).toEqual(pages.map((_, index) => index === pages.length - 1))
    // Whole pages are the same for ever, also while more comes; only what reaches the tail may grow.
    await ask(url, 'POST', binary, 'more')
    const again = await readPages(url)
    expect(again.slice(0, pages.length - 1).map(seen)).toEqual(pages.slice(0, -1).map(seen))
    for (const page of pages.slice(0, -1)) expect(page.cacheControl).toBe('public, max-age=86400, immutable')
    expect(pages.at(-1)?.cacheControl).not.toContain('immutable')
  })

  test.concurrent(`${mode}: closing shows on the last page only, and that page becomes immutable`, async () => {
    const url = `${baseOf(mode)}/closing`
    await fill(url, 60)
    const before = await readPages(url)
    expect(before.some(page => page.closed)).toBe(false)
    expect((await ask(url, 'POST', { 'stream-closed': 'true' })).status).toBe(204)
    const after = await readPages(url)
    expect(after.map(page => page.closed)).toEqual(after.map((_, index) => index === after.length - 1))
    expect(after.at(-1)?.cacheControl).toContain('immutable')
    expect(after.at(-1)?.etag).not.toBe(before.at(-1)?.etag ?? '')
    expect(after.slice(0, -1).map(page => page.etag)).toEqual(before.slice(0, -1).map(page => page.etag))
    const end = await readPage(url, after.at(-1)?.next ?? '')
    expect([end.bytes.byteLength, end.upToDate, end.closed]).toEqual([0, true, true])
  })

  test.concurrent(`${mode}: a fork of a fork is stitched across pages and goes its own way`, async () => {
    const base = baseOf(mode)
    const root = await fill(`${base}/root`, 120)
    const middle = (await readPages(`${base}/root`))[4]?.next ?? ''
    await forkFrom(base, 'child', 'root', middle)
    await ask(`${base}/root`, 'POST', binary, 'only in the root')
    const child = Buffer.concat([root.subarray(0, positionOf(middle)), await append(`${base}/child`, 80, 1000)])
    expect(join(await readPages(`${base}/child`)).equals(child)).toBe(true)
    const later = (await readPages(`${base}/child`))[8]?.next ?? ''
    await forkFrom(base, 'grandchild', 'child', later)
    const grandchild = Buffer.concat([child.subarray(0, positionOf(later)), await append(`${base}/grandchild`, 40, 2000)])
    const pages = await readPages(`${base}/grandchild`)
    expect(join(pages).equals(grandchild)).toBe(true)
    expectBounded(pages)
    // Deleting what it came from takes nothing from the fork.
    expect([(await ask(`${base}/child`, 'DELETE')).status, (await ask(`${base}/root`, 'DELETE')).status]).toEqual([204, 204])
    expect((await readPages(`${base}/grandchild`)).map(seen)).toEqual(pages.map(seen))
  })

  test.concurrent(`${mode}: JSON pages are arrays of whole values, in order`, async () => {
    const url = `${baseOf(mode)}/json`
    await ask(url, 'PUT', json)
    const values = Array.from({ length: 400 }, (_, index) => ({ index, text: '"],[é'.repeat(index % 30) }))
    for (let at = 0; at < values.length; at += 20) await ask(url, 'POST', json, JSON.stringify(values.slice(at, at + 20)))
    const pages = await readPages(url)
    expect(pages.length).toBeGreaterThan(3)
    expect(pages.flatMap(page => JSON.parse(Buffer.from(page.bytes).toString()) as unknown[])).toEqual(values)
  })

  test.concurrent(`${mode}: a full page that is the tail is not immutable: a cache would say "up to date" long after it is not`, async () => {
    const url = `${baseOf(mode)}/exact`
    await ask(url, 'PUT', binary)
    await ask(url, 'POST', binary, new Uint8Array(pageBytes))
    const [page] = await readPages(url)
    expect([page?.upToDate, page?.cacheControl]).toEqual([true, 'public, max-age=60, stale-while-revalidate=300'])
    await ask(url, 'POST', binary, 'more')
    const [same] = await readPages(url)
    expect([same?.upToDate, same?.cacheControl, same?.next]).toEqual([false, 'public, max-age=86400, immutable', page?.next])
    expect(same?.etag).not.toBe(page?.etag ?? '')
  })

  test.concurrent(`${mode}: a record larger than a page comes whole, alone`, async () => {
    const url = `${baseOf(mode)}/large`
    await ask(url, 'PUT', binary)
    const large = new Uint8Array(pageBytes * 5).fill(7)
    await ask(url, 'POST', binary, 'before')
    await ask(url, 'POST', binary, large)
    await ask(url, 'POST', binary, 'after')
    const pages = await readPages(url)
    expect(join(pages).byteLength).toBe(large.byteLength + 11)
    expect(pages.map(page => page.bytes.byteLength)).toContain(large.byteLength)
  })
}

function baseOf(mode: string): string {
  const server = servers.get(mode)
  if (server === undefined) throw new Error(`no server for ${mode}`)
  return server.base
}

async function fill(url: string, count: number): Promise<Buffer> {
  expect((await ask(url, 'PUT', binary)).status).toBe(201)
  return append(url, count, 0)
}

/** Appends records whose sizes and bytes follow from their number. */
async function append(url: string, count: number, seed: number): Promise<Buffer> {
  const records = Array.from({ length: count }, (_, index) => new Uint8Array(sizeOf(index)).fill((index + seed) % 251))
  for (const record of records) expect((await ask(url, 'POST', binary, record)).status).toBe(204)
  return Buffer.concat(records)
}

function sizeOf(index: number): number {
  return 1 + ((index * 37) % 500)
}

function recordEnds(count: number): number[] {
  let end = 0
  return Array.from({ length: count }, (_, index) => (end += sizeOf(index)))
}

async function forkFrom(base: string, name: string, source: string, offset: string): Promise<void> {
  const headers = { ...binary, 'stream-forked-from': `/v1/stream/${source}`, 'stream-fork-offset': offset }
  expect((await ask(`${base}/${name}`, 'PUT', headers)).status).toBe(201)
}

function expectBounded(pages: readonly PageSeen[]): void {
  for (const page of pages) expect(page.bytes.byteLength).toBeLessThanOrEqual(pageBytes)
}

function seen(page: PageSeen): readonly string[] {
  return [page.offset, page.next, page.etag, String(Bun.hash(page.bytes))]
}

function join(pages: readonly PageSeen[]): Buffer {
  return Buffer.concat(pages.map(page => page.bytes))
}

function position(offset: string): number {
  return offset === '-1' ? 0 : positionOf(offset)
}

function positionOf(offset: string): number {
  return Number(offset.split('_')[1])
}

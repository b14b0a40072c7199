/** Downloads: types, caching, ranges, thumbnails, and what must never be shown or reached. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskObjects } from '../../../src/records/files/disk-objects.ts'
import { byteRange } from '../../../src/http/byte-range.ts'
import { contentDisposition, originalName, uniqueName } from '../../../src/records/files/file-name.ts'
import { systemIds } from '../../../src/lib/ids.ts'
import { memoryLog, type Line } from '../../support/memory-log.ts'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const uploads = mkdtempSync(join(tmpdir(), 'headwater-files-'))
const lines: Line[] = []
let server: RecordServer

beforeAll(async () => {
  server = await startRecordServer({
    sql: `CREATE TABLE docs (id INTEGER PRIMARY KEY, one TEXT CHECK (jsonschema('std.FileUpload', one)), _hidden TEXT CHECK (jsonschema('std.FileUpload', _hidden))) STRICT;`,
    apis: [
      { name: 'docs', tableName: 'docs', aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'private', tableName: 'docs', aclAuthenticated: ['read'] },
    ],
    files: { objects: new DiskObjects(uploads), directory: uploads, thumbnails: { cacheBytesMax: 3000, pixelsMax: 1_000_000 } },
    log: memoryLog(lines),
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(uploads, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) => server.as(null)(path, init)
const ranged = (path: string, range: string, more: Record<string, string> = {}) => ask(path, { headers: { Range: range, ...more } })

async function stored(file: Record<string, unknown>, bytes: Uint8Array | string): Promise<{ id: string; path: string; filename: string }> {
  const made = await ask('/docs', json('POST', { one: { ...file, data: Buffer.from(bytes).toString('base64') } }))
  const id = ((await made.json()) as { ids: string[] }).ids[0] ?? ''
  const { one } = (await (await ask(`/docs/${id}`)).json()) as { one: { filename: string } }
  return { id, path: `/docs/${id}/file/one`, filename: one.filename }
}

/** A picture of one colour, as the format's smallest header and rows. */
async function picture(width: number, height: number, format: 'png' | 'jpeg' | 'webp' = 'png'): Promise<Uint8Array> {
  const rowBytes = Math.ceil((width * 3) / 4) * 4
  const bmp = Buffer.alloc(54 + rowBytes * height, 0x7f)
  bmp.fill(0, 0, 54)
  bmp.write('BM')
  bmp.writeUInt32LE(bmp.length, 2)
  bmp.writeUInt32LE(54, 10)
  bmp.writeUInt32LE(40, 14)
  bmp.writeInt32LE(width, 18)
  bmp.writeInt32LE(height, 22)
  bmp.writeUInt16LE(1, 26)
  bmp.writeUInt16LE(24, 28)
  return await new Bun.Image(bmp)[format]().bytes()
}

describe('ranges', () => {
  test('one range, open, closed or from the end', async () => {
    const { path } = await stored({}, '0123456789')
    const shown = async (range: string) => {
      const answer = await ranged(path, range)
      return [answer.status, answer.headers.get('content-range'), answer.headers.get('content-length'), await answer.text()]
    }
    expect(await shown('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '3', '234'])
    expect(await shown('bytes=7-')).toEqual([206, 'bytes 7-9/10', '3', '789'])
    expect(await shown('bytes=-3')).toEqual([206, 'bytes 7-9/10', '3', '789'])
    expect(await shown('bytes=5-100')).toEqual([206, 'bytes 5-9/10', '5', '56789'])
    expect((await shown('bytes=10-'))[0]).toBe(416)
    expect((await shown('bytes=10-'))[1]).toBe('bytes */10')
    for (const range of ['bytes=1-2,4-5', 'bytes=5-2', 'lines=1-2', 'bytes=a-b', 'bytes=-', '']) expect(await shown(range)).toEqual([200, null, '10', '0123456789'])
  })

  test('only of the version that If-Range names', async () => {
    const { path } = await stored({}, '0123456789')
    const tag = (await ask(path)).headers.get('etag') ?? ''
    expect(await (await ranged(path, 'bytes=1-2', { 'If-Range': tag })).text()).toBe('12')
    const other = await ranged(path, 'bytes=1-2', { 'If-Range': '"other"' })
    expect([other.status, await other.text()]).toEqual([200, '0123456789'])
  })

  test('HEAD tells what GET would', async () => {
    const { path } = await stored({}, '0123456789')
    const head = await ask(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), head.headers.get('accept-ranges'), await head.text()]).toEqual([200, '10', 'bytes', ''])
    const part = await ask(path, { method: 'HEAD', headers: { Range: 'bytes=0-3' } })
    expect([part.status, part.headers.get('content-length'), part.headers.get('content-range')]).toEqual([206, '4', 'bytes 0-3/10'])
  })

  test('of an empty file there are none', async () => {
    const { path } = await stored({}, '')
    expect([(await ask(path)).status, (await ranged(path, 'bytes=0-')).status, (await ranged(path, 'bytes=-1')).status]).toEqual([200, 416, 416])
    expect(byteRange('bytes=0-0', 1)).toEqual({ from: 0, end: 1 })
    expect(byteRange('bytes=99999999999999999999-', 5)).toBe('whole')
  })
})

describe('caching', () => {
  test('304 for what the client has; another file has another tag', async () => {
    const { id, path, filename } = await stored({}, 'a')
    const first = await ask(path)
    const tag = first.headers.get('etag') ?? ''
    expect(tag).toMatch(/^"[\w-]{22}"$/)
    const again = await ask(path, { headers: { 'If-None-Match': `"x", W/${tag}` } })
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, tag, ''])
    expect((await ask(path, { headers: { 'If-Modified-Since': first.headers.get('last-modified') ?? '' } })).status).toBe(304)
    expect((await ask(path, { headers: { 'If-Modified-Since': first.headers.get('last-modified') ?? '', 'If-None-Match': '"x"' } })).status).toBe(200)
    expect(first.headers.get('cache-control')).toBe('public, no-cache')
    expect((await ask(`/docs/${id}/files/one/${filename}`)).headers.get('cache-control')).toBe('public, max-age=3600')
    const own = await server.as('alice')(`/private/${id}/file/one`)
    expect([own.headers.get('cache-control'), own.headers.get('vary')]).toEqual(['private, no-cache', 'Authorization, Cookie'])
    await ask(`/docs/${id}`, json('PATCH', { one: { data: 'YQ==' } }))
    expect((await ask(path, { headers: { 'If-None-Match': tag } })).status).toBe(200)
  })
})

describe('what a browser is told', () => {
  test('documents that run scripts are never shown', async () => {
    const svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for (const [file, bytes] of [
      [{ filename: 'a.html', content_type: 'text/html' }, '<html><script>alert(1)</script>'],
      [{ filename: 'a.svg', content_type: 'image/svg+xml' }, svg],
      [{ filename: 'a.png', content_type: 'image/png' }, '<html>'],
    ] as const) {
      const { path } = await stored(file, bytes)
      const answer = await ask(`${path}?inline=1`)
      expect(answer.headers.get('content-disposition')).toStartWith('attachment')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('content-security-policy')).toContain('sandbox')
    }
  })

  test('images are shown when that is wanted', async () => {
    const { path } = await stored({ filename: 'a.png' }, await picture(2, 2))
    expect((await ask(path)).headers.get('content-disposition')).toBe('attachment; filename="a.png"')
    const shown = await ask(`${path}?inline=1`)
    expect([shown.headers.get('content-disposition'), shown.headers.get('content-type')]).toEqual(['inline; filename="a.png"', 'image/png'])
  })

  test('without any type it is text', async () => {
    expect((await ask((await stored({}, 'x')).path)).headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })
})

describe('names', () => {
  test('lead nowhere and stay short', async () => {
    for (const name of ['../../etc/passwd', '..\\..\\boot.ini', '/abs', 'a\u0000b.txt', '..', '.', '', '\u202e', 'x'.repeat(5000), `${'長'.repeat(300)}.txt`, 'a.b.c.tar.gz', '.hidden', 'con\r\nSet-Cookie: a=b', '\ud800lone', "q'uo\"te.txt", 'p%2e%2e']) {
      const { path, id, filename } = await stored({ filename: name }, name)
      expect(filename).toMatch(/^[\p{L}\p{M}\p{N}_.-]+_[a-z0-9]{10}(\.[A-Za-z0-9]+)?$/u)
      expect(filename.length).toBeLessThan(120)
      expect(filename).not.toStartWith('.')
      const answer = await ask(`/docs/${id}/files/one/${encodeURIComponent(filename)}`)
      expect([answer.status, await answer.text()]).toEqual([200, Buffer.from(name).toString()])
      expect((await ask(path)).headers.get('content-disposition')).toMatch(/^attachment; filename="[\x20-\x21\x23-\x7e]*"/)
    }
    expect(originalName('../a\u0000b')).toBe('ab')
    expect(uniqueName('a.tar.gz', systemIds)).toMatch(/^a\.tar_[a-z0-9]{10}\.gz$/)
    expect(contentDisposition('attachment', `ä'(1)*.txt`)).toBe(`attachment; filename="_'(1)*.txt"; filename*=UTF-8''%C3%A4%27%281%29%2A.txt`)
  })

  test('of objects are UUIDs, whatever the row says', async () => {
    const secret = join(uploads, '..', `secret-${process.pid}`)
    writeFileSync(secret, 'secret')
    try {
      for (const id of [`../secret-${process.pid}`, '..', '.pending', `${'a'.repeat(36)}`, '']) {
        await server.records.store.write('main', { steps: [{ kind: 'run', atLeast: 1, sql: `INSERT INTO docs (id, one) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET one = excluded.one`, params: [777n, JSON.stringify({ id, filename: 'x' })] }] })
        expect((await ask('/docs/777/file/one')).status).toBe(404)
      }
      await ask('/docs/777', { method: 'DELETE' })
      await Bun.sleep(100)
      expect(await Bun.file(secret).text()).toBe('secret')
    } finally {
      rmSync(secret)
    }
  })

  test('hidden columns have no files for anybody', async () => {
    await ask('/docs', json('POST', { id: 500, _hidden: { data: 'eA==' } }))
    expect((await ask('/docs/500/file/_hidden')).status).toBe(400)
  })
})

test('bytes that are gone are a 404, and a line in the log', async () => {
  const { path, id } = await stored({}, 'x')
  const [row] = server.records.store.readNow('main', "SELECT json_extract(one, '$.id') FROM docs WHERE id = ?1", [BigInt(id)])
  rmSync(join(uploads, String(row?.[0])))
  expect((await ask(path)).status).toBe(404)
  expect(lines.filter(line => line.level === 'error').map(line => line.message)).toEqual(['the bytes of a file are not there'])
})

describe('thumbnails', () => {
  const cached = () => readdirSync(join(uploads, '.thumbnails'))

  test('fit inside, keep their shape, are never larger than the image', async () => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const { path } = await stored({}, await picture(400, 200, format))
      const answer = await ask(`${path}?thumb=128x128`)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, `image/${format}`])
      const { width, height } = await new Bun.Image(await answer.bytes()).metadata()
      expect([width, height]).toEqual([128, 64])
      const large = await new Bun.Image(await (await ask(`${path}?thumb=x2048&inline=1`)).bytes()).metadata()
      expect([large.width, large.height]).toEqual([400, 200])
      const again = await ask(`${path}?thumb=128x128`)
      expect((await new Bun.Image(await again.bytes()).metadata()).width).toBe(128)
      expect(again.headers.get('etag')).toBe(answer.headers.get('etag'))
      expect(again.headers.get('etag')).not.toBe((await ask(path)).headers.get('etag'))
    }
  })

  test('have few sizes, and a source that is an image of bearable size', async () => {
    const { path } = await stored({}, await picture(40, 20))
    for (const size of ['1x1', '99999x2', 'x', '', '16', '16x16x16', '-16x16']) expect((await ask(`${path}?thumb=${size}`)).status).toBe(400)
    const text = await stored({ filename: 'a.png', content_type: 'image/png' }, 'no image')
    expect((await ask(`${text.path}?thumb=16x16`)).status).toBe(400)
    const broken = await stored({}, (await picture(40, 20)).slice(0, 60))
    expect((await ask(`${broken.path}?thumb=16x16`)).status).toBe(400)
    const large = await stored({}, await picture(1100, 1000))
    expect(await (await ask(`${large.path}?thumb=16x16`)).text()).toBe('Invalid query: the image cannot be read, or is too large')
  })

  test('are kept within a limit, and go with their file', async () => {
    const { path, id } = await stored({}, await picture(300, 300))
    await Promise.all(Array.from({ length: 8 }, () => ask(`${path}?thumb=64x64`)))
    for (const step of [16, 32, 48, 64, 96, 128, 192, 256]) expect((await ask(`${path}?thumb=${step}x${step}`)).status).toBe(200)
    const bytes = cached().reduce((sum, name) => sum + Bun.file(join(uploads, '.thumbnails', name)).size, 0)
    expect(bytes).toBeLessThanOrEqual(3000)
    expect(cached().length).toBeGreaterThan(0)
    const [row] = server.records.store.readNow('main', "SELECT json_extract(one, '$.id') FROM docs WHERE id = ?1", [BigInt(id)])
    await ask(`/docs/${id}`, { method: 'DELETE' })
    for (let i = 0; i < 2000 && cached().some(name => name.startsWith(String(row?.[0]))); i++) await Bun.sleep(10)
    expect(cached().filter(name => name.startsWith(String(row?.[0])))).toEqual([])
  })
})

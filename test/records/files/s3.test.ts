/** Files in a bucket: the same over HTTP as on disk; a wrong secret, an outage and a missing object. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Objects } from '../../../src/records/files/s3-objects.ts'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'
import { startS3Server, type S3Server } from '../../support/s3-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-s3-'))
let s3: S3Server
let server: RecordServer

beforeAll(async () => {
  s3 = startS3Server()
  server = await startRecordServer({
    sql: "CREATE TABLE docs (id INTEGER PRIMARY KEY, one TEXT CHECK (jsonschema('std.FileUpload', one))) STRICT;",
    apis: [{ name: 'docs', tableName: 'docs', aclWorld: ['create', 'read', 'update', 'delete'] }],
    files: { objects: new S3Objects(s3), directory },
    bodyBytesMax: 64 * 1024 * 1024,
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await s3[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) => server.as(null)(path, init)
const pending = () => readdirSync(join(directory, '.pending'))

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await Bun.sleep(10)
  expect(holds()).toBe(true)
}

test('small files come and go', async () => {
  const made = await ask('/docs', json('POST', { id: 1, one: { filename: 'a.txt', data: Buffer.from('0123456789').toString('base64') } }))
  expect([made.status, await made.text(), s3.objects.size]).toEqual([200, expect.any(String), 1])
  await until(() => pending().length === 0)
  expect(await (await ask('/docs/1/file/one')).text()).toBe('0123456789')
  const part = await ask('/docs/1/file/one', { headers: { Range: 'bytes=3-5' } })
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 3-5/10', '345'])
  expect((await ask('/docs/1/file/one')).headers.get('last-modified')).toBe('Thu, 01 Jan 2026 00:00:00 GMT')
  await ask('/docs/1', { method: 'DELETE' })
  await until(() => s3.objects.size === 0)
})

test('large files go in parts', async () => {
  const bytes = new Uint8Array(12 * 1024 * 1024).map((_, i) => i % 251)
  const form = new FormData()
  form.append('one', new File([bytes], 'large.bin'))
  const made = await ask('/docs', { method: 'POST', body: form })
  expect([made.status, s3.uploads.size, s3.requests.some(request => request.endsWith('part 2'))]).toEqual([200, 0, true])
  const { ids } = (await made.json()) as { ids: string[] }
  expect(Buffer.compare(await (await ask(`/docs/${ids[0]}/file/one`)).bytes(), bytes)).toBe(0)
  await ask(`/docs/${ids[0]}`, { method: 'DELETE' })
  await until(() => s3.objects.size === 0)
}, 60_000)

test('a form that ends early leaves no object and no parts', async () => {
  const text = `--b\r\nContent-Disposition: form-data; name="one"; filename="a"\r\n\r\n${'x'.repeat(11 * 1024 * 1024)}`
  const answer = await ask('/docs', { method: 'POST', body: text, headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })
  expect([answer.status, s3.objects.size]).toEqual([400, 0])
  await until(() => pending().length === 0)
  await until(() => s3.uploads.size === 0)
})

test('an outage refuses the write, and holds back removals', async () => {
  s3.refuse = request => (request.startsWith('PUT') || request.startsWith('POST') ? 503 : null)
  const answer = await ask('/docs', json('POST', { one: { data: 'eA==' } }))
  expect([answer.status, (await answer.text()).includes('eA')]).toEqual([500, false])
  s3.refuse = () => null
  await ask('/docs', json('POST', { id: 5, one: { data: 'eA==' } }))
  s3.refuse = request => (request.startsWith('DELETE') ? 500 : null)
  await ask('/docs/5', { method: 'DELETE' })
  await until(() => server.records.store.readNow('main', 'SELECT attempts FROM _file_deletions', [])[0]?.[0] === 1n)
  s3.refuse = () => null
  await server.records.files.sweep()
  expect([s3.objects.size, server.records.store.readNow('main', 'SELECT * FROM _file_deletions', [])]).toEqual([0, []])
})

test('an object that is gone is a 404', async () => {
  await ask('/docs', json('POST', { id: 7, one: { data: 'eA==' } }))
  s3.objects.clear()
  expect((await ask('/docs/7/file/one')).status).toBe(404)
})

test('a wrong secret stores and reads nothing', async () => {
  const wrong = new S3Objects({ ...s3, secretAccessKey: 'guessed' })
  const id = '00000000-0000-4000-8000-000000000001'
  await expect(wrong.put(id, [new Uint8Array(1)])).rejects.toThrow()
  s3.objects.set(id, new Uint8Array(1))
  await expect(wrong.find(id)).rejects.toThrow()
  expect((await wrong.remove([id])).size).toBe(1)
  expect((await new S3Objects(s3).remove([id])).size).toBe(0)
})

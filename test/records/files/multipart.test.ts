/** Forms with files: limits, parts that are not as they should be, connections that end, and memory that stays small. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const bodyBytesMax = 150 * 1024 * 1024
let server: RecordServer

beforeAll(async () => {
  server = await startRecordServer({
    sql: `CREATE TABLE docs (id INTEGER PRIMARY KEY, name TEXT, one TEXT CHECK (jsonschema('std.FileUpload', one)), many TEXT CHECK (jsonschema('std.FileUploads', many))) STRICT;
      CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT, tags TEXT) STRICT;`,
    apis: [
      { name: 'docs', tableName: 'docs', aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'guarded', tableName: 'docs', aclAuthenticated: ['create'], createAccessRule: "_REQ_.name = 'good'" },
      { name: 'plain', tableName: 'plain', aclWorld: ['create', 'read'] },
    ],
    bodyBytesMax,
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const uploads = () => join(server.directory, 'uploads')
const objects = () => readdirSync(uploads()).filter(name => !name.startsWith('.pending') && !name.startsWith('.thumb'))
const pending = () => readdirSync(join(uploads(), '.pending'))
const ask = (path: string, init?: RequestInit) => server.as(null)(path, init)

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await Bun.sleep(10)
  expect(holds()).toBe(true)
}

function raw(...parts: readonly string[]): RequestInit {
  return { method: 'POST', body: `${parts.map(part => `--b\r\n${part}\r\n`).join('')}--b--\r\n`, headers: { 'Content-Type': 'multipart/form-data; boundary=b' } }
}

const filePart = (name: string, filename: string, text: string) => `Content-Disposition: form-data; name="${name}"; filename="${filename}"\r\n\r\n${text}`
const textPart = (name: string, text: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${text}`

async function refused(init: RequestInit, path = '/docs', user: string | null = null): Promise<number> {
  const before = objects().length
  const answer = await server.as(user)(path, init)
  expect(objects().length).toBe(before)
  await until(() => pending().length === 0)
  return answer.status
}

describe('parts', () => {
  test('without a name, unfinished, without a boundary', async () => {
    expect(await refused(raw('Content-Disposition: form-data\r\n\r\nx'))).toBe(400)
    expect(await refused(raw(filePart('one', 'a', 'x'), 'Content-Disposition: form-data; filename="a"\r\n\r\nx'))).toBe(400)
    expect(await refused({ ...raw(filePart('one', 'a', 'x')), body: `--b\r\n${filePart('one', 'a', 'x')}` })).toBe(400)
    expect(await refused({ method: 'POST', body: 'x', headers: { 'Content-Type': 'multipart/form-data' } })).toBe(400)
    expect(await refused({ method: 'POST', body: 'no form', headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })).toBe(400)
    expect(await refused({ method: 'POST', headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })).toBe(400)
  })

  test('too many', async () => {
    expect(await refused(raw(...Array.from({ length: 65 }, (_, i) => filePart('many', `${i}`, 'x'))))).toBe(400)
    expect(await refused(raw(filePart('one', 'a', 'x'), ...Array.from({ length: 1024 }, (_, i) => textPart(`f${i}`, 'x'))))).toBe(400)
  })

  test('texts repeat to arrays; an API without files takes forms, too', async () => {
    const answer = await ask('/plain', raw(textPart('name', 'häß'), filePart('name', 'a', 'not text')))
    const [id] = ((await answer.json()) as { ids: string[] }).ids
    expect(await (await ask(`/plain/${id}`)).json()).toEqual({ id: Number(id), name: 'häß', tags: null })
    expect(await refused(raw(textPart('name', 'a'), textPart('name', 'b')), '/plain')).toBe(400)
  })

  test('of who may not write are not stored', async () => {
    expect(await refused(raw(filePart('one', 'a', 'x')), '/guarded')).toBe(403)
    expect(await refused(raw(filePart('one', 'a', 'x'), textPart('name', 'bad')), '/guarded', 'alice')).toBe(403)
    expect((await server.as('alice')('/guarded', raw(filePart('one', 'a', 'x'), textPart('name', 'good')))).status).toBe(200)
  })

  test('a record that does not fit leaves none of its files', async () => {
    expect(await refused(raw(filePart('one', 'a', 'x'), textPart('id', 'no number')))).toBe(400)
    expect(await refused(raw(filePart('one', 'a', 'x'), filePart('many', 'b', 'y'), textPart('many', 'neither')))).toBe(400)
  })
})

test('a key of idempotency belongs to the contents, not to the boundary', async () => {
  const send = (boundary: string, text: string) => {
    const body = `--${boundary}\r\n${filePart('one', 'a', text)}\r\n--${boundary}--\r\n`
    return ask('/docs', { method: 'POST', body, headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}`, 'Idempotency-Key': 'k1' } })
  }
  const first = (await (await send('b1', 'x')).json()) as { ids: string[] }
  const before = objects().length
  const again = await send('b2', 'x')
  expect([again.headers.get('idempotency-replayed'), await again.json()]).toEqual(['true', first])
  expect((await send('b3', 'y')).status).toBe(422)
  expect(objects().length).toBe(before)
  await until(() => pending().length === 0)
})

/** The most memory that a process has had. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

function stream(megabytes: number, first = textPart('name', 'x')): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(1024 * 1024).fill(7)
  let sent = -1
  return new ReadableStream({
    pull(controller) {
      if (sent === -1) controller.enqueue(Buffer.from(`--b\r\n${first}\r\n--b\r\n${filePart('one', 'large', '')}`))
      else if (sent < megabytes) controller.enqueue(chunk)
      else {
        controller.enqueue(Buffer.from('\r\n--b--\r\n'))
        controller.close()
      }
      sent++
    },
  })
}

describe('large files', () => {
  test('of 100 MiB go through in little memory, both ways', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-large-'))
    const child = Bun.spawn([process.execPath, join(import.meta.dir, 'file-process.ts'), directory], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
    try {
      const url = (await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read()).value?.trim() ?? ''
      const docs = `${url}/api/records/v1/docs`
      await (await fetch(docs, raw(filePart('one', 'a', 'warm'), textPart('id', 'warm')))).text()
      const before = peakOf(child.pid)
      expect((await fetch(docs, { method: 'POST', body: stream(100, textPart('id', 'large')), headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })).status).toBe(200)
      let bytes = 0
      for await (const chunk of (await fetch(`${docs}/large/file/one`)).body ?? []) bytes += chunk.length
      expect(bytes).toBe(100 * 1024 * 1024)
      expect(peakOf(child.pid) - before).toBeLessThan(64 * 1024 * 1024)
    } finally {
      child.kill('SIGKILL')
      await child.exited
      rmSync(directory, { recursive: true, force: true })
    }
  }, 60_000)

  test('beyond the limit are a 413, announced or not', async () => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=b' }
    expect(await refused({ method: 'POST', body: stream(152), headers })).toBe(413)
    expect((await ask('/docs', json('POST', {}))).status).toBe(200)
  }, 60_000)

  test('whose sender goes away leave nothing', async () => {
    const before = objects().length
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    socket.write(`POST /api/records/v1/docs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\n${filePart('one', 'a', 'x'.repeat(100_000))}`)
    await until(() => pending().length === 1)
    socket.destroy()
    await until(() => pending().length === 0)
    expect(objects().length).toBe(before)
  })
})

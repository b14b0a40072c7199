/** Files of records over HTTP: what comes in, what is stored, what goes out, in main and in another database. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { anonymous } from '../../../src/lib/principal.ts'
import { planUpdate } from '../../../src/records/writing/plans.ts'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const tables = (name: string) => `
CREATE TABLE ${name} (
  id INTEGER PRIMARY KEY,
  owner TEXT,
  one TEXT CHECK (jsonschema('std.FileUpload', one)),
  many TEXT CHECK (jsonschema('std.FileUploads', many)),
  image TEXT CHECK (jsonschema('std.FileUpload', image, 'image/png, image/jpeg'))
) STRICT;`

const everybody = ['create', 'read', 'update', 'delete'] as const

let server: RecordServer

beforeAll(async () => {
  server = await startRecordServer({
    sql: tables('docs'),
    databases: { other: tables('papers') },
    apis: [
      { name: 'docs', tableName: 'docs', aclWorld: everybody },
      { name: 'papers', tableName: 'other.papers', aclWorld: everybody },
      { name: 'ruled', tableName: 'docs', aclAuthenticated: everybody, readAccessRule: "_ROW_.owner = 'open'", updateAccessRule: "_ROW_.owner = 'open'" },
      { name: 'ignoring', tableName: 'docs', aclWorld: everybody, conflictResolution: 'ignore' },
      { name: 'closed', tableName: 'docs', aclAuthenticated: everybody },
    ],
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwPAfAAcAAf/Ro8OvAAAAAElFTkSuQmCC', 'base64')
const ask = (path: string, init?: RequestInit) => server.as(null)(path, init)
const objects = () => readdirSync(join(server.directory, 'uploads')).filter(name => !name.startsWith('.'))
const pending = () => readdirSync(join(server.directory, 'uploads', '.pending'))

async function created(path: string, body: unknown): Promise<string> {
  const answer = await ask(path, body instanceof FormData ? { method: 'POST', body } : json('POST', body))
  const text = await answer.text()
  expect([answer.status, text]).toEqual([200, expect.any(String)])
  return JSON.parse(text).ids[0]
}

async function refused(path: string, body: unknown, method = 'POST'): Promise<[number, string]> {
  const before = objects().length
  const answer = await ask(path, body instanceof FormData ? { method, body } : json(method, body))
  expect(objects().length).toBe(before)
  await until(() => pending().length === 0)
  return [answer.status, await answer.text()]
}

async function record(path: string): Promise<Record<string, unknown>> {
  return (await (await ask(path)).json()) as Record<string, unknown>
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await Bun.sleep(10)
  expect(holds()).toBe(true)
}

const data = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64')

describe.each(['docs', 'papers'])('%s', api => {
  test('base64 in both alphabets, padded or not, comes out as it went in', async () => {
    const bytes = new Uint8Array([251, 255, 254, 1])
    for (const text of [bytes.toBase64(), bytes.toBase64({ omitPadding: true }), bytes.toBase64({ alphabet: 'base64url' }), bytes.toBase64({ alphabet: 'base64url', omitPadding: true })]) {
      const id = await created(`/${api}`, { one: { name: 'one', filename: 'a b.bin', content_type: 'application/x-thing', data: text } })
      const { one } = await record(`/${api}/${id}`)
      expect(one).toEqual({ original_filename: 'a b.bin', filename: expect.stringMatching(/^a_b_[a-z0-9]{10}\.bin$/), content_type: 'application/x-thing' })
      const answer = await ask(`/${api}/${id}/file/one`)
      expect(await answer.bytes()).toEqual(bytes)
      expect(answer.headers.get('content-type')).toBe('application/x-thing')
    }
  })

  test('many files are addressed by their unique names', async () => {
    const id = await created(`/${api}`, { many: [{ filename: 'x.txt', data: data('one') }, { filename: 'x.txt', data: data('two') }] })
    const { many } = (await record(`/${api}/${id}`)) as { many: { filename: string }[] }
    expect(new Set(many.map(file => file.filename)).size).toBe(2)
    expect(await Promise.all(many.map(async file => (await ask(`/${api}/${id}/files/many/${file.filename}`)).text()))).toEqual(['one', 'two'])
    expect((await ask(`/${api}/${id}/files/many/x.txt`)).status).toBe(404)
    expect((await ask(`/${api}/${id}/file/many`)).status).toBe(400)
  })

  test('a form brings files and texts; empty parts are dropped', async () => {
    const form = new FormData()
    form.append('owner', 'someone')
    form.append('one', new File([png], 'dir/häß 中.png', { type: 'image/x-wrong' }))
    form.append('many', new File(['1'], '1.txt', { type: 'text/plain' }))
    form.append('many', new File(['2'], '2.txt', { type: 'text/plain' }))
    form.append('image', new File([], ''))
    form.append('unknown', new File(['zzz'], 'z.txt'))
    const id = await created(`/${api}`, form)
    const found = (await record(`/${api}/${id}`)) as { one: { readonly filename: string }; many: unknown[]; owner: string; image: unknown }
    expect<object>(found.one).toEqual({ original_filename: 'häß 中.png', filename: expect.stringMatching(/^häß_中_[a-z0-9]{10}\.png$/), content_type: 'image/x-wrong', mime_type: 'image/png' })
    expect([found.many.length, found.owner, found.image]).toEqual([2, 'someone', null])
    const answer = await ask(`/${api}/${id}/files/one/${encodeURIComponent(found.one.filename)}`)
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(new Uint8Array(png))
    expect(answer.headers.get('content-type')).toBe('image/png')
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="h__ _.png"; filename*=UTF-8''h%C3%A4%C3%9F%20%E4%B8%AD.png`)
    await until(() => pending().length === 0)
  })

  test('an update keeps what it names, and what it replaces is removed', async () => {
    const id = await created(`/${api}`, { one: { filename: 'old', data: data('old') }, many: [{ filename: 'a', data: data('a') }, { filename: 'b', data: data('b') }] })
    const count = objects().length
    const before = (await record(`/${api}/${id}`)) as { one: object; many: object[] }
    const body = { one: before.one, many: [{ filename: 'c', data: data('c') }, before.many[1]] }
    expect((await ask(`/${api}/${id}`, json('PATCH', body))).status).toBe(200)
    const after = (await record(`/${api}/${id}`)) as { one: object; many: { filename: string }[] }
    expect(after.one).toEqual(before.one)
    expect(after.many[1]).toEqual(before.many[1] as never)
    await until(() => objects().length === count)
    expect(await (await ask(`/${api}/${id}/files/many/${after.many[0]?.filename}`)).text()).toBe('c')
    expect(await (await ask(`/${api}/${id}/files/many/${after.many[1]?.filename}`)).text()).toBe('b')
    expect(await (await ask(`/${api}/${id}/file/one`)).text()).toBe('old')
    const form = new FormData()
    form.append('many', JSON.stringify(after.many[1]))
    form.append('many', new File(['d'], 'd'))
    expect((await ask(`/${api}/${id}`, { method: 'PATCH', body: form })).status).toBe(200)
    const last = (await record(`/${api}/${id}`)) as { many: { filename: string }[] }
    expect(last.many.length).toBe(2)
    expect(last.many[0]).toEqual(before.many[1] as never)
    expect((await ask(`/${api}/${id}`, json('PATCH', { one: null }))).status).toBe(200)
    await until(() => objects().length === count - 1)
    expect((await ask(`/${api}/${id}/file/one`)).status).toBe(404)
    expect((await ask(`/${api}/${id}`, { method: 'DELETE' })).status).toBe(200)
    await until(() => objects().length === count - 3)
  })
})

describe('what is refused', () => {
  test('leaves no bytes behind', async () => {
    const two = () => {
      const form = new FormData()
      form.append('one', new File(['1'], '1'))
      form.append('one', new File(['2'], '2'))
      return form
    }
    expect(await refused('/docs', { one: { data: '!!' } })).toEqual([400, 'one: data is not base64'])
    expect((await refused('/docs', { one: { data: data('x'), id: 'x' } }))[0]).toBe(400)
    expect((await refused('/docs', { one: { data: data('x'), content_type: 'a\r\nb: c' } }))[0]).toBe(400)
    expect((await refused('/docs', { one: [{ data: data('x') }] }))[0]).toBe(400)
    expect((await refused('/docs', { one: { filename: 'kept' } }))[0]).toBe(400)
    expect((await refused('/docs', { one: 'text' }))[0]).toBe(400)
    expect((await refused('/docs', { many: Array.from({ length: 65 }, () => ({ data: '' })) }))[0]).toBe(400)
    expect((await refused('/docs', two()))[0]).toBe(400)
    expect((await refused('/docs', [{ one: { data: data('x') } }, { id: 'no number', one: { data: data('y') } }]))[0]).toBe(400)
  })

  test('a type that the CHECK does not list', async () => {
    expect(await refused('/docs', { image: { filename: 'a.png', content_type: 'image/png', data: data('<html>') } })).toEqual([400, 'image takes image/png, image/jpeg; the file is of no known type'])
    const id = await created('/docs', { image: { filename: 'a', data: data(png) } })
    expect(((await record(`/docs/${id}`)) as { image: object }).image).toEqual({ original_filename: 'a', filename: expect.any(String), mime_type: 'image/png' })
  })

  test('a row that conflicts, and one that is ignored', async () => {
    const id = await created('/docs', { one: { data: data('x') } })
    expect((await refused('/docs', { id: Number(id), one: { data: data('y') } }))[0]).toBe(400)
    expect((await ask('/ignoring', json('POST', { id: Number(id), one: { data: data('z') } }))).status).toBe(200)
    await until(() => pending().length === 1) // left to the sweep
    expect(await (await ask(`/docs/${id}/file/one`)).text()).toBe('x')
  })
})

describe('keeping files', () => {
  test('only of the record itself, and after the rule was asked', async () => {
    const mine = await created('/docs', { owner: 'open', one: { filename: 'mine', data: data('mine') } })
    const other = await created('/docs', { owner: 'secret', one: { filename: 'other', data: data('other') } })
    const { one } = (await record(`/docs/${other}`)) as { one: object }
    expect((await ask(`/docs/${mine}`, json('PATCH', { one }))).status).toBe(400)
    const alice = server.as('alice')
    expect((await alice(`/ruled/${other}`, json('PATCH', { one }))).status).toBe(403)
    expect((await alice(`/ruled/${other}`, json('PATCH', { one: { filename: 'nothing' } }))).status).toBe(403)
    expect((await ask('/docs/9999', json('PATCH', { one: { filename: 'x' } }))).status).toBe(404)
  })
})

test('a file that goes while it is being kept refuses the update', async () => {
  const id = await created('/docs', { one: { filename: 'a', data: data('a') } })
  const { one } = (await record(`/docs/${id}`)) as { one: object }
  const api = server.records.api('docs')
  if (api === undefined) throw new Error('there is an API')
  const key = [BigInt(id)]
  const request = server.records.files.begin(api, key)
  const column = api.columnsByName.get('one')
  if (column === undefined) throw new Error('there is a column')
  const value = await request.take(column, one)
  const plan = planUpdate(api, key, { columns: [column], values: [value] }, { versions: null, guards: request.guards() }, anonymous)
  const steps = plan.map(({ step }) => step)
  expect((await server.records.store.write('main', { steps })).ok).toBe(true)
  await ask(`/docs/${id}`, json('PATCH', { one: null }))
  const result = await server.records.store.write('main', { steps })
  expect(result).toEqual({ ok: false, step: 0, why: 'unmet' })
  expect(await record(`/docs/${id}`)).toMatchObject({ one: null })
})

describe('who may download', () => {
  test('whoever may read the record', async () => {
    const open = await created('/docs', { owner: 'open', one: { data: data('o') } })
    const secret = await created('/docs', { owner: 'secret', one: { data: data('s') } })
    const alice = server.as('alice')
    expect([(await alice(`/ruled/${open}/file/one`)).status, (await alice(`/ruled/${secret}/file/one`)).status, (await ask(`/ruled/${open}/file/one`)).status]).toEqual([200, 403, 403])
    expect([(await alice('/ruled/9999/file/one')).status, (await ask('/docs/9999/file/one')).status]).toEqual([403, 404])
    expect([(await ask(`/docs/${open}/file/owner`)).status, (await ask(`/docs/${open}/file/nothing`)).status, (await ask(`/nothing/${open}/file/one`)).status]).toEqual([400, 400, 405])
    expect((await ask('/closed', json('POST', { one: { data: data('x') } }))).status).toBe(403)
  })
})

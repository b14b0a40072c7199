/** Record APIs over HTTP: writing, reading, versions, idempotency, batches, rules. Lists are list.test.ts, clients are clients/. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { json, startRecordServer, type RecordServer } from '../support/record-server.ts'

const sql = `
CREATE TABLE room (id BLOB PRIMARY KEY NOT NULL CHECK (is_uuid_v7(id)) DEFAULT (uuid_v7()), name TEXT NOT NULL) STRICT;
CREATE TABLE member (room BLOB NOT NULL REFERENCES room(id) ON DELETE CASCADE, user BLOB NOT NULL, PRIMARY KEY (room, user)) STRICT;
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  room BLOB NOT NULL REFERENCES room(id) ON DELETE CASCADE,
  sender BLOB NOT NULL,
  body TEXT NOT NULL CHECK (length(body) < 100),
  big INTEGER,
  weight REAL NOT NULL DEFAULT 1.5,
  _secret TEXT,
  data TEXT CHECK (jsonschema_matches('{"type":"object"}', data)),
  UNIQUE (room, body)
) STRICT;
CREATE TABLE tag (name TEXT PRIMARY KEY NOT NULL, note TEXT) STRICT;
CREATE VIEW message_view AS SELECT id, body FROM message;
INSERT INTO room (id, name) VALUES (x'0191fc99879d7352bb86bb1366074704', 'lobby');
`
const room = 'AZH8mYedc1K7hrsTZgdHBA=='
const membership = '(SELECT 1 FROM member AS m WHERE m.user = _USER_.id AND m.room ='

let server: RecordServer
let alice: (path: string, init?: RequestInit) => Promise<Response>
let mallory: typeof alice

beforeAll(async () => {
  server = await startRecordServer({
    sql,
    apis: [
      {
        name: 'message',
        tableName: 'message',
        aclAuthenticated: ['create', 'read', 'update', 'delete', 'schema'],
        createAccessRule: `_REQ_.sender = _USER_.id AND EXISTS ${membership} _REQ_.room)`,
        readAccessRule: `EXISTS ${membership} _ROW_.room)`,
        updateAccessRule: `_ROW_.sender = _USER_.id AND NOT ('sender' IN _REQ_FIELDS_)`,
        deleteAccessRule: '_ROW_.sender = _USER_.id',
      },
      { name: 'tag', tableName: 'tag', aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'tag_ignore', tableName: 'tag', aclWorld: ['create'], conflictResolution: 'ignore' },
      { name: 'tag_replace', tableName: 'tag', aclWorld: ['create'], conflictResolution: 'replace' },
      { name: 'member', tableName: 'member', aclWorld: ['create', 'read', 'delete'] },
      { name: 'message_view', tableName: 'message_view', aclWorld: ['create', 'read', 'update', 'delete'] },
      { name: 'closed', tableName: 'tag' },
    ],
  })
  alice = server.as('alice')
  mallory = server.as('mallory')
  const id = (name: string) => Buffer.from(server.idOf(name)).toString('base64')
  expect((await server.as(null)('/member', json('POST', { room, user: id('alice') }))).status).toBe(200)
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

function message(body: string, more: object = {}): RequestInit {
  return json('POST', { room, sender: Buffer.from(server.idOf('alice')).toString('base64'), body, ...more })
}

async function created(response: Promise<Response>): Promise<string> {
  const answer = await response
  expect(answer.status).toBe(200)
  const { ids } = (await answer.json()) as { ids: string[] }
  return ids[0] ?? ''
}

describe('create and read', () => {
  test('what was written is read, exact to 64 bits; hidden columns are not', async () => {
    const id = await created(alice('/message', message('exact', { big: 0, _secret: 'x', data: { a: [1] } })))
    const big = await created(alice('/message', json('POST', `{"room":"${room}","sender":"${Buffer.from(server.idOf('alice')).toString('base64')}","body":"big","big":9223372036854775807}`)))
    expect(await (await alice(`/message/${big}`)).text()).toContain('"big":9223372036854775807')
    const record = (await (await alice(`/message/${id}`)).json()) as Record<string, unknown>
    expect(record).toEqual({ id: Number(id), room, sender: expect.any(String), body: 'exact', big: 0, weight: 1.5, data: { a: [1] } })
  })

  test('a bulk is written as a whole or not at all, with ids in its order', async () => {
    const tags = server.as(null)
    const good = await tags('/tag', json('POST', [{ name: 'b1' }, { name: 'b2' }]))
    expect(await good.json()).toMatchObject({ ids: ['b1', 'b2'] })
    const bad = await tags('/tag', json('POST', [{ name: 'b3' }, { name: 'b1' }]))
    expect([bad.status, await bad.text()]).toEqual([400, 'db constraint: pk'])
    expect((await tags('/tag/b3')).status).toBe(404)
  })

  test('every write tells its transaction number, and it grows', async () => {
    const first = await server.as(null)('/tag', json('POST', { name: 't1' }))
    const second = await server.as(null)('/tag/t1', json('PATCH', { note: 'n' }))
    const [a, b] = [Number(first.headers.get('Headwater-Txn')), Number(second.headers.get('Headwater-Txn'))]
    expect(a).toBeGreaterThan(0)
    expect(b).toBeGreaterThan(a)
    expect(await first.json()).toEqual({ ids: ['t1'], txn: a })
  })

  test('conflict strategies', async () => {
    const tags = server.as(null)
    await created(tags('/tag', json('POST', { name: 'c', note: 'first' })))
    expect(await created(tags('/tag_ignore', json('POST', { name: 'c', note: 'second' })))).toBe('c')
    expect(await (await tags('/tag/c')).json()).toEqual({ name: 'c', note: 'first' })
    expect(await created(tags('/tag_replace', json('POST', { name: 'c' })))).toBe('c')
    expect(await (await tags('/tag/c')).json()).toEqual({ name: 'c', note: null })
  })

  test('a composite key is one id of two parts', async () => {
    const user = Buffer.from(server.idOf('bob')).toString('base64url')
    const id = await created(server.as(null)('/member', json('POST', { room, user })))
    expect(id.split(',')).toHaveLength(2)
    const read = await server.as(null)(`/member/${encodeURIComponent(id)}`)
    expect(read.status).toBe(200)
    expect((await server.as(null)(`/member/${encodeURIComponent(id)}`, { method: 'DELETE' })).status).toBe(200)
  })

  test('forms', async () => {
    const body = new URLSearchParams({ name: 'form', note: 'a b' })
    const answer = await server.as(null)('/tag?redirect_uri=/next', { method: 'POST', body })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/next'])
    expect(await (await server.as(null)('/tag/form')).json()).toEqual({ name: 'form', note: 'a b' })
    const evil = await server.as(null)('/tag?redirect_uri=https://evil.example', { method: 'POST', body: new URLSearchParams({ name: 'form2' }) })
    expect(evil.status).toBe(400)
    expect((await server.as(null)('/tag/form2')).status).toBe(404)
  })
})

describe('update and delete', () => {
  test('PATCH changes what it names, DELETE says so', async () => {
    const tags = server.as(null)
    await created(tags('/tag', json('POST', { name: 'u', note: 'x' })))
    const patched = await tags('/tag/u', json('PATCH', { note: 'y', name: 'u' }))
    expect([patched.status, await patched.text()]).toEqual([200, ''])
    expect((await tags('/tag/u', json('PATCH', { name: 'other' }))).status).toBe(400)
    expect((await tags('/tag/u', json('PATCH', {}))).status).toBe(200)
    const deleted = await tags('/tag/u', { method: 'DELETE' })
    expect([deleted.status, await deleted.text()]).toEqual([200, 'deleted'])
    expect((await tags('/tag/u', { method: 'DELETE' })).status).toBe(404)
    expect((await tags('/tag/u', json('PATCH', { note: 'z' }))).status).toBe(404)
  })

  test('If-Match writes only the version that was read', async () => {
    const tags = server.as(null)
    await created(tags('/tag', json('POST', { name: 'v', note: '1' })))
    const etag = (await tags('/tag/v')).headers.get('etag') ?? ''
    expect((await tags('/tag/v', { headers: { 'If-None-Match': etag } })).status).toBe(304)
    expect((await tags('/tag/v', json('PATCH', { note: '2' }, { 'If-Match': etag }))).status).toBe(200)
    expect((await tags('/tag/v', json('PATCH', { note: '3' }, { 'If-Match': etag }))).status).toBe(412)
    expect((await tags('/tag/v', { method: 'DELETE', headers: { 'If-Match': etag } })).status).toBe(412)
    expect((await tags('/tag/v', { method: 'DELETE', headers: { 'If-Match': '*' } })).status).toBe(200)
  })
})

describe('rules', () => {
  test('decide who may create, read, change and delete', async () => {
    const id = await created(alice('/message', message('ruled')))
    expect((await mallory(`/message/${id}`)).status).toBe(403)
    expect((await mallory(`/message/${id}`, json('PATCH', { body: 'x' }))).status).toBe(403)
    expect((await mallory(`/message/${id}`, { method: 'DELETE' })).status).toBe(403)
    expect((await mallory('/message', message('mine'))).status).toBe(403)
    expect((await server.as(null)('/message')).status).toBe(403)
    expect((await alice(`/message/${id}`, json('PATCH', { sender: room }))).status).toBe(403)
    expect((await alice(`/message/${id}`, json('PATCH', { body: 'changed' }))).status).toBe(200)
    const list = (await (await mallory('/message')).json()) as { records: unknown[] }
    expect(list.records).toEqual([])
  })

  test('an API without an ACL grants nothing, a view writes nothing, an unknown one is 405', async () => {
    const anyone = server.as(null)
    for (const init of [{}, json('POST', { name: 'x' })]) expect((await anyone('/closed', init)).status).toBe(403)
    expect((await anyone('/message_view', json('POST', { body: 'x' }))).status).toBe(405)
    const unknown = await anyone('/nothing')
    expect([unknown.status, unknown.statusText, await unknown.text()]).toEqual([405, 'Method Not Allowed', ''])
  })

  test('constraints are named, values that do not fit are told', async () => {
    expect(await (await alice('/message', message('x'.repeat(200)))).text()).toBe('db constraint: check')
    expect(await (await alice('/message', message('typed', { big: 'x' }))).text()).toStartWith('Invalid Parameters')
    expect(await (await alice('/message/abc')).text()).toBe('Invalid id')
  })
})

describe('idempotency keys', () => {
  test('a retry is answered as the first was, and written once', async () => {
    const send = (body: string, key: string) => alice('/message', { ...message(body), headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key } })
    const first = await send('once', 'key-1')
    const again = await send('once', 'key-1')
    expect(await again.json()).toEqual(await first.json())
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(again.headers.get('Headwater-Txn')).toBe(first.headers.get('Headwater-Txn'))
    expect((await send('other', 'key-1')).status).toBe(422)
    const racing = await Promise.all(Array.from({ length: 20 }, () => send('race', 'key-2')))
    expect(new Set(await Promise.all(racing.map(each => each.text()))).size).toBe(1)
  })

  test('a refused write leaves its key free; each caller has keys of its own', async () => {
    const tags = server.as(null)
    const send = (user: string | null, name: string) => server.as(user)('/tag', json('POST', { name }, { 'Idempotency-Key': 'k' }))
    await created(tags('/tag', json('POST', { name: 'taken' })))
    expect((await send(null, 'taken')).status).toBe(400)
    await tags('/tag/taken', { method: 'DELETE' })
    expect((await send(null, 'taken')).status).toBe(200)
    expect((await send('alice', 'own')).status).toBe(200)
  })
})

describe('batches', () => {
  const execute = (body: object) => fetch(`${server.url}/api/transaction/v1/execute`, json('POST', body))
  const create = (name: string) => ({ Create: { api_name: 'tag', value: { name } } })

  test('all or nothing when it is a transaction, up to the failure when not', async () => {
    const operations = [create('x1'), { Update: { api_name: 'tag', record_id: 'x1', value: { note: 'n' } } }, create('x1'), create('x2')]
    expect((await execute({ operations, transaction: true })).status).toBe(400)
    expect((await server.as(null)('/tag/x1')).status).toBe(404)
    expect((await execute({ operations })).status).toBe(400)
    expect(await (await server.as(null)('/tag/x1')).json()).toEqual({ name: 'x1', note: 'n' })
    expect((await server.as(null)('/tag/x2')).status).toBe(404)
  })

  test('results name the ids; none gives none', async () => {
    const operations = [create('y1'), { Update: { api_name: 'tag', record_id: 'y1', value: { note: 'n' } } }, { Delete: { api_name: 'tag', record_id: 'y1' } }]
    expect(await (await execute({ operations, transaction: true })).json()).toMatchObject({ results: [{ Id: 'y1' }, { Id: 'y1' }, { Id: 'y1' }], ids: ['y1'] })
    expect(await (await execute({ operations: [] })).json()).toEqual({ results: [], ids: [] })
    expect((await execute({})).status).toBe(422)
    expect((await fetch(`${server.url}/api/transaction/v1/execute`, { method: 'POST', body: '{}' })).status).toBe(415)
  })
})

describe('schemas', () => {
  test('need their own grant', async () => {
    expect((await mallory('/message/schema')).status).toBe(200)
    expect((await server.as(null)('/tag/schema')).status).toBe(403)
    expect((await mallory('/message/schema?mode=insert')).status).toBe(400)
    expect(await (await mallory('/message/schema?mode=Select')).text()).not.toContain('_secret')
  })
})

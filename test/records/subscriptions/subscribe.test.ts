/** Subscriptions over a socket: frames to the byte, who gets which events, filters, rules that change, and what ends a stream. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { SubscriptionReader, type SubscriptionEvent } from '../../support/event-stream.ts'
import { json, startRecordServer, type RecordServer } from '../../support/record-server.ts'

const sql = `
CREATE TABLE note (id INTEGER PRIMARY KEY, owner BLOB, text TEXT NOT NULL DEFAULT '', size REAL, meta TEXT CHECK (jsonschema_matches('{"type":"object"}', meta)), _hidden TEXT DEFAULT 'h', secret TEXT DEFAULT 's') STRICT;
CREATE TABLE member (user BLOB PRIMARY KEY) STRICT;
CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE, name TEXT UNIQUE) STRICT;
CREATE TABLE place (id INTEGER PRIMARY KEY, shape BLOB CHECK (ST_IsValid(shape)), label TEXT COLLATE NOCASE) STRICT;
CREATE TABLE quiet (id INTEGER PRIMARY KEY) STRICT;
`
const all = ['create', 'read', 'update', 'delete'] as const
const note = { name: 'note', tableName: 'note', aclWorld: all, enableSubscriptions: true, excludedColumns: ['secret'] }
const apis = [
  note,
  { name: 'own', tableName: 'note', aclAuthenticated: all, enableSubscriptions: true, readAccessRule: '_ROW_.owner = _USER_.id' },
  { name: 'club', tableName: 'note', aclAuthenticated: all, enableSubscriptions: true, readAccessRule: '_USER_.id IN (SELECT user FROM member)' },
  { name: 'scan', tableName: 'note', aclAuthenticated: all, enableSubscriptions: true, readAccessRule: "(SELECT count(*) FROM quiet) >= 0 AND _ROW_.owner = _USER_.id" },
  { name: 'parent', tableName: 'parent', aclWorld: all, enableSubscriptions: true },
  { name: 'child', tableName: 'child', aclWorld: all, enableSubscriptions: true },
  { name: 'place', tableName: 'place', aclWorld: all, enableSubscriptions: true },
  { name: 'quiet', tableName: 'quiet', aclWorld: all },
]

let server: RecordServer
beforeAll(async () => {
  server = await startRecordServer({ sql, apis })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

async function sqlRun(text: string): Promise<void> {
  const outcome = await server.records.store.exclusive('main', [{ sql: text, params: [] }])
  if (!outcome.ok) throw new Error(JSON.stringify(outcome))
}

function open(path: string, user?: string, headers?: Record<string, string>): Promise<SubscriptionReader> {
  return SubscriptionReader.open(server.url, path, { ...(user === undefined ? {} : { user }), ...(headers === undefined ? {} : { headers }) })
}

/** What an event is about: `Insert 3`. */
function short(event: SubscriptionEvent): string {
  const kind = (['Insert', 'Update', 'Delete'] as const).find(each => event[each] !== undefined)
  return kind === undefined ? JSON.stringify(event) : `${kind} ${String(event[kind]?.['id'])}`
}

describe('frames', () => {
  test('are those of TrailBase, with position and transaction', async () => {
    using reader = await open('/note/subscribe/*')
    expect(reader.head).toContain('200 OK')
    expect(reader.head.toLowerCase()).toContain('content-type: text/event-stream')
    expect(reader.body).toBe(': ping\n\n')
    const created = await server.as(null)('/note', json('POST', '{"id":9007199254740993,"text":"a","size":2,"meta":{"a":\n1}}'))
    const { txn } = (await created.json()) as { txn: number }
    await reader.take(1)
    const record = '{"id":9007199254740993,"owner":null,"text":"a","size":2.0,"meta":{"a":1}}'
    expect(reader.body).toMatch(/^: ping\n\ndata: \{"Insert":\{.*\},"seq":1,"pos":\d+,"txn":\d+\}\n\n$/)
    expect(reader.body).toContain(`data: {"Insert":${record},"seq":1,"pos":`)
    expect(reader.body).toContain(`,"txn":${txn}}\n\n`)
    await server.as(null)('/note/9007199254740993', json('PATCH', { text: 'b\nc' }))
    await server.as(null)('/note/9007199254740993', { method: 'DELETE' })
    const [update, gone] = await reader.take(2)
    expect(update).toMatchObject({ Update: { text: 'b\nc' }, seq: 2 })
    expect(gone).toMatchObject({ Delete: { text: 'b\nc' }, seq: 3 })
    expect(update?.Update).not.toHaveProperty('secret')
    expect(update?.Update).not.toHaveProperty('_hidden')
    expect(gone?.pos).toBe((update?.pos ?? 0) + 1)
  })

  test('what cannot be subscribed to is refused', async () => {
    const status = async (path: string, user?: string) => (await open(path, user)).status
    expect(await status('/quiet/subscribe/*')).toBe(403)
    expect(await status('/own/subscribe/*')).toBe(403)
    expect(await status('/nothing/subscribe/*')).toBe(405)
    expect(await status('/note/subscribe/x')).toBe(400)
    expect(await status('/note/subscribe/4711')).toBe(404)
    expect(await status('/note/subscribe/*?filter[_hidden]=1')).toBe(400)
    expect(await status('/note/subscribe/*?filter[secret]=s')).toBe(400)
    expect(await status('/note/subscribe/*?filter[nothing]=1')).toBe(400)
    expect(await status('/note/subscribe/*?since=x')).toBe(400)
    expect(await status('/note/subscribe/*?ws=true')).toBe(400)
    expect((await server.as(null)('/note/subscribe/*', { method: 'HEAD' })).status).toBe(405)
    expect(server.records.subscriptions.count).toBe(0)
  })
})

describe('who hears what', () => {
  test('rules judge the values of the event, per user', async () => {
    using alice = await open('/own/subscribe/*', 'alice')
    using bob = await open('/own/subscribe/*', 'bob')
    using slow = await open('/scan/subscribe/*', 'alice')
    const idOf = (user: string) => server.idOf(user).toBase64({ alphabet: 'base64url' })
    await server.as(null)('/note', json('POST', [{ id: 10, owner: idOf('alice') }, { id: 11, owner: idOf('bob') }, { id: 12, owner: idOf('alice') }]))
    expect((await alice.take(2)).map(short)).toEqual(['Insert 10', 'Insert 12'])
    expect((await bob.take(1)).map(short)).toEqual(['Insert 11'])
    const seen = await slow.take(2)
    expect(seen.map(short)).toEqual(['Insert 10', 'Insert 12'])
    expect(seen.map(({ seq }) => seq)).toEqual([1, 2])
    await sqlRun('DELETE FROM note')
    expect((await alice.take(2)).map(short)).toEqual(['Delete 10', 'Delete 12'])
    expect((await bob.take(1)).map(short)).toEqual(['Delete 11'])
    expect((await slow.take(2)).map(short)).toEqual(['Delete 10', 'Delete 12'])
  })

  test('a record subscription: its changes, its deletion, and the end of access', async () => {
    const alice = server.idOf('alice').toBase64({ alphabet: 'base64url' })
    await server.as(null)('/note', json('POST', [{ id: 20, owner: alice }, { id: 21, owner: alice }]))
    using one = await open('/own/subscribe/20', 'alice')
    using plain = await open('/note/subscribe/21')
    await server.as(null)('/note/21', json('PATCH', { text: 'x' }))
    await server.as(null)('/note/20', json('PATCH', { text: 'y' }))
    await server.as(null)('/note/20', json('PATCH', { owner: null }))
    expect((await one.take(1)).map(short)).toEqual(['Update 20'])
    expect(await one.take(1)).toEqual([{ Error: { status: 1, message: 'Access denied' }, seq: 2 }])
    expect(await one.until(() => one.ended)).toBe(true)
    await server.as(null)('/note/21', { method: 'DELETE' })
    await server.as(null)('/note', json('POST', { id: 21, text: 'again' }))
    expect((await plain.take(3)).map(short)).toEqual(['Update 21', 'Delete 21', 'Insert 21'])
    await sqlRun('UPDATE note SET id = 22 WHERE id = 21')
    expect((await plain.take(1)).map(short)).toEqual(['Delete 21'])
    await sqlRun('DELETE FROM note')
  })

  test('a rule of another table is judged as it stands now', async () => {
    using reader = await open('/club/subscribe/*', 'carol')
    using everything = await open('/note/subscribe/*')
    await sqlRun('INSERT INTO note (id) VALUES (30)')
    // Events are judged soon after the write is acknowledged: with the next write at once, this one could find her a member.
    await everything.take(1)
    await Bun.sleep(50)
    await sqlRun(`INSERT INTO member VALUES (x'${server.idOf('carol').toHex()}')`)
    await sqlRun('INSERT INTO note (id) VALUES (31)')
    expect((await reader.take(1)).map(short)).toEqual(['Insert 31'])
    await sqlRun('DELETE FROM note; DELETE FROM member')
  })

  test('filters', async () => {
    using isNull = await open('/note/subscribe/*?filter[size][$is]=NULL')
    using notNull = await open('/note/subscribe/*?filter[size][$is]=!NULL')
    using either = await open('/note/subscribe/*?filter[$or][0][text]=007&filter[$or][1][size][$gt]=1.5')
    using like = await open('/note/subscribe/*?filter[text][$like]=a%25')
    using pattern = await open('/note/subscribe/*?filter[text][$re]=^a.$')
    await sqlRun("INSERT INTO note (id, text, size) VALUES (40, '007', NULL), (41, '7', 1.5), (42, 'ab', 1.6), (43, 'Ab', NULL)")
    expect((await isNull.take(2)).map(short)).toEqual(['Insert 40', 'Insert 43'])
    expect((await notNull.take(2)).map(short)).toEqual(['Insert 41', 'Insert 42'])
    expect((await either.take(2)).map(short)).toEqual(['Insert 40', 'Insert 42'])
    expect((await like.take(1)).map(short)).toEqual(['Insert 42'])
    expect((await pattern.take(1)).map(short)).toEqual(['Insert 42'])
    await sqlRun('DELETE FROM note')
  })

  test('geometry and collation', async () => {
    using near = await open(`/place/subscribe/*?filter[shape][@within]=${encodeURIComponent('POLYGON ((0 0, 0 2, 2 2, 2 0, 0 0))')}`)
    using named = await open('/place/subscribe/*?filter[label]=HOME')
    await sqlRun("INSERT INTO place (id, shape, label) VALUES (1, ST_GeomFromText('POINT (1 1)'), 'home'), (2, ST_GeomFromText('POINT (5 5)'), 'work')")
    const [first] = await near.take(1)
    expect(first).toMatchObject({ Insert: { id: 1, shape: { type: 'Point', coordinates: [1, 1] } } })
    expect((await named.take(1)).map(short)).toEqual(['Insert 1'])
  })
})

describe('what happened in the database', () => {
  test('REPLACE, cascades, DELETE without WHERE, in the order of the transaction', async () => {
    using parents = await open('/parent/subscribe/*')
    using children = await open('/child/subscribe/*')
    await sqlRun("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')")
    await children.take(3)
    await parents.take(2)
    await sqlRun("REPLACE INTO child VALUES (4, 2, 'c')")
    expect((await children.take(2)).map(short)).toEqual(['Delete 3', 'Insert 4'])
    await sqlRun('DELETE FROM parent WHERE id = 1')
    expect((await children.take(2)).map(short)).toEqual(['Delete 1', 'Delete 2'])
    await sqlRun('DELETE FROM child')
    expect((await children.take(1)).map(short)).toEqual(['Delete 4'])
    expect((await parents.take(1)).map(short)).toEqual(['Delete 1'])
  })

  test('what is rolled back is never seen', async () => {
    using reader = await open('/child/subscribe/*')
    const outcome = await server.records.store.exclusive('main', [{ sql: "INSERT INTO child VALUES (70, NULL, 'x'); INSERT INTO child VALUES (70, NULL, 'y')", params: [] }])
    expect(outcome.ok).toBe(false)
    const refused = await server.as(null)('/child', json('POST', [{ id: 71, name: 'p' }, { id: 72, name: 'p' }]))
    expect(refused.status).toBe(400)
    await sqlRun("INSERT INTO child VALUES (73, NULL, 'z')")
    const [event] = await reader.take(1)
    expect(event).toMatchObject({ Insert: { id: 73 }, seq: 1 })
  })

  test('an update that changes nothing is an update', async () => {
    using reader = await open('/child/subscribe/*')
    await sqlRun('UPDATE child SET name = name WHERE id = 73')
    expect((await reader.take(1)).map(short)).toEqual(['Update 73'])
  })
})

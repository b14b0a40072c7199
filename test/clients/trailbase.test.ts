/** The published npm client `trailbase`, unmodified, drives every feature of record APIs against a real server. TrailBase's own tests are scripts/trailbase-suite.ts. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { filePath, filesPath, FetchError, initClient, urlSafeBase64Decode, type ChangeEvent, type Client, type FileUpload } from 'trailbase'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'

// Starting a server may build it first.
setDefaultTimeout(60_000)

const people = ['ada', 'bob'].map(name => `('${name}@example.org', hash_password('secret'))`)

const main = `
INSERT INTO _user (email, password_hash) VALUES ${people.join(', ')};
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE message (
  id BLOB PRIMARY KEY CHECK (is_uuid_v7(id)) DEFAULT (uuid_v7()),
  room INTEGER REFERENCES room(id),
  author BLOB NOT NULL REFERENCES _user(id),
  text TEXT NOT NULL CHECK (length(text) <= 100),
  number INTEGER,
  score REAL,
  tags TEXT CHECK (jsonschema('tags', tags)),
  _secret TEXT DEFAULT 'never shown'
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT, geom BLOB CHECK (ST_IsValid(geom))) STRICT;
CREATE VIEW room_size AS SELECT r.id, r.name, count(m.id) AS messages FROM room AS r LEFT JOIN message AS m ON m.room = r.id GROUP BY r.id;
INSERT INTO room (id, name) VALUES (1, 'first'), (2, 'second');
INSERT INTO place (name, geom) VALUES ('in', ST_GeomFromText('POINT(1 1)', 4326)), ('out', ST_GeomFromText('POINT(9 9)', 4326)), ('none', NULL);
`
const other = `CREATE TABLE document (
  id INTEGER PRIMARY KEY,
  name TEXT,
  file TEXT CHECK (jsonschema('std.FileUpload', file)),
  files TEXT CHECK (jsonschema('std.FileUploads', files))
) STRICT;`

const config = `
server { enable_record_transactions: true }
databases: [{ name: "other" }]
schemas: [{ name: "tags" schema: "{\\"type\\": \\"array\\", \\"items\\": {\\"type\\": \\"string\\"}}" }]
record_apis: [{
  name: "messages" table_name: "message" enable_subscriptions: true autofill_missing_user_id_columns: true expand: ["room"]
  acl_authenticated: [CREATE, READ, UPDATE, DELETE]
  create_access_rule: "_REQ_.author = _USER_.id"
  update_access_rule: "_ROW_.author = _USER_.id"
  delete_access_rule: "_ROW_.author = _USER_.id"
}, {
  name: "rooms" table_name: "room" acl_world: [READ, SCHEMA] acl_authenticated: [CREATE, DELETE]
}, {
  name: "counters" table_name: "counter" conflict_resolution: REPLACE acl_authenticated: [CREATE, READ, UPDATE, DELETE] enable_subscriptions: true
}, {
  name: "places" table_name: "place" acl_world: [READ]
}, {
  name: "sizes" table_name: "room_size" acl_world: [READ]
}, {
  name: "documents" table_name: "other.document" acl_world: [CREATE, READ, DELETE] acl_authenticated: [CREATE, READ, UPDATE, DELETE]
}]
`

interface Message {
  readonly id?: string
  readonly room?: unknown
  readonly author?: string
  readonly text: string
  readonly number?: unknown
  readonly score?: number
  readonly tags?: readonly string[]
}

let depot: DepotServer
let ada: Client
let bob: Client
let nobody: Client
beforeAll(async () => {
  depot = await startDepotServer({ config, migrations: { main, other } })
  ada = initClient(depot.url)
  bob = initClient(depot.url)
  nobody = initClient(depot.url)
  await Promise.all([ada.login('ada@example.org', 'secret'), bob.login('bob@example.org', 'secret')])
})
afterAll(() => depot[Symbol.asyncDispose]())

const messages = (client: Client) => client.records<Message>('messages')

/** The status that a refused call had. */
async function statusOf(call: Promise<unknown>): Promise<number> {
  try {
    await call
    return 200
  } catch (error) {
    if (error instanceof FetchError) return error.status
    throw error
  }
}

describe('one record', () => {
  test('is created, read, changed and deleted', async () => {
    const api = messages(ada)
    const id = await api.create({ text: 'a?b&c d', room: 1, score: 1.5, tags: ['x', 'ü'] })
    expect(urlSafeBase64Decode(String(id))).toHaveLength(16)
    expect(await api.read(id)).toMatchObject({ id, author: ada.user()?.id, room: { id: 1 }, text: 'a?b&c d', number: null, score: 1.5, tags: ['x', 'ü'] })
    expect(await api.read(id)).not.toHaveProperty('_secret')
    await api.update(id, { text: 'changed', tags: [] })
    expect(await api.read(id)).toMatchObject({ text: 'changed', score: 1.5, tags: [] })
    await api.delete(id)
    expect(await statusOf(api.read(id))).toBe(404)
  })

  test('belongs to its author; others and nobody are refused', async () => {
    const id = await messages(ada).create({ text: 'mine' })
    expect(await statusOf(messages(bob).update(id, { text: 'yours' }))).toBe(403)
    expect(await statusOf(messages(bob).delete(id))).toBe(403)
    expect(await statusOf(messages(bob).create({ text: 'forged', ...(ada.user() ? { author: ada.user()?.id ?? '' } : {}) }))).toBe(403)
    expect(await statusOf(messages(nobody).read(id))).toBe(403)
    expect(await statusOf(messages(nobody).create({ text: 'anonymous' }))).toBe(403)
    expect(await messages(ada).read(id)).toMatchObject({ text: 'mine' })
  })

  test('keeps integers of 64 bits', async () => {
    const id = await messages(ada).create({ text: 'large', number: 9223372036854775807n })
    expect(await messages(ada).read(id)).toMatchObject({ number: 9223372036854775807n })
    await messages(ada).update(id, { number: -9007199254740993n })
    expect(await messages(ada).read(id)).toMatchObject({ number: -9007199254740993n })
  })

  test('errors have their status, and a reason', async () => {
    expect(await statusOf(ada.records('nothing').list())).toBe(405)
    expect(await statusOf(messages(ada).read('no id'))).toBe(400)
    expect(await statusOf(messages(ada).create({ text: 'x'.repeat(101) }))).toBe(400)
    expect(await statusOf(ada.fetch('/api/nothing'))).toBe(404)
    const error = await ada.records('rooms').create({ name: 'first' }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(FetchError)
    expect((error as FetchError).isClient()).toBe(true)
    expect(String(error)).toContain('unique')
  })
})

describe('many records', () => {
  const marker = 'listed'
  beforeAll(async () => {
    const ids = await messages(ada).createBulk(Array.from({ length: 12 }, (_, n) => ({ text: `${marker} ${n}`, room: 1 + (n % 2), number: n })))
    expect(new Set(ids).size).toBe(12)
  })
  const ours = { column: 'text', op: 'like', value: `${marker}%` } as const
  const numbers = (records: readonly Message[]) => records.map(record => Number(record.number))

  test('are filtered, ordered and counted', async () => {
    const api = messages(ada)
    const list = await api.list({ filters: [ours, { column: 'number', op: 'greaterThanEqual', value: '9' }], order: ['-number'], count: true })
    expect([list.total_count, numbers(list.records)]).toEqual([3, [11, 10, 9]])
    const either = { or: [{ column: 'number', value: '3' }, { and: [{ column: 'number', op: 'lessThan', value: '2' }, { column: 'room', op: 'notEqual', value: '2' }] }] } as const
    expect(numbers((await api.list({ filters: [ours, { or: [...either.or].map(each => ('and' in each ? { and: [...each.and] } : each)) }], order: ['number'] })).records)).toEqual([0, 3])
    expect(numbers((await api.list({ filters: [{ column: 'text', op: 'regexp', value: `^${marker} 1.$` }], order: ['number'] })).records)).toEqual([10, 11])
    expect((await api.list({ filters: [ours], pagination: { limit: 0 }, count: true })).total_count).toBe(12)
  })

  test('come in pages, by cursor and by offset', async () => {
    const api = messages(ada)
    const seen: number[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await api.list({ filters: [ours], pagination: { limit: 5, ...(cursor === undefined ? {} : { cursor }) } })
      seen.push(...numbers(page.records))
      if (page.records.length < 5) break
      cursor = page.cursor
      expect(cursor).toBeString()
    }
    expect(seen.toSorted((left, right) => left - right)).toEqual(Array.from({ length: 12 }, (_, n) => n))
    expect(numbers((await api.list({ filters: [ours], order: ['number'], pagination: { limit: 2, offset: 4 } })).records)).toEqual([4, 5])
  })

  test('bring along what they refer to', async () => {
    const { records } = await messages(ada).list({ filters: [ours], order: ['number'], pagination: { limit: 1 }, expand: ['room'] })
    expect(records[0]?.room).toEqual({ id: 1, data: { id: 1, name: 'first' } })
    expect(await statusOf(messages(ada).list({ expand: ['author'] }))).toBe(400)
  })

  test('are counted by a view', async () => {
    const { records } = await nobody.records<{ name: string; messages: number }>('sizes').list({ order: ['id'] })
    expect(records.map(({ name }) => name)).toEqual(['first', 'second'])
    expect(records[1]?.messages).toBe(6)
  })

  test('are features of a map', async () => {
    const all = await nobody.records('places').listGeoOp('geom', { order: ['id'] }).query()
    expect(all.type).toBe('FeatureCollection')
    expect(all.features.map(({ geometry }) => JSON.stringify(geometry))).toEqual(['{"type":"Point","coordinates":[1,1]}', '{"type":"Point","coordinates":[9,9]}', 'null'])
    const polygon = 'POLYGON((0 0, 0 5, 5 5, 5 0, 0 0))'
    const within = await nobody.records('places').listGeoOp('geom', { filters: [{ column: 'geom', op: '@within', value: polygon }] }).query()
    expect(within.features.map(({ properties }) => properties?.name)).toEqual(['in'])
  })
})

describe('several operations at once', () => {
  test('in one transaction, or none', async () => {
    const counters = ada.records<{ name: string; n?: number }>('counters')
    const ids = await ada.execute([counters.createOp({ name: 'a', n: 1 }), counters.createOp({ name: 'b' }), counters.updateOp('a', { n: 2 }), counters.deleteOp('b')])
    expect(ids).toEqual(['a', 'b'])
    expect(await counters.read('a')).toMatchObject({ n: 2 })
    expect(await statusOf(counters.read('b'))).toBe(404)
    const failing = [counters.createOp({ name: 'c' }), ada.records('rooms').createOp({ name: 'first' })]
    expect(await statusOf(ada.execute(failing))).toBe(400)
    expect(await statusOf(counters.read('c'))).toBe(404)
  })

  test('a create of what is there replaces it where the API says so', async () => {
    const counters = ada.records<{ name: string; n?: number }>('counters')
    await counters.create({ name: 'again', n: 5 })
    expect(await counters.create({ name: 'again' })).toBe('again')
    expect(await counters.read('again')).toMatchObject({ n: 0 })
  })
})

describe('files', () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 31) % 256)
  const upload = (filename: string, data: Uint8Array) => ({ name: 'part', filename, content_type: 'application/octet-stream', data: data.toBase64() })

  test('are stored in another database, downloaded, and gone with their record', async () => {
    const api = nobody.records<Record<string, unknown>>('documents')
    const id = await api.create({ name: 'd', file: upload('one.bin', bytes), files: [upload('two.bin', bytes.slice(1)), upload('three.bin', bytes.slice(2))] })
    const record = await api.read(id)
    const file = record.file as FileUpload
    expect(file).toMatchObject({ content_type: 'application/octet-stream' })
    expect(file).not.toHaveProperty('id')
    const download = async (path: string) => new Uint8Array(await (await nobody.fetch(path)).arrayBuffer())
    expect(await download(filePath('documents', id, 'file'))).toEqual(bytes)
    const names = (record.files as readonly FileUpload[]).map(each => each.filename ?? '')
    expect(await download(filesPath('documents', id, 'files', names[1] ?? ''))).toEqual(bytes.slice(2))
    expect(await statusOf(nobody.fetch(filesPath('documents', id, 'files', 'unknown.bin')))).toBe(404)
    await api.delete(id)
    expect(await statusOf(nobody.fetch(filePath('documents', id, 'file')))).toBe(404)
  })
})

describe('subscriptions', () => {
  /** The next `count` events. */
  async function next(events: ReadableStream<ChangeEvent>, count: number): Promise<string[]> {
    const seen: string[] = []
    for await (const event of events) {
      const [kind = '', record] = Object.entries(event).find(([name]) => name !== 'seq' && name !== 'pos' && name !== 'txn') ?? []
      seen.push(`${kind} ${(record as { text?: string }).text}`)
      if (seen.length === count) break
    }
    return seen
  }

  test('to a record, to all, and with a filter', async () => {
    const api = messages(ada)
    const id = await api.create({ text: 'before' })
    const one = await api.subscribe(id)
    const all = await messages(bob).subscribeAll()
    const some = await api.subscribeAll({ filters: [{ column: 'text', op: 'like', value: '%wanted%' }] })
    const seen = Promise.all([next(one, 3), next(all, 5), next(some, 2)])
    await api.update(id, { text: 'changed' })
    const another = await api.create({ text: 'wanted' })
    await api.update(id, { text: 'is wanted' })
    await api.delete(another)
    await api.delete(id)
    expect(await seen).toEqual([
      ['Update changed', 'Update is wanted', 'Delete is wanted'],
      ['Update changed', 'Insert wanted', 'Update is wanted', 'Delete wanted', 'Delete is wanted'],
      ['Insert wanted', 'Update is wanted'],
    ])
  })

  test('are refused to those who may not read, and where the API has none', async () => {
    expect(await statusOf(messages(nobody).subscribeAll())).toBe(403)
    expect(await statusOf(ada.records('rooms').subscribeAll())).toBe(403)
  })
})

describe('sign-in', () => {
  test('a wrong password, refreshing, and logging out', async () => {
    const client = initClient(depot.url)
    expect(await statusOf(client.login('ada@example.org', 'wrong'))).toBe(401)
    await client.login('ada@example.org', 'secret')
    expect(client.user()).toMatchObject({ email: 'ada@example.org' })
    await client.refreshAuthToken({ force: true })
    expect((await messages(client).list({ pagination: { limit: 1 } })).records).toHaveLength(1)
    expect(await client.logout()).toBe(true)
    expect(client.tokens()).toBeUndefined()
    expect(await statusOf(messages(client).list())).toBe(403)
  })
})

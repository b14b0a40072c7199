/** Records with what they bring along: parents, children, two steps, each row guarded by the rule of its own API, and no query per record. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Refusal } from '../../../src/lib/errors.ts'
import { anonymous } from '../../../src/lib/principal.ts'
import { QueryScene, userWith } from './query-scene.ts'

const alice = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

const scene = new QueryScene(
  `
  CREATE TABLE org (id INTEGER PRIMARY KEY, name TEXT, _plan TEXT DEFAULT 'hidden-plan') STRICT;
  CREATE TABLE person (id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, name TEXT, salary TEXT DEFAULT 'excluded-salary', org INTEGER REFERENCES org(id), owner BLOB) STRICT;
  CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT) STRICT;
  CREATE TABLE message (id INTEGER PRIMARY KEY, room INTEGER NOT NULL REFERENCES room(id), author TEXT REFERENCES person(id), body TEXT NOT NULL, public INTEGER NOT NULL DEFAULT 1) STRICT;
  CREATE INDEX message_room ON message (room);
  INSERT INTO org (id, name) VALUES (1, 'Org');
  INSERT INTO person (id, name, org, owner) VALUES ('ann', 'Ann', 1, x'01000000000000000000000000000000'), ('Bob', 'Bob', NULL, NULL);
  INSERT INTO room VALUES (1, 'first'), (2, 'second'), (3, 'empty');
  INSERT INTO message VALUES (1, 1, 'ann', 'm1', 1), (2, 1, 'BOB', 'm2', 0), (3, 2, NULL, 'm3', 1), (4, 1, 'ANN', 'm4', 1);
`,
  { name: 'orgs', tableName: 'org', aclWorld: ['read'] },
  { name: 'people', tableName: 'person', aclWorld: ['read'], excludedColumns: ['salary'], readAccessRule: '_ROW_.owner IS NULL OR _ROW_.owner = _USER_.id', expand: ['org@orgs'] },
  { name: 'open', tableName: 'message', aclWorld: ['read'], expand: ['room'] },
  { name: 'messages', tableName: 'message', aclWorld: ['read'], readAccessRule: '_ROW_.public OR _USER_.id IS NOT NULL', expand: ['author@people', 'author.org@orgs'] },
  { name: 'rooms', tableName: 'room', aclWorld: ['read'], expand: ['messages:message.room@messages', 'messages.author@people'] },
)
afterAll(() => scene[Symbol.dispose]())

const list = (api: string, query: string, principal = userWith(alice)) => scene.list(api, query, principal).records

describe('a foreign key that can be expanded', () => {
  test('is an object always, null stays null', () => {
    expect(list('open', 'filter[id]=3')).toEqual([{ id: 3, room: { id: 2 }, author: null, body: 'm3', public: 1 }])
    expect(list('messages', 'filter[id]=2')[0]?.['author']).toEqual({ id: 'BOB' })
  })

  test('has its row when asked, found as SQLite compares keys', () => {
    const [message] = list('messages', 'filter[id]=4&expand=author&fields=id')
    expect(message).toEqual({ id: 4, author: { id: 'ANN', data: { id: 'ann', name: 'Ann', org: { id: 1 }, owner: 'AQAAAAAAAAAAAAAAAAAAAA==' } } })
  })

  test('has no row that the rule of its API hides', () => {
    expect(list('messages', 'order=id&expand=author', anonymous).map(record => record['author'])).toEqual([{ id: 'ann' }, null, { id: 'ANN' }])
    expect(list('messages', 'filter[id]=2&expand=author')[0]?.['author']).toEqual({ id: 'BOB', data: { id: 'Bob', name: 'Bob', org: null, owner: null } })
  })

  test('goes two steps', () => {
    expect(list('messages', 'filter[id]=1&expand=author.org')[0]?.['author']).toMatchObject({ data: { org: { id: 1, data: { id: 1, name: 'Org' } } } })
    expect(list('messages', 'filter[id]=1&expand=author')[0]?.['author']).toMatchObject({ data: { org: { id: 1 } } })
  })
})

describe('records that point here', () => {
  test('come as an array, the newest first, each by the rule of its API', () => {
    const bodies = (principal = userWith(alice)) =>
      list('rooms', 'order=id&expand=messages', principal).map(record => (record['messages'] as { body: string }[]).map(({ body }) => body))
    expect(bodies()).toEqual([['m4', 'm2', 'm1'], ['m3'], []])
    expect(bodies(anonymous)).toEqual([['m4', 'm1'], ['m3'], []])
  })

  test('bring their own parents', () => {
    const [room] = list('rooms', 'filter[id]=1&expand=messages.author')
    expect((room?.['messages'] as { author: unknown }[]).map(({ author }) => author)).toMatchObject([{ data: { name: 'Ann' } }, { data: { name: 'Bob' } }, { data: { name: 'Ann' } }])
  })

  test('are bounded for each record', () => {
    using large = new QueryScene(
      `CREATE TABLE room (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE message (id INTEGER PRIMARY KEY, room INTEGER REFERENCES room(id)) STRICT;
       CREATE INDEX by_room ON message (room); INSERT INTO room VALUES (1), (2);
       INSERT INTO message WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 1 + (i > 250) FROM n`,
      { name: 'rooms', tableName: 'room', expand: ['messages:message.room@messages'] },
      { name: 'messages', tableName: 'message', aclWorld: ['read'] },
    )
    const rooms = large.list('rooms', 'order=id&expand=messages').records.map(record => (record['messages'] as { id: number }[]).map(({ id }) => id))
    expect(rooms.map(ids => [ids.length, ids[0], ids.at(-1)])).toEqual([[100, 250, 151], [50, 300, 251]])
    // And for the page: more is refused, never left out.
    large.db.run('INSERT INTO room WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 150) SELECT i FROM n')
    large.db.run('INSERT INTO message (room) SELECT room.id FROM room, (SELECT id FROM message LIMIT 100)')
    expect(large.list('rooms', 'expand=messages&limit=100').records).toHaveLength(100)
    expect(() => large.list('rooms', 'expand=messages&limit=101')).toThrow(/query_too_costly/)
  })
})

test('a page and all it brings along are one statement', () => {
  scene.ran.length = 0
  list('rooms', 'expand=messages,messages.author&count=true')
  expect(scene.ran).toHaveLength(2)
})

test('what is not listed in the configuration cannot be expanded', () => {
  for (const [api, expand] of [['open', 'author'], ['messages', 'room'], ['messages', 'author.owner'], ['messages', 'author.org.x'], ['rooms', 'messages.room'], ['rooms', 'name'], ['open', '_x']]) {
    expect(() => list(api ?? '', `expand=${expand}`)).toThrow(Refusal)
  }
})

test('hidden and excluded columns of other relations do not come along', () => {
  for (const [api, expand] of [['messages', 'author,author.org'], ['rooms', 'messages.author']]) {
    expect(scene.text(api ?? '', `expand=${expand}`)).not.toMatch(/hidden-plan|excluded-salary/)
  }
})

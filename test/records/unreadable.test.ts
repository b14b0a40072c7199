/**
 * What a caller may not read makes no difference to any answer: two depots differ only in records of somebody else, and every request of the caller is answered
 * alike by both (field.md B15). That some key is taken is all that can be learned, by creating it.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { operators } from '../../src/records/query/filter-tree.ts'
import { json, startRecordServer, type RecordServer } from '../support/record-server.ts'

const id = (user: string) => `x'${new Bun.CryptoHasher('md5').update(user).digest('hex')}'`
const point = (x: number) => `ST_GeomFromText('POINT(${x} ${x})', 4326)`
const note = (key: number, owner: string, text: string, n: string, parent = 'NULL') => `INSERT INTO note (id, owner, text, n, place, parent) VALUES (${key}, ${id(owner)}, '${text}', ${n}, ${point(key)}, ${parent});`

const table = `CREATE TABLE note (id INTEGER PRIMARY KEY, owner BLOB, text TEXT, n INTEGER, place BLOB CHECK (ST_IsValid(place)), parent INTEGER REFERENCES note(id)) STRICT;
CREATE VIEW note_view AS SELECT id, owner, text, n FROM note;
CREATE INDEX note_text ON note (text);`
const mine = [10, 20, 30, 40].map((key, i) => note(key, 'alice', `mine ${i}`, String(i), i === 0 ? 'NULL' : '10')).join('\n')
const few = [note(2, 'bob', 'a', '1'), note(25, 'bob', 'mine 1', '2')].join('\n')
/** Sums overflow over these, patterns are slow, orders differ, children are many. */
const many = Array.from({ length: 60 }, (_, i) => note(101 + i, 'bob', i % 2 === 0 ? 'a'.repeat(3000) : `mine ${i}`, '9223372036854775807', '10')).join('\n')

const guarded = { aclWorld: ['read', 'create', 'update', 'delete'], readAccessRule: '_ROW_.owner = _USER_.id', updateAccessRule: '_ROW_.owner = _USER_.id', deleteAccessRule: '_ROW_.owner = _USER_.id' } as const
const apis = [
  { name: 'notes', tableName: 'note', ...guarded, expand: ['parent@notes', 'replies:note.parent@notes', 'replies.parent@notes'] },
  { name: 'views', tableName: 'note_view', aclWorld: ['read'], readAccessRule: guarded.readAccessRule },
] as const

let servers: readonly RecordServer[] = []
beforeAll(async () => {
  // One after the other: a server brings its threads.
  for (const others of [few, many]) servers = [...servers, await startRecordServer({ sql: `${table}\n${mine}\n${others}`, apis: apis.map(api => ({ ...api })) })]
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})

const values: Readonly<Record<string, readonly string[]>> = { text: ['mine 1', 'a', '%25a%25', '^(a+)+$'], n: ['1', '9223372036854775807'], id: ['10', '25', '101'], place: ['POLYGON((0 0,0 200,200 200,200 0,0 0))'], parent: ['10', '25'] }
const filters = Object.entries(values).flatMap(([column, some]) => operators.flatMap(operator => some.map(value => `filter[${column}][${operator}]=${operator === '$is' ? 'NULL' : value}`)))
const lists = [
  '', 'count=true', 'limit=1', 'limit=2&count=true', 'offset=1', 'order=-n,text', 'order=text', 'limit=0&count=true',
  'aggregate=count,sum(n),avg(n),min(n),max(n),distinct(text)', 'aggregate=count,max(text)&group=n&order=-count', 'aggregate=count&group=parent', 'geojson=place',
  'expand=parent', 'expand=replies', 'expand=replies.parent', 'fields=id,n', ...filters, ...filters.map(filter => `${filter}&aggregate=count,sum(n)`),
]

test('lists, pages and groups', async () => {
  let good = 0
  for (const query of lists.flatMap(each => [`/notes?${each}`, `/views?${each}`])) {
    const [one, other] = await Promise.all(servers.map(async server => {
      const answer = await server.as('alice')(query)
      if (answer.status === 200) good++
      return [answer.status, await answer.text()]
    }))
    expect([query, one]).toEqual([query, other])
  }
  // Refusals alone would prove nothing.
  expect(good).toBeGreaterThan(200)
})

test('single records, there or not', async () => {
  const requests = [2, 25, 101, 102, 999].flatMap((key): [string, RequestInit][] => [
    [`/notes/${key}`, {}],
    [`/notes/${key}?expand=parent,replies`, {}],
    [`/views/${key}`, {}],
    [`/notes/${key}`, json('PATCH', { text: 'x' })],
    [`/notes/${key}`, json('PATCH', { text: 'x' }, { 'If-Match': '"x"' })],
    [`/notes/${key}`, json('PATCH', { owner: 7 })],
    [`/notes/${key}`, { method: 'DELETE' }],
  ])
  for (const [path, init] of [...requests, ['/notes/10?expand=replies', {}], ['/notes/20?expand=parent', {}]] as const) {
    const [one, other] = await Promise.all(servers.map(async server => {
      const answer = await server.as('alice')(path, init)
      return [answer.status, await answer.text(), answer.headers.get('etag')]
    }))
    expect([path, init, one]).toEqual([path, init, other])
  }
})

/** What an adversarial review of the record APIs found: input that blocked the server, ended as its failure, or was stored as something else. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rowTag } from '../../src/storage/row-tag.ts'
import { json, startRecordServer, type RecordServer } from '../support/record-server.ts'

let server: RecordServer
beforeAll(async () => {
  server = await startRecordServer({
    sql: `CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT, size REAL, data TEXT CHECK (jsonschema_matches('{}', data)), shape BLOB CHECK (ST_IsValid(shape)), any ANY) STRICT;
      CREATE TABLE word (id TEXT PRIMARY KEY, text TEXT) STRICT;
      CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT, parent INTEGER REFERENCES doc(id), file TEXT CHECK (jsonschema('std.FileUpload', file))) STRICT;
      CREATE TABLE label (id INTEGER PRIMARY KEY, text TEXT) STRICT;
      INSERT INTO label (text) VALUES ('a'), ('b');
      INSERT INTO doc (id, body, parent) VALUES (1, 'no json', NULL), (2, '{}', 1);
      CREATE TABLE box (id INTEGER PRIMARY KEY, text TEXT, open INTEGER NOT NULL DEFAULT 0) STRICT;
      INSERT INTO box VALUES (1, 'secret', 0), (2, 'known', 1);
      CREATE TABLE source (id INTEGER PRIMARY KEY, text TEXT) STRICT;
      CREATE TABLE derived (id INTEGER PRIMARY KEY) STRICT;
      CREATE TRIGGER derive AFTER INSERT ON source BEGIN INSERT INTO derived (id) VALUES (NEW.text); END;`,
    apis: [
      { name: 'things', tableName: 'thing', aclWorld: ['create', 'read', 'update'] },
      { name: 'words', tableName: 'word', aclWorld: ['create', 'read'] },
      {
        name: 'docs', // its rule scans a table, so a reader thread judges it
        tableName: 'doc',
        aclWorld: ['read'],
        readAccessRule: "(SELECT count(*) FROM label WHERE text = json_extract(_ROW_.body, '$.a')) >= 0",
        enableSubscriptions: true,
      },
      { name: 'made', tableName: 'doc', aclWorld: ['create'] },
      { name: 'guard', tableName: 'doc', aclWorld: ['read'], readAccessRule: "json_extract(_ROW_.body, '$.a') IS NULL" },
      { name: 'open', tableName: 'doc', aclWorld: ['read'], expand: ['parent@guard'] },
      { name: 'boxes', tableName: 'box', aclWorld: ['read', 'update', 'delete'], readAccessRule: '_ROW_.open = 1' },
      { name: 'drop', tableName: 'box', aclWorld: ['update'] },
      { name: 'put', tableName: 'box', aclWorld: ['create', 'read'], conflictResolution: 'replace', updateAccessRule: "_ROW_.open = 1 AND _REQ_.text <> 'no'" },
      { name: 'sources', tableName: 'source', aclWorld: ['create'] },
    ],
  })
})
afterAll(() => server[Symbol.asyncDispose]())

const get = (path: string) => server.as(null)(path)
const create = (api: string, body: unknown) => server.as(null)(`/${api}`, json('POST', body))
const form = (body: string) => server.as(null)('/things', { method: 'POST', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })

describe('a form', () => {
  // 400 KB of it held the server up for 38 seconds: each repeated field copied all before it.
  test('with very many fields is refused at once', async () => {
    const startedAt = performance.now()
    expect((await form('a=1&'.repeat(200_000))).status).toBe(400)
    expect((await form(Array.from({ length: 200_000 }, (_, i) => `a${i}=1`).join('&'))).status).toBe(400)
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })

  test('may repeat a field, and have fields that no column has', async () => {
    expect((await form(`${'a=1&'.repeat(1000)}text=x`)).status).toBe(200)
  })
})

describe('numbers that no double holds', () => {
  test('are refused for REAL and inside of JSON, instead of stored as infinity or null', async () => {
    for (const body of [`{"size": ${'9'.repeat(400)}}`, '{"size": 1e400}', '{"data": {"a": 1e400}}', '{"data": [-1e400]}']) {
      expect({ body: body.slice(0, 20), status: (await create('things', body)).status }).toEqual({ body: body.slice(0, 20), status: 400 })
    }
  })

  // A million digits took a quarter of a second each.
  test('do not take long', async () => {
    const startedAt = performance.now()
    expect((await create('things', `{"other": [${Array(20).fill('9'.repeat(300_000)).join()}]}`)).status).toBe(400)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})

test('half of a surrogate pair is refused, instead of stored as another character', async () => {
  expect((await create('words', '{"id": "\\ud800"}')).status).toBe(400)
  expect((await create('words', '{"id": "x", "text": "a\\udc00"}')).status).toBe(400)
  expect((await create('things', '{"any": "a\\udc00"}')).status).toBe(400)
  expect(await (await create('words', '{"id": "\\ud83d\\ude00"}')).json()).toMatchObject({ ids: ['😀'] })
})

test('what is no geometry is told so', async () => {
  for (const shape of [5, {}, { type: 'Point', coordinates: ['x', 1] }, { type: 'Polygon', coordinates: [[[0, 0], [1, 1]]] }, nested(100)]) {
    const answer = await create('things', { shape })
    expect({ status: answer.status, text: await answer.text() }).toEqual({ status: 400, text: expect.stringContaining('"shape"') })
  }
})

test('a trigger that finds a value unfit refuses the record', async () => {
  expect((await create('sources', { text: 'abc' })).status).toBe(400)
})

describe('a rule that ends in an error denies', () => {
  test.each(['/docs/1', '/docs/1?fields=id', '/docs', '/docs/1/file/file', '/docs/subscribe/*?follow=snapshot', '/open/2?expand=parent', '/open?expand=parent'])('%s', async path => {
    const answer = await get(path)
    expect({ path, status: answer.status }).toEqual({ path, status: 403 })
    await answer.body?.cancel()
  })
})

describe('If-Match', () => {
  const change = (api: string, id: number, tag: string) => server.as(null)(`/${api}/${id}`, json('PATCH', {}, { 'If-Match': tag }))
  const tagOf = (values: readonly (bigint | string)[]) => `"${rowTag(values)}"`

  // Guesses of what is in a record could be tried out, many in one header, by who may write and not read.
  test('tells nothing of a record that the caller may not read', async () => {
    for (const tag of [tagOf([1n, 'secret', 0n]), tagOf([1n, 'wrong', 0n])]) {
      expect((await change('boxes', 1, tag)).status).toBe(403)
      expect((await change('drop', 1, tag)).status).toBe(403)
    }
  })

  test('binds the write of who may read', async () => {
    expect((await change('boxes', 2, tagOf([2n, 'known', 1n]))).status).toBe(200)
    expect((await change('boxes', 2, tagOf([2n, 'wrong', 1n]))).status).toBe(412)
    expect((await change('drop', 1, '*')).status).toBe(200)
  })
})

describe('a create that replaces', () => {
  test('takes the rule for updates where there is a record', async () => {
    expect((await create('put', { id: 1, text: 'mine' })).status).toBe(403)
    expect((await create('put', { id: 2, text: 'no' })).status).toBe(403)
    expect((await create('put', [{ id: 2, text: 'known', open: 1 }, { id: 1, text: 'mine' }])).status).toBe(403)
    expect((await create('put', { id: 2, text: 'known', open: 1 })).status).toBe(200)
    expect((await create('put', { id: 3, text: 'no' })).status).toBe(200)
    expect((await create('put', { text: 'new' })).status).toBe(200)
    expect(await (await get('/put/1')).json()).toMatchObject({ text: 'secret' })
  })
})

describe('a batch with an Idempotency-Key', () => {
  const send = async (transaction: boolean) => {
    const operations = [{ Create: { api_name: 'words', value: { id: 'once' } } }, { Create: { api_name: 'things', value: {} } }, { Update: { api_name: 'things', record_id: '1', value: { text: 'x' } } }]
    return await fetch(`${server.url}/api/transaction/v1/execute`, json('POST', { operations, transaction }, { 'Idempotency-Key': 'batch' }))
  }

  // It was ignored: a retry wrote everything again.
  test('is written once', async () => {
    await create('things', { id: 1 })
    const [first, second] = [await send(true), await send(true)]
    expect([first.status, second.status]).toEqual([200, 200])
    expect([first.headers.get('idempotency-replayed'), second.headers.get('idempotency-replayed')]).toEqual([null, 'true'])
    const answer = await first.json()
    expect(answer).toMatchObject({ results: [{ Id: 'once' }, { Id: expect.any(String) }, { Id: '1' }] })
    expect(await second.json()).toEqual(answer)
  })

  test('has to be atomic', async () => {
    expect((await send(false)).status).toBe(400)
  })
})

test('a change that a slow rule cannot be judged for is denied, and nobody hears of a loss', async () => {
  const signal = AbortSignal.timeout(4000)
  const answer = await server.as(null)('/docs/subscribe/*', { signal })
  await create('made', { body: 'no json either' })
  await create('made', { id: 77, body: '{}' })
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk)
    if (text.includes('"id":77')) break
  }
  expect(text).not.toContain('Error')
})

/** Collections within each other. */
function nested(depth: number): unknown {
  return depth === 0 ? { type: 'Point', coordinates: [0, 0] } : { type: 'GeometryCollection', geometries: [nested(depth - 1)] }
}

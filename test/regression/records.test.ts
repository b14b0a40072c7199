/** Faults of record APIs that were found by proofs, each as the shortest request that showed it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { json, startRecordServer, type RecordServer } from '../support/record-server.ts'

let server: RecordServer
beforeAll(async () => {
  server = await startRecordServer({
    sql: `CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT) STRICT;
      CREATE TABLE other (id INTEGER PRIMARY KEY, text TEXT) STRICT;
      INSERT INTO entry (id) VALUES (1234); INSERT INTO other (id) VALUES (1234);`,
    apis: [
      { name: 'entries', tableName: 'entry', aclWorld: ['create', 'read'] },
      { name: 'ignoring', tableName: 'other', aclWorld: ['create'], conflictResolution: 'ignore' },
    ],
  })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('a replayed create names the ids that the first one named', () => {
  const twice = async (api: string, body: unknown, key: string) => {
    const send = async () => (await server.as(null)(`/${api}`, json('POST', body, { 'Idempotency-Key': key }))).json()
    return [await send(), await send()]
  }

  // Found by the crash harness: of an id of several digits only the first one was given.
  test('of one record and of many', async () => {
    const [one, again] = await twice('entries', { text: 'x' }, 'one')
    expect(one).toMatchObject({ ids: ['1235'] })
    expect(again).toEqual(one)
    const [many, repeated] = await twice('entries', [{ text: 'x' }, { text: 'y' }, { text: 'z' }], 'many')
    expect(many).toMatchObject({ ids: ['1236', '1237', '1238'] })
    expect(repeated).toEqual(many)
  })

  test('of records of which some were there already', async () => {
    const [some, again] = await twice('ignoring', [{ text: 'x' }, { id: 1234 }, { text: 'y' }, { id: 4321 }], 'some')
    expect(some).toMatchObject({ ids: ['1235', '1234', '1236', '4321'] })
    expect(again).toEqual(some)
  })
})

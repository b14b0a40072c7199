/** Many subscribers at a time: each gets every event it may see, once and in order, and what they share is judged once. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { SubscriptionReader } from '../../support/event-stream.ts'
import { json, startRecordServer } from '../../support/record-server.ts'

setDefaultTimeout(60_000)

const subscribers = 800
const events = 50
const rooms = 8

test(`${subscribers} subscribers, ${events} events each, with a rule that reads another table and a filter`, async () => {
  await using server = await startRecordServer({
    sql: `CREATE TABLE member (user BLOB, room INTEGER, PRIMARY KEY (user, room)) STRICT;
          CREATE TABLE message (id INTEGER PRIMARY KEY, room INTEGER NOT NULL, text TEXT NOT NULL) STRICT;`,
    apis: [{ name: 'message', tableName: 'message', aclAuthenticated: ['create', 'read'], enableSubscriptions: true, readAccessRule: 'EXISTS (SELECT 1 FROM member WHERE user = _USER_.id AND room = _ROW_.room)' }],
  })
  const members = Array.from({ length: 20 }, (_, i) => `(x'${server.idOf(`user${i}`).toHex()}', ${i % rooms})`)
  await server.records.store.exclusive('main', [{ sql: `INSERT INTO member VALUES ${members.join(', ')}`, params: [] }])
  const { readNow } = server.records.store
  let judged = 0
  server.records.store.readNow = (database, sql, params) => {
    if (sql.includes('"_ROW_"') || sql.includes('_ROW_')) judged++
    return readNow.call(server.records.store, database, sql, params)
  }
  const readers = await Promise.all(
    Array.from({ length: subscribers }, (_, i) => SubscriptionReader.open(server.url, `/message/subscribe/*?filter[text]=${i % 2 === 0 ? 'even' : 'odd'}`, { user: `user${i % 20}` })),
  )
  expect(server.records.subscriptions.count).toBe(subscribers)
  const total = rooms * events * 2
  const create = server.as('user0')
  for (let i = 0; i < total; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => create('/message', json('POST', { id: i + j, room: (i + j) % rooms, text: Math.floor((i + j) / rooms) % 2 === 0 ? 'even' : 'odd' }))))
  }
  for (const [i, reader] of readers.entries()) {
    const room = (i % 20) % rooms
    expect(await reader.until(() => reader.events.length >= events, 20_000)).toBe(true)
    expect(reader.events.map(({ seq }) => seq)).toEqual(Array.from({ length: events }, (_, n) => n + 1))
    expect(reader.events.every(event => event.Insert?.['room'] === room && event.Insert['text'] === (i % 2 === 0 ? 'even' : 'odd'))).toBe(true)
    expect(new Set(reader.events.map(event => event.Insert?.['id'])).size).toBe(events)
  }
  // A rule for each of 20 users, a filter for each of 2 texts, whatever the number of subscribers.
  expect(judged).toBeLessThanOrEqual(total * 22)
  expect(server.records.subscriptions.figures).toMatchObject({ events: subscribers * events, losses: 0 })
  for (const reader of readers) reader[Symbol.dispose]()
}, 60_000)

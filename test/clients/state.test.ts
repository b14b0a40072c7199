/** The published `@durable-streams/state`: MaterializedState and StreamDB, fed by a real server. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { DurableStream, stream } from '@durable-streams/client'
import { createStateSchema, MaterializedState, type ChangeEvent } from '@durable-streams/state'
import { createStreamDB } from '@durable-streams/state/db'
import { startServer, type Server } from '../support/server.ts'

interface User {
  readonly id: string
  readonly name: string
}

setDefaultTimeout(60_000)

let server: Server
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.close()
})

const waitMsMax = 10_000

const userSchema = {
  '~standard': { version: 1 as const, vendor: 'headwater-test', validate: (value: unknown) => asUser(value) },
}
const schema = createStateSchema({ users: { schema: userSchema, type: 'user', primaryKey: 'id' } })

test('MaterializedState rebuilt from the stream equals the state that was written', async () => {
  const url = `${server.base}/state/materialized`
  const handle = await DurableStream.create({ url, contentType: 'application/json' })
  await handle.append(JSON.stringify(schema.users.insert({ value: { id: '1', name: 'Ada' } })))
  await handle.append(JSON.stringify(schema.users.insert({ value: { id: '2', name: 'Bea' } })))
  await handle.append(JSON.stringify(schema.users.update({ value: { id: '1', name: 'Ada L.' } })))
  await handle.append(JSON.stringify(schema.users.delete({ key: '2' })))
  const state = new MaterializedState()
  for (const event of await (await stream<ChangeEvent>({ url, live: false })).json()) state.apply(event)
  expect(state.get<User>('user', '1')).toEqual({ id: '1', name: 'Ada L.' })
  expect(state.get<User>('user', '2')).toBeUndefined()
})

for (const live of ['sse', 'long-poll'] as const) {
  test(`StreamDB over ${live} loads, follows and confirms transactions`, async () => {
    const url = `${server.base}/state/db-${live}`
    const handle = await DurableStream.create({ url, contentType: 'application/json' })
    await handle.append(JSON.stringify(schema.users.insert({ value: { id: '1', name: 'Ada' } })))
    const db = createStreamDB({ streamOptions: { url, contentType: 'application/json' }, live, state: schema })
    try {
      await db.preload()
      expect(db.collections.users.get('1')?.name).toBe('Ada')
      const txid = 'transaction-1'
      await handle.append(JSON.stringify(schema.users.update({ value: { id: '1', name: 'Ada L.' }, headers: { txid } })))
      await db.utils.awaitTxId(txid, waitMsMax)
      expect(db.collections.users.get('1')?.name).toBe('Ada L.')
      await handle.append(JSON.stringify(schema.users.delete({ key: '1', headers: { txid: 'transaction-2' } })))
      await db.utils.awaitTxId('transaction-2', waitMsMax)
      expect(db.collections.users.has('1')).toBe(false)
    } finally {
      db.close()
    }
  })
}

function asUser(value: unknown): { value: User } | { issues: { message: string }[] } {
  if (typeof value === 'object' && value !== null && 'id' in value && 'name' in value) {
    return { value: { id: String(value.id), name: String(value.name) } }
  }
  return { issues: [{ message: 'a user has an id and a name' }] }
}

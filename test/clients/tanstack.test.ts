/** The published `@tanstack/trailbase-db-collection`, unmodified, over a real server: what two collections show of one table, through inserts, updates, deletes and a restart. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { dirname } from 'node:path'
import { trailBaseCollectionOptions, type TrailBaseCollectionConfig } from '@tanstack/trailbase-db-collection'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'
import { eventually } from '../support/scene.ts'

// Starting a server may build it first.
setDefaultTimeout(60_000)

interface Todo {
  readonly id: number
  readonly text: string
  readonly done: boolean
}

/** As the table has it. */
interface TodoRecord {
  readonly id: number
  readonly text: string
  readonly done: number
}

/** What this test uses of a collection. */
interface TodoCollection {
  readonly toArray: readonly Todo[]
  preload(): Promise<void>
  cleanup(): Promise<void>
  insert(todo: Todo): { readonly isPersisted: { readonly promise: Promise<unknown> } }
  update(id: number, change: (draft: { text: string; done: boolean }) => void): { readonly isPersisted: { readonly promise: Promise<unknown> } }
  delete(id: number): { readonly isPersisted: { readonly promise: Promise<unknown> } }
}

type TodoConfig = TrailBaseCollectionConfig<Todo, TodoRecord, number>

/** The `@tanstack/db` and the client that the package itself uses: other versions of them stand beside, for others. */
const packageDirectory = dirname(Bun.resolveSync('@tanstack/trailbase-db-collection', import.meta.dir))
const { createCollection } = (await import(Bun.resolveSync('@tanstack/db', packageDirectory))) as { createCollection: (options: object) => TodoCollection }

const { initClient } = (await import(Bun.resolveSync('trailbase', packageDirectory))) as { initClient: (url: string) => { records(name: string): TodoConfig['recordApi'] } }

const rows = 600

let depot: DepotServer
beforeAll(async () => {
  depot = await startDepotServer({
    config: `record_apis: [{ name: "todos" table_name: "todo" acl_world: [CREATE, READ, UPDATE, DELETE] enable_subscriptions: true }]`,
    migrations: {
      main: `CREATE TABLE todo (id INTEGER PRIMARY KEY, text TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0) STRICT;
        INSERT INTO todo (id, text) WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows}) SELECT n, 'todo ' || n FROM n;`,
    },
  })
})
afterAll(() => depot[Symbol.asyncDispose]())

function collectionOf(url: string): TodoCollection {
  return createCollection(
    trailBaseCollectionOptions<Todo, TodoRecord, number>({
      id: crypto.randomUUID(),
      recordApi: initClient(url).records('todos'),
      getKey: todo => todo.id,
      parse: { done: done => done !== 0 },
      serialize: { done: done => (done ? 1 : 0) },
    }),
  )
}

const find = (collection: TodoCollection, id: number) => collection.toArray.find(todo => todo.id === id)

test('collections load every page, show the changes of each other, and come back after a restart', async () => {
  const [mine, yours] = [collectionOf(depot.url), collectionOf(depot.url)]
  await Promise.all([mine.preload(), yours.preload()])
  expect([mine.toArray.length, yours.toArray.length]).toEqual([rows, rows])

  await mine.insert({ id: 1000, text: 'new', done: false }).isPersisted.promise
  await eventually('the insert at the other', () => find(yours, 1000)?.text === 'new')
  await yours.update(1000, draft => {
    draft.done = true
  }).isPersisted.promise
  await eventually('the update at the first', () => find(mine, 1000)?.done === true)
  await mine.delete(1).isPersisted.promise
  await eventually('the delete at the other', () => find(yours, 1) === undefined)

  // Killed, the package leaves the end of its event stream unhandled, which a test runner takes for a failure.
  expect(await depot.server.stop()).toBe(0)
  await expect(mine.insert({ id: 1001, text: 'lost', done: false }).isPersisted.promise).rejects.toThrow()
  expect(find(mine, 1001)).toBeUndefined()
  await depot.server.restart()
  await Promise.all([mine.cleanup(), yours.cleanup()])
  await Promise.all([mine.preload(), yours.preload()])
  expect(mine.toArray.length).toBe(rows)
  expect(find(mine, 1000)).toMatchObject({ text: 'new', done: true })
  await yours.insert({ id: 1002, text: 'after', done: false }).isPersisted.promise
  await eventually('the insert after the restart', () => find(mine, 1002)?.text === 'after')
  await Promise.all([mine.cleanup(), yours.cleanup()])
}, 30_000)

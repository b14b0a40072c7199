/** Whoever has no right gets nothing: every route of an API without ACLs, of one for users only, and of what is no API, asked by nobody (field.md B30). */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'

// Starting a server may build it first.
setDefaultTimeout(60_000)

const config = `
server { enable_record_transactions: true }
record_apis: [
  { name: "closed" table_name: "thing" enable_subscriptions: true expand: ["parent@users", "children:thing.parent@users"] },
  { name: "users" table_name: "thing" enable_subscriptions: true acl_authenticated: [CREATE, READ, UPDATE, DELETE, SCHEMA] },
  { name: "ruled" table_name: "thing" enable_subscriptions: true acl_world: [CREATE, READ, UPDATE, DELETE, SCHEMA]
    create_access_rule: "_USER_.id IS NOT NULL" read_access_rule: "_USER_.id IS NOT NULL" update_access_rule: "_USER_.id IS NOT NULL"
    delete_access_rule: "_USER_.id IS NOT NULL" schema_access_rule: "_USER_.id IS NOT NULL" }
]`

const main = `CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER REFERENCES thing(id), file TEXT CHECK (jsonschema('std.FileUpload', file))) STRICT;
INSERT INTO thing (id, name) VALUES (1, 'kept'), (2, 'kept');`

let depot: DepotServer
beforeAll(async () => {
  depot = await startDepotServer({ config, migrations: { main } })
})
afterAll(() => depot[Symbol.asyncDispose]())

interface Asked {
  readonly method: string
  readonly path: string
  readonly body?: object
}

/** Every route; records that exist and such that do not. */
const routesOf = (api: string): readonly Asked[] => {
  const root = `/api/records/v1/${api}`
  const ids = ['1', '999']
  const operation = (kind: string, rest: object) => ({ method: 'POST', path: '/api/transaction/v1/execute', body: { operations: [{ [kind]: { api_name: api, ...rest } }] } })
  return [
    ...['', '?count=true', '?aggregate=count', '?filter[name]=kept', '?expand=parent'].map(query => ({ method: 'GET', path: root + query })),
    ...['', '?mode=Select'].map(query => ({ method: 'GET', path: `${root}/schema${query}` })),
    ...ids.flatMap(id => [
      { method: 'GET', path: `${root}/${id}` },
      { method: 'HEAD', path: `${root}/${id}` },
      { method: 'PATCH', path: `${root}/${id}`, body: { name: 'changed' } },
      { method: 'DELETE', path: `${root}/${id}` },
      { method: 'GET', path: `${root}/${id}/file/file` },
      { method: 'GET', path: `${root}/subscribe/${id}` },
    ]),
    { method: 'GET', path: `${root}/subscribe/*?follow=snapshot` },
    { method: 'POST', path: root, body: { name: 'new' } },
    { method: 'POST', path: root, body: [{ name: 'new' }, { id: 1 }] },
    operation('Create', { value: { name: 'new' } }), operation('Update', { record_id: '1', value: { name: 'new' } }), operation('Delete', { record_id: '1' }),
  ]
}

async function ask({ method, path, body }: Asked): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(depot.url + path, { method, signal: AbortSignal.timeout(5000), ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) })
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true
  const text = isStream ? new TextDecoder().decode((await answer.body?.getReader().read())?.value) : await answer.text()
  return { status: answer.status, text }
}

describe('nobody', () => {
  test.each(['closed', 'users'])('gets 403 of every route of "%s", whether the record exists or not', async api => {
    for (const asked of routesOf(api)) expect([asked, (await ask(asked)).status]).toEqual([asked, 403])
  })

  test('gets no record where only rules stand in the way', async () => {
    for (const asked of routesOf('ruled')) {
      const { status, text } = await ask(asked)
      expect([asked, status]).toEqual([asked, expect.any(Number)])
      expect(text).not.toContain('kept')
      // A list and a subscription of nothing are no refusal.
      if (status === 200) expect(asked.path).toMatch(/^\/api\/records\/v1\/ruled(\?|$|\/subscribe\/\*)/)
      if (status === 200 && text.startsWith('{')) expect(text).toMatch(/^\{("total_count":0,)?"(records|groups)":\[(\{"count":0\})?\]\}$/)
      expect([asked, [200, 403].includes(status) || (status === 400 && asked.path.includes('expand'))]).toEqual([asked, true])
    }
  })

  test('reaches no table that is no API', async () => {
    for (const name of ['thing', '_user', '_session', 'main.thing', 'sqlite_master', 'main', '_changes', '']) {
      for (const asked of routesOf(name)) expect([asked, (await ask(asked)).status]).toEqual([asked, 405])
    }
  })

  test('changed nothing', async () => {
    const { Database } = await import('bun:sqlite')
    using db = new Database(`${depot.depot}/data/main.db`, { readonly: true })
    expect(db.query('SELECT id, name FROM thing').values()).toEqual([[1, 'kept'], [2, 'kept']])
  })
})

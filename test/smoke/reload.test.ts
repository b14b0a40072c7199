/** The configuration of a running process is read again: by SIGHUP, by the control API, and while requests come in. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startDepotServer, type DepotServer } from '../support/depot-server.ts'

setDefaultTimeout(30_000)

const table = 'CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, extra TEXT) STRICT;'
const api = (name: string) => `record_apis { name: "${name}" table_name: "notes" acl_world: [CREATE, READ, UPDATE, DELETE] }\n`
const appliedMsMax = 10_000

let running: DepotServer
beforeEach(async () => void (running = await startDepotServer({ config: api('notes'), migrations: { main: table } })))
afterEach(() => running[Symbol.asyncDispose]())

function configure(text: string): void {
  writeFileSync(join(running.depot, 'config.textproto'), text)
}

async function reload(): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch('http://control/control/config/reload', { method: 'POST', unix: join(running.depot, 'headwater.sock') })
  return { status: answer.status, body: await answer.json() }
}

async function statusOf(path: string): Promise<number> {
  const answer = await fetch(`${running.url}/api/records/v1/${path}`)
  await answer.arrayBuffer()
  return answer.status
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + appliedMsMax
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not so in time: ${what}\n${running.server.logs()}`)
    await Bun.sleep(10)
  }
}

test('SIGHUP: a new API and its migration are there; a bad file keeps the old and the log says why', async () => {
  mkdirSync(join(running.depot, 'migrations', 'main'), { recursive: true })
  writeFileSync(join(running.depot, 'migrations', 'main', 'U1790000001__more.sql'), 'CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;')
  configure(`${api('notes')}record_apis { name: "more" table_name: "more" acl_world: [READ] }\n`)
  expect(await statusOf('more')).not.toBe(200)
  process.kill(running.server.pid, 'SIGHUP')
  await until(async () => (await statusOf('more')) === 200, 'the API is served')
  expect(await statusOf('notes')).toBe(200)

  configure('record_apis { name: "absent" table_name: "no_such_table" acl_world: [READ] }\n')
  process.kill(running.server.pid, 'SIGHUP')
  await until(() => running.server.logs().includes('no_such_table'), 'the log names what is wrong')
  expect([await statusOf('more'), await statusOf('notes'), await statusOf('absent')]).toEqual([200, 200, await statusOf('unknown')])
  expect(running.server.alive).toBe(true)
})

test('POST /control/config/reload: says what holds, or why nothing changed', async () => {
  configure(api('notes') + api('again'))
  expect(await reload()).toMatchObject({ status: 200, body: { applied: ['record_apis'], needs_restart: [] } })
  expect(await statusOf('again')).toBe(200)

  configure(`${api('notes')}record_apis { name: "absent" table_name: "no_such_table" acl_world: [READ] }\n`)
  expect(await reload()).toMatchObject({ status: 422, body: { code: 'config_rejected', detail: expect.stringContaining('no_such_table') } })
  expect([await statusOf('again'), await statusOf('notes')]).toEqual([200, 200])

  configure('record_apis {')
  expect(await reload()).toMatchObject({ status: 422, body: { code: 'config_rejected' } })
  expect(await statusOf('again')).toBe(200)
})

test('a column is dropped below requests: nobody gets an error of ours, at most "try again"', async () => {
  const records = `${running.url}/api/records/v1/notes`
  const statuses = new Map<number, number>()
  let stopped = false
  const post = () => fetch(records, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"text":"a"}' })
  const asks = [post, () => fetch(`${records}?limit=5`), () => fetch(`${records}/1`), () => fetch(`${records}?filter[extra]=x`)]
  await (await post()).arrayBuffer()
  const asking = asks.map(async ask => {
    while (!stopped) {
      const answer = await ask()
      await answer.arrayBuffer()
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    }
  })
  const answered = () => [...statuses.values()].reduce((sum, count) => sum + count, 0)
  await until(() => answered() > 100, 'requests are answered')
  writeFileSync(join(running.depot, 'migrations', 'main', 'U1790000002__drop.sql'), 'ALTER TABLE notes DROP COLUMN extra;')
  expect((await reload()).status).toBe(200)
  const sofar = answered()
  await until(() => answered() > sofar + 100, 'requests are answered again')
  stopped = true
  await Promise.all(asking)
  expect([...statuses.keys()].filter(status => status >= 500 && status !== 503)).toEqual([])
  expect(statuses.get(200) ?? 0).toBeGreaterThan(100)
  expect(await (await fetch(`${records}/1`)).json()).toEqual({ id: 1, text: 'a' })
})

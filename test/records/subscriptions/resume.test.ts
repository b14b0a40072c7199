/** Subscribers that go and come back, are slow, ask for a snapshot, or lose their right: nothing is lost or told twice without a word. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Principal } from '../../../src/lib/principal.ts'
import { apiDefaults, type RecordApiConfig } from '../../../src/records/catalog/api-config.ts'
import { SubscriptionReader, type SubscriptionEvent, type SubscriptionOptions } from '../../support/event-stream.ts'
import { json, startRecordServer, type RecordServer, type RecordServerOptions } from '../../support/record-server.ts'
import { apis, sql } from './serving-scene.ts'

setDefaultTimeout(60_000)

type Api = Partial<RecordApiConfig> & Pick<RecordApiConfig, 'name' | 'tableName'>

const start = (more: Partial<RecordServerOptions> = {}) => startRecordServer({ sql, apis, ...more })
const open = (server: { readonly url: string }, path: string, options: SubscriptionOptions = {}) => SubscriptionReader.open(server.url, path, options)

async function run(server: RecordServer, text: string): Promise<void> {
  const outcome = await server.records.store.exclusive('main', [{ sql: text, params: [] }])
  if (!outcome.ok) throw new Error(JSON.stringify(outcome))
}

async function reconfigure(server: RecordServer, recordApis: readonly Api[]): Promise<void> {
  const config = { recordApis: recordApis.map(api => ({ ...apiDefaults, ...api })), databases: [], schemas: new Map() }
  const directories = { depot: server.directory, migrationsDir: join(server.directory, 'migrations') }
  await server.records.apply({ config, directories, queryMsMax: 2000, readersMax: 2, answersKeptMs: 86_400_000, retention: { ageMsMax: 1e9, bytesMax: 1e9 } })
}

const idOf = (event: SubscriptionEvent | undefined) => Number((event?.Insert ?? event?.Update ?? event?.Delete)?.['id'])
const insert = (from: number, to: number, text = "'x'") => `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) INSERT INTO item SELECT i, ${text} FROM n`

describe('resuming', () => {
  test('by since and by Last-Event-ID, in the middle of a transaction, with ids only then', async () => {
    await using server = await start()
    using first = await open(server, '/item/subscribe/*')
    await run(server, insert(1, 600))
    const seen = await first.take(600)
    expect(first.ids).toEqual([])
    const at = seen[299]?.pos
    using since = await open(server, `/item/subscribe/*?since=${at}`)
    const rest = await since.take(300)
    expect(rest.map(idOf)).toEqual(seen.slice(300).map(idOf))
    expect(rest.map(({ seq }) => seq)).toEqual(rest.map((_, i) => i + 1))
    expect(since.ids.at(-1)).toBe(String(rest.at(-1)?.pos))
    using header = await open(server, '/item/subscribe/*?since=1', { headers: { 'Last-Event-ID': String(seen[598]?.pos) } })
    expect((await header.take(1)).map(idOf)).toEqual([600])
    await run(server, insert(601, 601))
    expect((await header.take(1)).map(idOf)).toEqual([601])
    using ids = await open(server, '/item/subscribe/*?ids=true')
    await run(server, insert(602, 602))
    const [event] = await ids.take(1)
    expect(ids.body).toEndWith(`}\nid: ${event?.pos}\n\n`)
  })

  test('after the record was deleted; a filter holds for what is read back', async () => {
    await using server = await start()
    await run(server, insert(1, 10))
    const head = (await open(server, '/item/subscribe/5?follow=snapshot').then(reader => reader.take(2)))[1]?.pos
    await run(server, 'DELETE FROM item')
    using record = await open(server, `/item/subscribe/5?since=${head}`)
    expect((await record.take(1)).map(event => event.Delete?.['id'])).toEqual([5])
    using filtered = await open(server, `/item/subscribe/*?since=${head}&filter[id][$gt]=8`)
    expect((await filtered.take(2)).map(idOf)).toEqual([9, 10])
  })

  test('from a position that is not kept is told, and goes on from the horizon', async () => {
    await using server = await start()
    await run(server, insert(1, 10))
    await run(server, 'DELETE FROM _changes WHERE seq <= 5')
    using old = await open(server, '/item/subscribe/*?since=2')
    const [error, ...rest] = await old.take(7)
    expect(error).toEqual({ Error: { status: 4, message: 'Changes after this position are not kept any more', horizon: 5 }, seq: 1, pos: 5 })
    expect(rest.map(({ pos }) => pos)).toEqual([6, 7, 8, 9, 10, 11])
    using ahead = await open(server, '/item/subscribe/*?since=4711')
    expect(await ahead.take(1)).toMatchObject([{ Error: { status: 4, horizon: 11 }, pos: 11 }])
    await run(server, insert(20, 20))
    expect((await ahead.take(1)).map(idOf)).toEqual([20])
  })

  test('across kill -9: every acknowledged write exactly once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-resume-'))
    const got: number[] = []
    const acknowledged = new Set<number>()
    let pos: number | undefined
    try {
      for (let round = 0; round < 3; round++) {
        const child = Bun.spawn([process.execPath, join(import.meta.dir, 'serving-process.ts'), directory], { stdout: 'pipe', stderr: 'inherit' })
        const url = new TextDecoder().decode((await child.stdout.getReader().read()).value).trim()
        using reader = await open({ url }, `/item/subscribe/*${pos === undefined ? '' : `?since=${pos}`}`)
        const writers = Array.from({ length: 4 }, async (_, w) => {
          for (let i = 0; !reader.ended; i++) {
            const id = round * 1_000_000 + w * 100_000 + i
            const answer = await fetch(`${url}/api/records/v1/item`, json('POST', { id, text: 'x' })).catch(() => null)
            if (answer?.status === 200) acknowledged.add(id)
          }
        })
        await reader.until(() => reader.events.length > 100)
        child.kill('SIGKILL')
        await Promise.all(writers)
        await child.exited
        // The client takes what it has; a half event is none.
        for (const event of reader.events.splice(0, round === 0 ? 60 : undefined)) {
          got.push(idOf(event))
          pos = event.pos
        }
      }
      await using server = await start({ directory })
      using last = await open(server, `/item/subscribe/*?since=${pos}`)
      const kept = (await (await server.as(null)('/item?count=true&limit=1')).json()) as { total_count: number }
      await last.until(() => got.length + last.events.length >= kept.total_count)
      got.push(...last.events.map(idOf))
      expect(got.length).toBe(kept.total_count)
      expect(new Set(got).size).toBe(got.length)
      expect([...acknowledged].filter(id => !got.includes(id))).toEqual([])
      expect(last.events.every(event => event.Insert !== undefined)).toBe(true)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }, 30_000)
})

describe('snapshots', () => {
  test('what is there, its end, then what comes: nothing twice while others write', async () => {
    await using server = await start()
    await run(server, insert(1, 2000))
    let next = 2001
    let isWriting = true
    const writer = (async () => {
      while (isWriting) await server.as(null)('/item', json('POST', { id: next++, text: 'w' }))
    })()
    using reader = await open(server, '/item/subscribe/*?follow=snapshot')
    await reader.until(() => reader.events.some(event => event.Snapshot !== undefined && event.seq < reader.events.length - 20))
    isWriting = false
    await writer
    await reader.until(() => reader.events.length === next)
    const end = reader.events.findIndex(event => event.Snapshot !== undefined)
    expect(reader.events[end]?.Snapshot?.count).toBe(end)
    const ids = reader.events.filter(event => event.Insert !== undefined).map(idOf)
    expect(ids).toEqual(Array.from({ length: next - 1 }, (_, i) => i + 1))
    expect(reader.events.map(({ seq }) => seq)).toEqual(reader.events.map((_, i) => i + 1))
    expect(reader.events.slice(0, end).every(({ pos }) => pos === undefined)).toBe(true)
    using again = await open(server, `/item/subscribe/*?follow=snapshot`, { headers: { 'Last-Event-ID': String(reader.events[end]?.pos) } })
    const follow = await again.take(next - 1 - end)
    expect(follow.map(idOf)).toEqual(ids.slice(end))
  })

  test('filtered, by rule, of one record, and not too large', async () => {
    await using server = await start({ apis: [{ ...apis[0], readAccessRule: "_ROW_.text <> 'no'" }], subscriptions: { snapshotRecordsMax: 5 } })
    await run(server, "INSERT INTO item VALUES (1, 'a'), (2, 'no'), (3, 'b'), (4, 'a')")
    using some = await open(server, '/item/subscribe/*?follow=snapshot&filter[text][$in]=a,no')
    expect(await some.take(3)).toMatchObject([{ Insert: { id: 1 } }, { Insert: { id: 4 } }, { Snapshot: { count: 2 }, seq: 3 }])
    using one = await open(server, '/item/subscribe/3?follow=snapshot')
    expect(await one.take(2)).toMatchObject([{ Insert: { id: 3, text: 'b' } }, { Snapshot: { count: 1 } }])
    await run(server, insert(10, 20))
    using large = await open(server, '/item/subscribe/*?follow=snapshot')
    expect(large.status).toBe(422)
  })

  test('with no more text than may be gathered', async () => {
    await using server = await start({ subscriptions: { snapshotCharsMax: 1000 } })
    await run(server, 'INSERT INTO item VALUES (1, hex(zeroblob(250))), (2, hex(zeroblob(250)))')
    using most = await open(server, '/item/subscribe/*?follow=snapshot')
    expect(await most.take(3)).toMatchObject([{ Insert: { id: 1 } }, { Insert: { id: 2 } }, { Snapshot: { count: 2 } }])
    await run(server, "INSERT INTO item VALUES (3, 'x')")
    using large = await open(server, '/item/subscribe/*?follow=snapshot')
    expect(large.status).toBe(422)
  })
})

describe('slow subscribers', () => {
  const big = 'hex(randomblob(10000))'

  test('read from the log what they did not take, in order, and are live again', async () => {
    await using server = await start({ subscriptions: { queuedEventsMax: 8 } })
    using slow = await open(server, '/item/subscribe/*')
    using quick = await open(server, '/item/subscribe/*')
    slow.pause()
    for (let i = 0; i < 40; i++) await run(server, insert(i * 25 + 1, i * 25 + 25, big))
    expect((await quick.take(1000)).map(idOf)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1))
    slow.resume()
    const events = await slow.take(1000)
    expect(events.map(idOf)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1))
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
    await run(server, insert(2000, 2000))
    expect((await slow.take(1)).map(idOf)).toEqual([2000])
    expect(server.records.subscriptions.figures.losses).toBe(0)
  })

  test('whose changes are not kept hear of one loss, and then of all that follows', async () => {
    await using server = await start({ subscriptions: { queuedEventsMax: 8 } })
    using slow = await open(server, '/item/subscribe/*')
    slow.pause()
    for (let i = 0; i < 40; i++) await run(server, insert(i * 25 + 1, i * 25 + 25, big))
    await run(server, 'DELETE FROM _changes WHERE seq <= (SELECT max(seq) - 100 FROM _changes)')
    slow.resume()
    await slow.until(() => slow.events.some(event => idOf(event) === 1000))
    const events = slow.events.splice(0)
    const loss = events.findIndex(event => event.Error !== undefined)
    expect(events[loss]?.Error).toEqual({ status: 2, message: null })
    expect(events.filter(event => event.Error !== undefined).length).toBe(1)
    expect(events.slice(loss + 1).map(idOf)).toEqual(Array.from({ length: 100 }, (_, i) => 901 + i))
    expect(events[loss]?.pos).toBe((events[loss + 1]?.pos ?? 0) - 1)
    await run(server, insert(2000, 2003))
    expect((await slow.take(4)).map(idOf)).toEqual([2000, 2001, 2002, 2003])
  })

  test('that take nothing for too long are cut off', async () => {
    await using server = await start({ subscriptions: { queuedEventsMax: 8, stalledMsMax: 600 } })
    using slow = await open(server, '/item/subscribe/*')
    slow.pause()
    for (let i = 0; i < 40; i++) await run(server, insert(i * 25 + 1, i * 25 + 25, big))
    for (let i = 0; i < 200 && server.records.subscriptions.count > 0; i++) await Bun.sleep(100)
    expect(server.records.subscriptions.count).toBe(0)
  })
})

describe('the end of a right', () => {
  test('rules, ACLs and APIs that change while somebody listens', async () => {
    await using server = await start()
    const [api] = apis
    using table = await open(server, '/item/subscribe/*')
    using filtered = await open(server, '/item/subscribe/*?filter[text]=x')
    await run(server, insert(1, 1))
    await reconfigure(server, [{ ...api, readAccessRule: '_ROW_.id > 2' }])
    await run(server, insert(2, 3))
    expect((await table.take(2)).map(idOf)).toEqual([1, 3])
    expect((await filtered.take(2)).map(idOf)).toEqual([1, 3])
    await reconfigure(server, [{ ...api, excludedColumns: ['text'] }])
    expect(await filtered.take(1)).toMatchObject([{ Error: { status: 1 } }])
    expect(await filtered.until(() => filtered.ended)).toBe(true)
    await run(server, insert(4, 4))
    const [without] = await table.take(1)
    expect(without?.Insert).toEqual({ id: 4 })
    await reconfigure(server, [{ ...api, aclWorld: [], aclAuthenticated: ['read'] }])
    expect(await table.take(1)).toMatchObject([{ Error: { status: 1, message: 'Access denied' }, seq: 4 }])
    expect(await table.until(() => table.ended)).toBe(true)
    using user = await open(server, '/item/subscribe/*', { user: 'alice' })
    await reconfigure(server, [{ ...api, enableSubscriptions: false }])
    expect(await user.take(1)).toMatchObject([{ Error: { status: 1 } }])
    expect(await user.until(() => user.ended)).toBe(true)
    expect(server.records.subscriptions.count).toBe(0)
  })

  test('a migration after which the configuration does not fit: followers hear of a loss, and of what comes', async () => {
    await using server = await start({ apis: [{ ...apis[0], excludedColumns: ['text'] }] })
    using reader = await open(server, '/item/subscribe/*')
    await run(server, insert(1, 1))
    writeFileSync(join(server.directory, 'migrations', 'main', 'U1900000000__drop.sql'), 'ALTER TABLE item DROP COLUMN text; INSERT INTO item VALUES (2);')
    const refused = await reconfigure(server, [{ ...apis[0], excludedColumns: ['text'] }]).then(() => '', String)
    expect(refused).toContain('text')
    await reader.until(() => reader.events.length === 2)
    await run(server, 'INSERT INTO item VALUES (3)')
    expect(await reader.take(3)).toMatchObject([{ Insert: { id: 1 } }, { Error: { status: 2 } }, { Insert: { id: 3 }, seq: 3 }])
  })

  test('a credential that ends or is withdrawn ends the stream', async () => {
    await using server = await start()
    const api = server.records.api('item')
    if (api === undefined) throw new Error('there is an API')
    let revoked = false
    const ended: string[] = []
    const listen = (name: string, more: { expiresAtMs: number | null; isRevoked?: () => boolean }) => {
      const principal: Principal = { kind: 'user', subject: name, issuer: 't', claims: {}, ...more }
      const command = { id: null, filter: null, withIds: false, from: { kind: 'now' } } as const
      const body = server.records.subscriptions.subscribe({ api, principal, command, ended: () => void ended.push(name) })
      if (body instanceof Promise) throw new Error('it begins at once')
      return body.getReader()
    }
    listen('expired', { expiresAtMs: Date.now() + 300 })
    listen('revoked', { expiresAtMs: null, isRevoked: () => revoked })
    await Bun.sleep(1200)
    expect(ended).toEqual(['expired'])
    revoked = true
    await Bun.sleep(700)
    expect(ended).toEqual(['expired', 'revoked'])
  })

  test('there are so many subscriptions and no more', async () => {
    await using server = await start({ subscriptions: { subscriptionsMax: 2 } })
    using one = await open(server, '/item/subscribe/*')
    using two = await open(server, '/item/subscribe/*')
    expect([one.status, two.status]).toEqual([200, 200])
    expect((await open(server, '/item/subscribe/*')).status).toBe(503)
    one[Symbol.dispose]()
    for (let i = 0; i < 1000 && server.records.subscriptions.count > 1; i++) await Bun.sleep(20)
    expect((await open(server, '/item/subscribe/*')).status).toBe(200)
  })

  test('a quiet connection is kept alive', async () => {
    await using server = await start({ subscriptions: { keepAliveMs: 100 } })
    using reader = await open(server, '/item/subscribe/*')
    using ids = await open(server, '/item/subscribe/*?ids=true')
    expect(await reader.until(() => reader.body.startsWith(': ping\n\n:\n\n'))).toBe(true)
    expect(await ids.until(() => /^: ping\n\n:\nid: \d+\n\n/.test(ids.body))).toBe(true)
  })
})

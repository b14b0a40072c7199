/** The examples in a small form: their depots are made by their scripts, and a server shows what their pages promise. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initClient } from 'trailbase'
import { buildChinook } from '../../examples/chinook/build.ts'
import { buildMillion } from '../../examples/million/build.ts'
import { startServer, type Server } from '../support/server.ts'

// Starting a server may build it first.
setDefaultTimeout(60_000)

const directory = mkdtempSync(join(tmpdir(), 'headwater-examples-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const row = (model: string, pk: number, fields: object) => ({ pk, model: `chinook.${model}`, fields })

/** Made-up rows in the form of the package. */
const fixture = JSON.stringify([
  row('artist', 1, { name: "The O'Tests" }),
  row('artist', 2, { name: null }),
  row('genre', 1, { name: 'Rock' }),
  row('genre', 2, { name: 'Jazz' }),
  row('mediatype', 1, { name: 'audio' }),
  row('album', 1, { artist: 1, title: 'Live at the Wall' }),
  row('album', 2, { artist: 1, title: 'Silence' }),
  ...[1, 2, 3, 4].map(n =>
    row('track', n, { album: n < 4 ? 1 : 2, name: n === 2 ? 'Über the wall' : `Take ${n}`, composer: null, genre: n < 3 ? 1 : 2, mediatype: 1, milliseconds: n * 1000, bytes: 12345, unit_price: 0.99 }),
  ),
  row('playlist', 1, { name: 'Best' }),
  row('playlisttrack', 1, { playlist: 1, track: 2 }),
  row('playlisttrack', 2, { playlist: 1, track: 4 }),
  row('employee', 1, { firstname: 'Ada', lastname: 'A', title: null, reports_to: null, email: 'ada@example.org' }),
  row('customer', 1, { firstname: 'Bo', lastname: 'B', company: null, city: 'X', country: 'Y', phone: '555', email: 'bo@example.org', support_rep: 1 }),
  row('invoice', 1, { customer: 1, invoicedate: '2010-01-02T00:00:00Z', billingcity: null, billingcountry: 'Y', total: 1.98 }),
  row('invoiceline', 1, { invoice: 1, track: 2, unit_price: 0.99, quantity: 2 }),
])

describe('chinook', () => {
  let server: Server
  beforeAll(async () => {
    const depot = join(directory, 'chinook')
    expect(buildChinook(depot, fixture)).toBe(18)
    server = await startServer({ depot, mode: 'memory' })
  })
  afterAll(() => server.close())

  const records = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${server.url}/api/records/v1/${path}`)
    expect([path, answer.status]).toEqual([path, 200])
    return await answer.json()
  }

  test('albums with their artist and tracks', async () => {
    expect(await records('albums?expand=artist,tracks&filter[title][$like]=%25Live%25')).toMatchObject({
      records: [{ id: 1, artist: { id: 1, data: { name: "The O'Tests" } }, tracks: [{ id: 3 }, { id: 2 }, { id: 1 }] }],
    })
  })

  test('groups, search, view, key of two columns', async () => {
    expect(await records('tracks?aggregate=count,avg(milliseconds)&group=genre&order=-count,genre')).toMatchObject({
      groups: [
        { genre: 1, count: 2, 'avg(milliseconds)': 1500 },
        { genre: 2, count: 2, 'avg(milliseconds)': 3500 },
      ],
    })
    expect(await records('search?match=wall')).toMatchObject({ records: [{ name: 'Über the wall' }] })
    expect(await records('album_summaries?order=-seconds')).toMatchObject({ records: [{ id: 1, tracks: 3, seconds: 6 }, { id: 2, tracks: 1, seconds: 4 }] })
    expect(await records('playlist_tracks/1,4?expand=track')).toMatchObject({ playlist: 1, track: { id: 4, data: { name: 'Take 4' } } })
  })

  test('customers are for administrators, without their telephone', async () => {
    const [, password = ''] = /password: (\S+)/.exec(server.logs()) ?? []
    const client = initClient(server.url)
    await client.login('admin@localhost', password)
    const { records } = await client.records<Record<string, unknown>>('customers').list({ expand: ['invoices'] })
    expect(records).toMatchObject([{ last_name: 'B', invoices: [{ total: 1.98 }] }])
    expect(records[0]).not.toHaveProperty('phone')
  })

  test('customers are not for everybody', async () => {
    for (const path of ['customers', 'customers/1', 'invoices?aggregate=count', 'tracks/1/nothing']) {
      expect((await fetch(`${server.url}/api/records/v1/${path}`)).status).toBe(path.endsWith('nothing') ? 404 : 403)
    }
  })
})

interface Message {
  readonly room: unknown
  readonly text: string
}

describe('million', () => {
  test('rows are made when the server starts, and are for members only', async () => {
    const depot = join(directory, 'million')
    buildMillion(depot, { messages: 300, password: "it's secret" })
    await using server = await startServer({ depot, mode: 'memory' })
    expect((await fetch(`${server.url}/api/records/v1/messages`)).status).toBe(403)
    const { Database } = await import('bun:sqlite')
    using db = new Database(join(depot, 'data/main.db'), { readonly: true })
    const counts = db.query('SELECT (SELECT count(*) FROM message), (SELECT count(DISTINCT room) FROM message), (SELECT count(*) FROM room_member)').values()
    expect(counts).toEqual([[300, 3, 9]])
    const client = initClient(server.url)
    await client.login('user0@example.org', "it's secret")
    const rooms = await client.records('rooms').list({ count: true })
    expect(rooms.total_count).toBe(3)
    const mine = await client.records<Message>('messages').list({ filters: [{ column: 'author', value: client.user()?.id ?? '' }], count: true, expand: ['room'] })
    expect(mine.total_count).toBe(100)
    expect(mine.records[0]).toMatchObject({ id: 298, room: { data: { name: 'Room 1' } } })
    const id = await client.records<Message>('messages').create({ room: rooms.records[0]?.id, text: 'more' })
    expect(id).toBe('301')
    // Whoever wrote is a member of the room.
    const strangers = db.query('SELECT count(*) FROM message AS x WHERE NOT EXISTS (SELECT 1 FROM room_member AS m WHERE m.room = x.room AND m.user = x.author)').values()
    expect(strangers).toEqual([[0]])
  })
})

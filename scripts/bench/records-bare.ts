/**
 * The limit of record APIs: a bare `Bun.serve` that runs the statements of a create and of a read by key on a depot, through the same group commit
 * and the same prepared select, and looks at no token, rule, header or body. Prints its URL.
 */
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { RecordStore } from '../../src/records/store/record-store.ts'

const depot = process.argv[2] ?? ''
const insert = 'INSERT INTO "main"."message" ("room", "author", "text") VALUES (?1, ?2, ?3) RETURNING "id"'
const select = 'SELECT "id", "room", "author", "text", "sent" FROM "main"."message" WHERE "id" = ?1'
const text = 'A message as people write them, a little longer than a line of a poem would be.'
const headers = { 'Content-Type': 'application/json' }

const store = await RecordStore.open({
  databases: [{ name: 'main', path: join(depot, 'data/main.db') }],
  attach: new Map(),
  functions: { schemas: new Map() },
  clock: systemClock,
  log: silentLog,
  fence: message => {
    console.error(message)
    process.exit(1)
  },
})
const [[room, user] = []] = store.readNow('main', 'SELECT room, user FROM room_member LIMIT 1', [])
if (room === undefined || user === undefined) throw new Error(`${depot} has no members`)

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    return request.method === 'POST' ? create(request) : read(request.url)
  },
})
console.log(`ready http://127.0.0.1:${server.port}`)

async function create(request: Request): Promise<Response> {
  await request.bytes()
  const result = await store.write('main', { steps: [{ kind: 'run', atLeast: 1, sql: insert, params: [room ?? null, user ?? null, text] }] })
  return result.ok ? new Response(`{"ids":["${result.rows[0]?.[0]?.[0]}"]}`, { headers }) : new Response(null, { status: 500 })
}

function read(url: string): Response {
  const [row] = store.readNow('main', select, [BigInt(url.slice(url.lastIndexOf('/') + 1))])
  if (row === undefined) return new Response(null, { status: 404 })
  const [id, roomId, author, message, sent] = row
  return new Response(`{"id":${id},"room":"${base64(roomId)}","author":"${base64(author)}","text":${JSON.stringify(message)},"sent":${sent}}`, { headers })
}

function base64(value: unknown): string {
  return value instanceof Uint8Array ? value.toBase64({ alphabet: 'base64url' }) : ''
}

/** Which addresses are streams, and which are the same stream. Sent raw: clients would tidy up what a server must bear. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ask, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

let server: Server

beforeAll(async () => {
  server = await startServer({ mode: 'memory' })
})
afterAll(async () => {
  await server.close()
})

async function create(name: string): Promise<{ status: number; code: string; location: string }> {
  using wire = await Wire.open(server.port)
  const answer = await wire.request('PUT', `/v1/stream/${name}`, { 'Content-Type': 'text/plain' })
  const problem = answer.status < 400 ? {} : (JSON.parse(answer.body.toString()) as { code?: string; error?: { code: string } })
  return { status: answer.status, code: problem.code ?? problem.error?.code ?? '', location: answer.headers.get('location') ?? '' }
}

/** Two spellings of one stream: the second finds what the first made. */
const same: readonly (readonly [string, string])[] = [
  ['one/two', 'one%2Ftwo'],
  ['one%2ftwo/3', 'one/two/3'],
  ['plain', '%70%6C%61%69%6e'],
  ['caf%C3%A9', 'café'],
  ['tilde~', 'tilde%7E'],
  ['semi;colon=1', 'semi%3Bcolon%3D1'],
  ['dot/../gone', 'gone'],
  ['query?x=1', 'query'],
]

test.each([...same])('%s and %s are one stream', async (first, second) => {
  expect((await create(first)).status).toBe(201)
  expect((await create(second)).status).toBe(200)
})

/** Names that look alike and are not the same. */
const different: readonly (readonly [string, string])[] = [
  ['nfc-%C3%A9', 'nfc-e%CC%81'],
  ['Case', 'case'],
  ['a%20b', 'a+b'],
  ['twice%252F', 'twice/x'],
  ['hash%23tag', 'hash'],
  ['mark%3Fx=1', 'mark'],
  ['back%5Cslash', 'back/slash'],
  ['deep/__ds', 'deep/__ds/x'],
  ['__dsx', '__d'],
  ['...', '..%2E.'],
]

test.each([...different])('%s and %s are two streams', async (first, second) => {
  expect((await create(first)).status).toBe(201)
  expect((await create(second)).status).toBe(201)
})

const refused: readonly string[] = [
  '', '/a', 'a//b', 'a/', 'a%2F', '%2Fa', 'a%2F%2Fb', 'a/%2e', 'a/.', 'a%2F..%2Fb', 'a%2F%2e%2E', 'hash#tag',
  'nul%00', 'line%0Afeed', 'cr%0D', 'del%7F', 'c1%C2%85', '%', '%4', '%zz', '%E9', '%C3%28', '%ED%A0%80', '%F5%80%80%80', '%C0%AF',
]

test.each([...refused])('"%s" is no name', async name => {
  expect(await create(name)).toMatchObject({ status: 400, code: 'invalid_stream_name' })
})

test('1024 bytes and 8 segments are allowed, one more of each is not', async () => {
  expect((await create('x'.repeat(1024))).status).toBe(201)
  expect((await create('%C3%A9'.repeat(512))).status).toBe(201)
  expect((await create('%F0%9D%84%9E'.repeat(256))).status).toBe(201)
  expect((await create('a/b/c/d/e/f/g/h')).status).toBe(201)
  expect((await create('a%2Fb/c/d/e/f/g/h/')).code).toBe('invalid_stream_name')
  for (const name of ['x'.repeat(1025), `${'%C3%A9'.repeat(512)}a`, `${'%F0%9D%84%9E'.repeat(256)}a`, 'a/b/c/d/e/f/g/h/i', 'a%2Fb%2Fc%2Fd%2Fe%2Ff%2Fg%2Fh%2Fi']) {
    expect(await create(name)).toMatchObject({ status: 400, code: 'invalid_stream_name' })
  }
})

test.each(['__ds', '__ds/x', '%5F%5Fds/x', '__ds%2Fx', '%5f%5f%64%73', '__ds/subscriptions', '__ds/jwks.json/x'])('%s is reserved', async name => {
  expect([404, 405]).toContain((await create(name)).status)
  expect((await ask(`${server.base}/${name}`, 'HEAD')).status).toBe(404)
})

test('a parent folder of the stream root is not reached, and nothing beside it is a stream', async () => {
  for (const path of ['/v1/stream/..', '/v1/stream/%2e%2e', '/v1/stream/../stream', '/v1/stream', '/V1/stream/x', '/v1/streams/x', '/v1/stream/../../metrics/x', '//v1/stream/x']) {
    using wire = await Wire.open(server.port)
    expect((await wire.request('PUT', path, { 'Content-Type': 'text/plain' })).status).toBe(404)
  }
})

test('Location leads back to the stream, whatever its name', async () => {
  for (const name of ['loc/a b', 'loc/ü', 'loc/%41', 'loc/q?x', 'loc/100%', 'loc/#1']) {
    const encoded = name.split('/').map(encodeURIComponent).join('/')
    const made = await fetch(`${server.base}/${encoded}`, { method: 'PUT', headers: textPlain, body: name })
    expect(made.status).toBe(201)
    expect(await (await fetch(made.headers.get('location') ?? '')).text()).toBe(name)
  }
})

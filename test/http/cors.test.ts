/** CORS: the plugin and the ready-made headers say the same, for every kind of setting; preflights need nothing. */
import { describe, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { allowedMethods, allowedRequestHeaders, corsPlugin, createCors, exposedResponseHeaders } from '../../src/http/cors.ts'
import { addMissingHeaders } from '../../src/http/headers.ts'
import { OperatorError } from '../../src/lib/errors.ts'

const a = 'https://a.example'
const settings = [{ origins: ['*'] }, { origins: [a, 'http://localhost:5173'] }, { origins: [] }]
const origins = [undefined, a, 'http://localhost:5173', 'https://evil.example', 'https://a.example.evil', 'null', 'constructor', 'a.example']

function asking(origin: string | undefined, method = 'GET'): Request {
  return new Request('http://localhost/v1/stream/a', { method, headers: origin === undefined ? {} : { Origin: origin } })
}

describe.each(settings)('origins %j', setting => {
  const cors = createCors(setting)
  const plugged = new Elysia().use(corsPlugin(setting)).get('/v1/stream/a', async () => new Response('x'))

  test.each(origins)('our headers are those of the plugin for origin %p', async origin => {
    const theirs = (await plugged.handle(asking(origin))).headers
    const ours = new Headers(cors.headers(asking(origin)).map(([name, value]): [string, string] => [name, value]))
    expect(ours.get('Access-Control-Allow-Origin')).toBe(theirs.get('Access-Control-Allow-Origin'))
    // Who may not read needs no list of what it could have read.
    if (ours.has('Access-Control-Allow-Origin')) {
      expect(ours.get('Access-Control-Expose-Headers')).toBe(theirs.get('Access-Control-Expose-Headers'))
    }
    expect(ours.get('Access-Control-Allow-Credentials')).toBe(theirs.get('Access-Control-Allow-Credentials'))
    // The plugin's `Vary: *` is the one thing we do not want.
    expect(ours.get('Vary')).toBe(setting.origins.includes('*') || setting.origins.length === 0 ? null : theirs.get('Vary'))
    expect(ours.get('X-Content-Type-Options')).toBe('nosniff')
    expect(ours.get('Cross-Origin-Resource-Policy')).toBe('cross-origin')
  })
})

describe('who may read', () => {
  const allowOrigin = (cors: ReturnType<typeof createCors>, origin?: string) =>
    cors.headers(asking(origin)).find(([name]) => name === 'Access-Control-Allow-Origin')?.[1]

  test('anybody with *', () => expect(allowOrigin(createCors({ origins: ['*'] }), 'https://x.example')).toBe('*'))
  test('the listed origins only', () => {
    const cors = createCors({ origins: [a] })
    expect(allowOrigin(cors, a)).toBe(a)
    expect(allowOrigin(cors, 'https://evil.example')).toBeUndefined()
    expect(allowOrigin(cors, 'constructor')).toBeUndefined()
  })
  test.each(['https://a.example/', 'a.example', 'https://A.example', '', 'https://a.example, https://b.example'])('%p is no origin', origin => {
    expect(() => createCors({ origins: [origin] })).toThrow(OperatorError)
  })
})

describe('preflight', () => {
  const preflight = (origins: readonly string[], origin: string) =>
    createCors({ origins }).preflight(
      new Request('http://hw/v1/stream/no/such?x=1', {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'if-none-match' },
      }),
    )
  const list = (answer: Response, name: string) => (answer.headers.get(name) ?? '').split(', ')

  test('allows every method and header of the protocol for a day', async () => {
    const answer = await preflight(['*'], a)
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(list(answer, 'Access-Control-Allow-Methods')).toEqual([...allowedMethods])
    expect(list(answer, 'Access-Control-Allow-Headers')).toEqual([...allowedRequestHeaders])
    expect(list(answer, 'Access-Control-Expose-Headers')).toEqual([...exposedResponseHeaders])
    expect(answer.headers.get('Access-Control-Max-Age')).toBe('86400')
    expect(answer.headers.get('Vary')).toBeNull()
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  })

  test('with a list, names the origin and varies by it', async () => {
    const mine = await preflight([a], a)
    expect(mine.headers.get('Access-Control-Allow-Origin')).toBe(a)
    expect(mine.headers.get('Vary')).toBe('Origin')
    const other = await preflight([a], 'https://evil.example')
    expect(other.headers.get('Access-Control-Allow-Origin')).toBeNull()
    expect(other.headers.get('Vary')).toBe('Origin')
  })
})

test('what browsers need for records is allowed and readable', () => {
  expect(allowedMethods).toEqual(expect.arrayContaining(['PATCH', 'DELETE']))
  expect(allowedRequestHeaders).toEqual(expect.arrayContaining(['Authorization', 'CSRF-Token', 'Refresh-Token', 'Idempotency-Key', 'If-Match', 'Last-Event-ID']))
  expect(exposedResponseHeaders).toEqual(expect.arrayContaining(['ETag', 'Headwater-Txn', 'Headwater-Error', 'Idempotency-Replayed', 'Content-Disposition']))
})

describe('for development', () => {
  const cors = createCors({ origins: [a], dev: true })
  const origin = 'http://localhost:5173'

  test('whoever asks may read, with credentials', () => {
    expect(new Map(cors.headers(asking(origin)))).toEqual(
      new Map([
        ['X-Content-Type-Options', 'nosniff'],
        ['Cross-Origin-Resource-Policy', 'cross-origin'],
        ['Vary', 'Origin'],
        ['Access-Control-Allow-Origin', origin],
        ['Access-Control-Allow-Credentials', 'true'],
        ['Access-Control-Expose-Headers', exposedResponseHeaders.join(', ')],
      ]),
    )
    expect(new Map(cors.headers(asking(undefined))).has('Access-Control-Allow-Origin')).toBe(false)
  })

  test('a preflight gets what it asks for', async () => {
    const headers = { Origin: origin, 'Access-Control-Request-Method': 'PROPFIND', 'Access-Control-Request-Headers': 'x-anything, csrf-token' }
    const answer = await cors.preflight(new Request('http://hw/api/records/v1/a/1', { method: 'OPTIONS', headers }))
    expect([answer.status, ...['Methods', 'Headers', 'Origin', 'Credentials'].map(name => answer.headers.get(`Access-Control-Allow-${name}`))]).toEqual([204, 'PROPFIND', 'x-anything, csrf-token', origin, 'true'])
    expect(answer.headers.get('Vary')).toContain('Origin')
  })
})

test('missing headers are added, present ones kept, Vary extended once', () => {
  const answer = new Response(null, { headers: { Vary: 'Accept-Encoding', 'X-Content-Type-Options': 'kept' } })
  const pairs = createCors({ origins: [a] }).headers(asking(a))
  addMissingHeaders(addMissingHeaders(answer, pairs), pairs)
  expect(answer.headers.get('Vary')).toBe('Accept-Encoding, Origin')
  expect(answer.headers.get('X-Content-Type-Options')).toBe('kept')
  expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(a)
})

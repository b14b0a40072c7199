/** What shared caches and browsers may keep, and how they ask again: entity tags, Cache-Control, cursors. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { ask, readPage, readPages, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

let server: Server

beforeAll(async () => {
  server = await startServer({ mode: 'memory', env: { DS_LIMITS__PAGE_BYTES: '1024', DS_TRANSPORT__CONNECTION__LONG_POLL_TIMEOUT_SECS: '0.3' } })
})
afterAll(async () => {
  await server.close()
})

async function conditional(url: string, ifNoneMatch: string, offset = '-1'): Promise<{ status: number; length: number; headers: Headers }> {
  const answer = await fetch(`${url}?offset=${offset}`, { headers: { 'if-none-match': ifNoneMatch } })
  return { status: answer.status, length: (await answer.arrayBuffer()).byteLength, headers: answer.headers }
}

test('a tag that fits is answered 304 without a body: alone, in a list, weak, or *', async () => {
  const url = `${server.base}/tags`
  await ask(url, 'PUT', textPlain, 'hello')
  const { etag, next } = await readPage(url, '-1')
  expect(etag).toMatch(/^"[^"]+"$/)
  for (const value of [etag, `W/${etag}`, `"other", ${etag}`, `${etag},"other"`, `"a",W/${etag} , "b"`, '*', ' * ']) {
    const found = await conditional(url, value)
    expect([value, found.status, found.length]).toEqual([value, 304, 0])
    expect(found.headers.get('etag')).toBe(etag)
    expect(found.headers.get('stream-next-offset')).toBe(next)
    expect(found.headers.get('stream-up-to-date')).toBe('true')
    expect(found.headers.get('cache-control')).toContain('max-age')
    expect(found.headers.get('access-control-allow-origin')).toBe('*')
  }
  for (const value of ['"other"', etag.slice(1, -1), `${etag.slice(0, -1)}x"`, 'W/"*"', '"*"', '']) expect((await conditional(url, value)).status).toBe(200)
})

test('the tag changes with every append, with the close, and when the name is given to a new stream', async () => {
  const url = `${server.base}/changes`
  const seen: string[] = []
  const note = async () => seen.push((await readPage(url, '-1')).etag)
  await ask(url, 'PUT', textPlain, 'same')
  await note()
  await ask(url, 'POST', textPlain, ' more')
  await note()
  await ask(url, 'POST', { 'stream-closed': 'true' })
  await note()
  await ask(url, 'DELETE')
  await ask(url, 'PUT', textPlain, 'same')
  await note()
  await ask(url, 'POST', textPlain, ' more')
  await note()
  await ask(url, 'POST', { 'stream-closed': 'true' })
  await note()
  expect(new Set(seen).size).toBe(6)
  for (const old of seen.slice(0, -1)) expect((await conditional(url, old)).status).toBe(200)
  expect((await conditional(url, seen.at(-1) ?? '')).status).toBe(304)
})

test('pages of one stream have different tags, and streams with the same bytes too', async () => {
  const tags: string[] = []
  for (const name of ['twins/a', 'twins/b']) {
    const url = `${server.base}/${name}`
    await ask(url, 'PUT', textPlain)
    for (let record = 0; record < 8; record++) await ask(url, 'POST', textPlain, 'x'.repeat(400))
    tags.push(...(await readPages(url)).map(page => page.etag))
  }
  expect(tags.length).toBeGreaterThan(6)
  expect(new Set(tags).size).toBe(tags.length)
})

test('what is never the same twice is not kept: writes, HEAD, now, waits that found nothing, errors', async () => {
  const url = `${server.base}/fresh`
  const kept: (string | null)[] = []
  const note = async (address: string, init: RequestInit) => {
    const answer = await fetch(address, init)
    await answer.arrayBuffer()
    kept.push(answer.headers.get('cache-control'))
  }
  await note(url, { method: 'PUT', headers: textPlain })
  await note(url, { method: 'HEAD' })
  await note(`${url}?offset=now`, {})
  await note(`${url}?offset=-1&live=long-poll`, {})
  await note(`${url}?offset=no`, {})
  await note(`${url}-not-there`, {})
  await note(url, { method: 'DELETE' })
  expect(kept).toEqual(kept.map(() => 'no-store'))
})

test('offset=now has no tag, and a condition on it is not looked at', async () => {
  const url = `${server.base}/now`
  await ask(url, 'PUT', textPlain, 'x')
  const answer = await fetch(`${url}?offset=now`, { headers: { 'if-none-match': '*' } })
  expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([200, null, ''])
})

test('an echoed cursor gets a greater one, so that a cache never meets the same address twice', async () => {
  const url = `${server.base}/cursor`
  await ask(url, 'PUT', textPlain)
  const { next } = await readPage(url, '-1')
  let cursor = ''
  for (let round = 0; round < 4; round++) {
    const answer = await fetch(`${url}?offset=${next}&live=long-poll${cursor === '' ? '' : `&cursor=${cursor}`}`)
    await answer.arrayBuffer()
    const sent = cursor
    cursor = answer.headers.get('stream-cursor') ?? ''
    expect(cursor).toMatch(/^\d+$/)
    if (sent !== '') expect(Number(cursor)).toBeGreaterThan(Number(sent))
  }
  for (const nonsense of ['x', '-1', '99999999999999999999999', '']) {
    const answer = await fetch(`${url}?offset=${next}&live=long-poll&cursor=${nonsense}`)
    expect(answer.status).toBe(204)
  }
})

test('HEAD says what GET would and has no body; other methods are told which there are', async () => {
  const url = `${server.base}/methods`
  await ask(url, 'PUT', { ...textPlain, 'stream-ttl': '60' }, 'abc')
  const found = await fetch(url, { method: 'HEAD' })
  expect(found.status).toBe(200)
  expect(Object.fromEntries(found.headers)).toMatchObject({ 'content-type': 'text/plain', 'stream-ttl': '60', 'stream-next-offset': (await readPage(url, '-1')).next })
  expect((await fetch(`${url}-not`, { method: 'HEAD' })).status).toBe(404)
  for (const method of ['PATCH', 'PROPFIND', 'TRACE']) {
    const answer = await fetch(url, { method })
    expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'GET, HEAD, POST, PUT, DELETE, OPTIONS'])
  }
  expect(await (await fetch(url)).text()).toBe('abc')
})

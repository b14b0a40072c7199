/** The public directory of a server over real sockets: what is served, what never is, caching, ranges, precompressed forms; and addresses that nothing serves. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, type Server } from '../support/server.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-public-'))
const root = join(directory, 'public')
let spa: Server
let plain: Server
let bare: Server

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), content)
}

beforeAll(async () => {
  write('index.html', '<p>top</p>')
  write('docs/index.html', '<p>docs</p>')
  write('docs/a b.txt', 'äöü')
  write('assets/index-B2xk91Qz.js', 'let a = 1')
  write('assets/index-B2xk91Qz.js.br', 'smaller')
  write('assets/index-B2xk91Qz.js.gz', 'small')
  write('old.css', 'new text')
  write('old.css.gz', 'of the old text')
  utimesSync(join(root, 'old.css.gz'), 1_000_000, 1_000_000)
  write('large.bin', new Uint8Array(3_000_000).map((_, index) => index % 251))
  write('.env', 'secret')
  write('api/records/v1/x', 'never')
  write('v1/x', 'never')
  write('_/admin/x', 'never')
  writeFileSync(join(directory, 'outside.txt'), 'secret')
  symlinkSync(join(directory, 'outside.txt'), join(root, 'link.txt'))
  symlinkSync(directory, join(root, 'up'))
  symlinkSync(join(root, 'index.html'), join(root, 'inside.html'))
  ;[spa, plain, bare] = await Promise.all([
    startServer({ mode: 'memory', args: ['--public-dir', root, '--spa'] }),
    startServer({ mode: 'memory', env: { PUBLIC_DIR: root } }),
    startServer({ mode: 'memory' }),
  ])
})

afterAll(async () => {
  await Promise.all([spa, plain, bare].map(server => server?.close()))
  rmSync(directory, { recursive: true, force: true })
})

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${plain.url}${path}`, { headers: { 'Accept-Encoding': 'identity', ...headers }, redirect: 'manual', method, decompress: false })

/** The answer to a request whose path no client would send as it is. */
function raw(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(plain.port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: hw\r\nConnection: close\r\n\r\n`))
    socket.on('data', data => (text += data.toString()))
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('files', () => {
  test('have type, tag, length and nosniff', async () => {
    const answer = await get('/docs/a%20b.txt')
    expect([answer.status, await answer.text()]).toEqual([200, 'äöü'])
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-type': 'text/plain;charset=utf-8', 'content-length': '6', 'x-content-type-options': 'nosniff', 'accept-ranges': 'bytes', 'cache-control': 'no-cache' })
    expect((await get('/docs/a%20b.txt', { 'If-None-Match': `"x", W/${answer.headers.get('etag')}` })).status).toBe(304)
    const head = await get('/docs/a%20b.txt', {}, 'HEAD')
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([200, '6', answer.headers.get('etag')])
  })

  test('of directories are their index.html, behind a slash', async () => {
    expect(await (await get('/')).text()).toBe('<p>top</p>')
    expect(await (await get('/docs/')).text()).toBe('<p>docs</p>')
    const redirect = await get('/docs?a=1')
    expect([redirect.status, redirect.headers.get('location')]).toEqual([307, '/docs/?a=1'])
    expect((await get('/assets/')).status).toBe(404)
    expect((await get('/assets')).status).toBe(404)
  })

  test('with a hash in the name never change; a page is asked for again', async () => {
    expect((await get('/assets/index-B2xk91Qz.js')).headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect((await get('/')).headers.get('cache-control')).toBe('no-cache')
  })

  test('go out in the smallest form that the client takes and that is not stale', async () => {
    const asked = async (path: string, encoding: string) => {
      const answer = await get(path, { 'Accept-Encoding': encoding })
      return [answer.headers.get('content-encoding'), answer.headers.get('content-type'), answer.headers.get('vary'), await answer.text()]
    }
    const type = 'text/javascript;charset=utf-8'
    expect(await asked('/assets/index-B2xk91Qz.js', 'gzip, br')).toEqual(['br', type, 'Accept-Encoding', 'smaller'])
    expect(await asked('/assets/index-B2xk91Qz.js', 'gzip;q=0.5, br;q=0')).toEqual(['gzip', type, 'Accept-Encoding', 'small'])
    expect(await asked('/assets/index-B2xk91Qz.js', 'zstd')).toEqual([null, type, 'Accept-Encoding', 'let a = 1'])
    expect(await asked('/old.css', 'gzip')).toEqual([null, 'text/css;charset=utf-8', 'Accept-Encoding', 'new text'])
    const tags = await Promise.all(['gzip', 'br', 'identity'].map(async each => (await get('/assets/index-B2xk91Qz.js', { 'Accept-Encoding': each })).headers.get('etag')))
    expect(new Set(tags).size).toBe(3)
  })

  test('are sent in ranges', async () => {
    const part = await get('/large.bin', { Range: 'bytes=2000000-2000009', 'Accept-Encoding': 'br' })
    expect([part.status, part.headers.get('content-range'), part.headers.get('content-length')]).toEqual([206, 'bytes 2000000-2000009/3000000', '10'])
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(new Uint8Array(10).map((_, index) => (2_000_000 + index) % 251))
    expect((await (await get('/large.bin', { Range: 'bytes=-5' })).arrayBuffer()).byteLength).toBe(5)
    const beyond = await get('/large.bin', { Range: 'bytes=3000000-' })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */3000000'])
    const tag = part.headers.get('etag') ?? ''
    expect((await get('/large.bin', { Range: 'bytes=0-1', 'If-Range': tag })).status).toBe(206)
    const whole = await get('/large.bin', { Range: 'bytes=0-1', 'If-Range': '"other"' })
    expect([whole.status, (await whole.arrayBuffer()).byteLength]).toEqual([200, 3_000_000])
    expect((await (await get('/large.bin')).arrayBuffer()).byteLength).toBe(3_000_000)
  })
})

describe('never served', () => {
  test.each(['/.env', '/link.txt', '/up/outside.txt', '/nothing.js', '/docs/a%2520b.txt', '/index.html/', '/index.html/x', `/${'a'.repeat(5000)}`])('%s', async path => {
    const answer = await get(path)
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([404, 'text/plain; charset=utf-8', 'Not found'])
  })

  test.each(['/../outside.txt', '/%2e%2e/outside.txt', '/..%2foutside.txt', '/docs/%2e%2e/%2e%2e/outside.txt', '/docs\\..\\..\\outside.txt', '//outside.txt', '/%00', '/%'])('%s as it is', async path => {
    const text = await raw(path)
    expect(text).toStartWith('HTTP/1.1 404 ')
    expect(text).not.toContain('secret')
  })

  test.each(['/api/records/v1/x', '/v1/x', '/_/admin/x', '/api/x'])('%s: it belongs to the server', async path => expect(await (await get(path)).text()).not.toContain('never'))

  test('to another method', async () => {
    const answer = await get('/index.html', {}, 'POST')
    expect([answer.status, await answer.text()]).toEqual([404, ''])
  })

  test('a link inside the directory leads where it leads', async () => expect(await (await get('/inside.html')).text()).toBe('<p>top</p>'))
})

test('an application that routes in the browser gets its page for paths without a suffix', async () => {
  const asked = async (path: string) => {
    const answer = await fetch(`${spa.url}${path}`, { redirect: 'manual' })
    return [answer.status, await answer.text()]
  }
  expect(await asked('/users/5')).toEqual([200, '<p>top</p>'])
  expect(await asked('/assets/')).toEqual([200, '<p>top</p>'])
  expect(await asked('/users/5.js')).toEqual([404, 'Not found'])
  expect(await asked('/api/users')).toEqual([404, ''])
})

test('without a directory the answer has no words; its reason phrase is the standard one', async () => {
  const answer = await fetch(`${bare.url}/nowhere`)
  expect([answer.status, answer.statusText, await answer.text()]).toEqual([404, 'Not Found', ''])
  expect((await fetch(`${bare.url}/api/nowhere`, { method: 'POST', body: 'x' })).status).toBe(404)
  const health = await fetch(`${bare.url}/api/healthcheck`)
  expect([health.status, health.headers.get('content-type'), await health.text()]).toEqual([200, 'text/plain; charset=utf-8', 'Ok'])
  const stream = await fetch(`${bare.base}/none`)
  expect([stream.status, stream.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
})

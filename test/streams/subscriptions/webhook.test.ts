/** One delivery: pinned address, no redirects, bounded answers, deadlines. */
import { afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { deliver, type DeliveryMeans, type DeliveryResult } from '../../../src/streams/subscriptions/webhook.ts'
import { FakeClock, until } from './fake-clock.ts'
import { accepted, done, Receiver, type Answer } from './receiver.ts'

const open: Receiver[] = []
afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.close()
})

function receiver(answer: Answer, tls?: { cert: string; key: string }): Receiver {
  const made = new Receiver(answer, tls)
  open.push(made)
  return made
}

const means: DeliveryMeans = { fetch: (url, init) => fetch(url, init), resolve: async () => ['127.0.0.1'], clock: systemClock, allowInsecure: true }

function send(url: string, changed: Partial<DeliveryMeans> = {}, signal = new AbortController().signal): Promise<DeliveryResult> {
  return deliver({ url, body: '{"a":1}', signature: 't=1,kid=k,ed25519=s' }, { ...means, ...changed }, signal)
}

describe('answers', () => {
  const table: readonly [string, Answer, DeliveryResult][] = [
    ['done', done, { kind: 'accepted', done: true }],
    ['202 without a body', accepted, { kind: 'accepted', done: false }],
    ['done: false', () => Response.json({ done: false }), { kind: 'accepted', done: false }],
    ['done: "true"', () => Response.json({ done: 'true' }), { kind: 'accepted', done: false }],
    ['200 with text', () => new Response('ok'), { kind: 'accepted', done: false }],
    ['500 that says done', () => Response.json({ done: true }, { status: 500 }), { kind: 'failed', reason: 'status 500' }],
    ['404', () => new Response(null, { status: 404 }), { kind: 'failed', reason: 'status 404' }],
    ['done after more than 64 KiB', () => new Response(`${' '.repeat(70_000)}{"done":true}`), { kind: 'accepted', done: false }],
  ]
  test.each(table)('%s', async (_name, answer, result) => {
    expect(await send(receiver(answer).url)).toEqual(result)
  })

  test('a redirect is a failure, and is not followed', async () => {
    const inside = receiver(done)
    for (const status of [301, 302, 303, 307, 308]) {
      const outside = receiver(() => new Response(null, { status, headers: { Location: inside.url } }))
      expect(await send(outside.url)).toEqual({ kind: 'failed', reason: `status ${status}` })
    }
    expect(inside.received).toHaveLength(0)
  })

  test('an endless answer is cut', async () => {
    let sent = 0
    const endless = receiver(() => {
      const stream = new ReadableStream({
        async pull(controller) {
          sent += 16_384
          controller.enqueue(new Uint8Array(16_384))
          await new Promise(resolve => setTimeout(resolve, 1))
        },
      })
      return new Response(stream)
    })
    expect(await send(endless.url)).toEqual({ kind: 'accepted', done: false })
    expect(sent).toBeLessThan(4 * 1024 * 1024)
  })

  test('nothing listens', async () => {
    const gone = receiver(done)
    await gone.close()
    expect((await send(gone.url)).kind).toBe('failed')
  })

  test('a silent receiver is given up after 30 s', async () => {
    const clock = new FakeClock()
    const silent = receiver(() => new Promise<Response>(() => {}))
    const result = send(silent.url, { clock })
    await until(() => silent.received.length === 1, 'the request arrives')
    await clock.advance(30_000)
    expect(await result).toEqual({ kind: 'failed', reason: 'no complete answer within 30000 ms' })
  })

  test('the caller can end it', async () => {
    const end = new AbortController()
    const silent = receiver(() => new Promise<Response>(() => {}))
    const result = send(silent.url, {}, end.signal)
    await until(() => silent.received.length === 1, 'the request arrives')
    end.abort()
    expect((await result).kind).toBe('failed')
  })

  test('a forbidden address is told apart', async () => {
    expect((await send('https://10.0.0.1/')).kind).toBe('refused')
    expect((await send('https://x.example/', { resolve: async () => Promise.reject(new Error('ENOTFOUND')) })).kind).toBe('failed')
  })

  test('the body arrives as it was signed', async () => {
    const plain = receiver(done)
    await send(plain.url)
    const { raw, signature, headers } = plain.last()
    expect([raw, signature, headers.get('Content-Type'), headers.get('Host')]).toEqual([
      '{"a":1}',
      't=1,kid=k,ed25519=s',
      'application/json',
      `127.0.0.1:${plain.port}`,
    ])
  })
})

describe('TLS to a pinned address', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-webhook-'))
  let tls = { cert: '', key: '' }
  beforeAll(async () => {
    const files = { cert: join(folder, 'c.pem'), key: join(folder, 'k.pem') }
    const form = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=hooks.example.com']
    const name = ['-addext', 'subjectAltName=DNS:hooks.example.com']
    const made = Bun.spawnSync(['openssl', 'req', ...form, ...name, '-keyout', files.key, '-out', files.cert])
    expect(made.exitCode).toBe(0)
    tls = { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
    rmSync(folder, { recursive: true })
  })

  /** Stands for the network: the public address of the test leads to this machine, and the test's certificate is trusted. */
  function routed(seen: string[]): DeliveryMeans['fetch'] {
    return (url, init) => {
      seen.push(url)
      const own = typeof init.tls === 'object' ? init.tls : {}
      return fetch(url.replace('93.184.215.14', '127.0.0.1'), { ...init, tls: { ...own, ca: tls.cert } })
    }
  }

  test('the connection goes to the address, the certificate is checked for the name', async () => {
    const hook = receiver(done, tls)
    const seen: string[] = []
    const resolve = async () => ['93.184.215.14']
    const secure = { fetch: routed(seen), resolve, allowInsecure: false }
    expect(await send(`https://hooks.example.com:${hook.port}/in`, secure)).toEqual({ kind: 'accepted', done: true })
    expect(seen).toEqual([`https://93.184.215.14:${hook.port}/in`])
    expect(hook.last().headers.get('Host')).toBe(`hooks.example.com:${hook.port}`)
  })

  test('another name at the same address is not accepted, even after a good connection', async () => {
    const hook = receiver(done, tls)
    const secure = { fetch: routed([]), resolve: async () => ['93.184.215.14'], allowInsecure: false }
    expect((await send(`https://hooks.example.com:${hook.port}/in`, secure)).kind).toBe('accepted')
    expect((await send(`https://other.example.com:${hook.port}/in`, secure)).kind).toBe('failed')
    expect(hook.received).toHaveLength(1)
  })
})

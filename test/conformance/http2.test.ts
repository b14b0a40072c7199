/** The fetch that drives the suite over TLS speaks HTTP/2 and nothing else, and our server answers it. */
import { expect, test } from 'bun:test'
import { connect } from 'node:http2'
import { loopbackCertificate } from '../support/certificate.ts'
import { startServer } from '../support/server.ts'

const http2: BunFetchRequestInit = { protocol: 'http2', tls: { ca: loopbackCertificate.ca } }

test('a server without HTTP/2 is refused, so an answered request was HTTP/2', async () => {
  const onlyHttp1 = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: Bun.file(loopbackCertificate.certPath), key: Bun.file(loopbackCertificate.keyPath) },
    fetch: () => new Response('http/1.1'),
  })
  const url = `https://127.0.0.1:${onlyHttp1.port}/`
  expect(await fetch(url, { tls: { ca: loopbackCertificate.ca } }).then(answer => answer.text())).toBe('http/1.1')
  const refused = await fetch(url, http2).then(answer => `answered ${answer.status}`, () => 'refused')
  expect(refused).toBe('refused')
  await onlyHttp1.stop(true)
})

test('Headwater answers HTTP/2, negotiated by ALPN, and HTTP/1.1 on the same port', async () => {
  await using server = await startServer({ mode: 'memory', tls: loopbackCertificate })
  const overHttp2 = await fetch(`${server.base}/h2`, { ...http2, method: 'PUT', headers: { 'content-type': 'text/plain' } })
  expect(overHttp2.status).toBe(201)
  expect(overHttp2.headers.get('location')).toBe(`${server.base}/h2`)
  const overHttp1 = await fetch(`${server.base}/h2`, { method: 'HEAD', tls: { ca: loopbackCertificate.ca } })
  expect(overHttp1.status).toBe(200)
  expect(await negotiatedProtocol(server.url)).toBe('h2')
})

async function negotiatedProtocol(url: string): Promise<string | undefined> {
  const session = connect(url, { ca: loopbackCertificate.ca })
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject)
      session.once('connect', () => resolve(session.alpnProtocol))
    })
  } finally {
    session.close()
  }
}

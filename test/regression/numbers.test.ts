/** B12 of the field survey: `Stream-TTL: 18446744073709551615` was a panic. Every number of the protocol at its borders. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

let server: Server
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.close()
})

const borders = [
  '',
  '0',
  '-0',
  '-1',
  '+1',
  '01',
  '1.5',
  '1e3',
  '0x10',
  'NaN',
  'Infinity',
  'abc',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '9'.repeat(400),
]
const text = { 'content-type': 'text/plain' }

test('the largest TTLs are accepted, kept and harmless', async () => {
  for (const ttl of ['9007199254740991', '18446744073709551615']) {
    const url = `${server.base}/numbers/ttl-${ttl}`
    expect((await fetch(url, { method: 'PUT', headers: { ...text, 'stream-ttl': ttl } })).status).toBe(201)
    expect((await fetch(url, { method: 'POST', headers: text, body: 'x' })).status).toBe(204)
    expect(await (await fetch(url)).text()).toBe('x')
    expect((await fetch(url, { method: 'HEAD' })).headers.get('stream-ttl')).toMatch(/^[1-9][0-9]*$/)
  }
})

for (const [method, header, more] of [
  ['PUT', 'stream-ttl', {}],
  ['PUT', 'stream-expires-at', {}],
  ['PUT', 'stream-fork-sub-offset', { 'stream-forked-from': '/v1/stream/numbers/source', 'stream-fork-offset': '0000000000000000_0000000000000000' }],
  ['PUT', 'stream-fork-offset', { 'stream-forked-from': '/v1/stream/numbers/source' }],
  ['POST', 'producer-epoch', { 'producer-id': 'p', 'producer-seq': '0' }],
  ['POST', 'producer-seq', { 'producer-id': 'p', 'producer-epoch': '0' }],
  ['POST', 'stream-seq', {}],
  ['POST', 'stream-closed', {}],
  ['POST', 'content-type', {}],
] as const) {
  test(`${method} with ${header} at every border is answered and never by a 5xx`, async () => {
    await fetch(`${server.base}/numbers/source`, { method: 'PUT', headers: text, body: 'source' })
    for (const [index, value] of borders.entries()) {
      const url = `${server.base}/numbers/${header}-${index}`
      if (method === 'POST') await fetch(url, { method: 'PUT', headers: text })
      const answer = await fetch(url, { method, headers: { ...text, ...more, [header]: value }, body: method === 'POST' ? 'x' : null })
      await answer.arrayBuffer()
      if (answer.status >= 500) throw new Error(`${header}: ${value} was answered ${answer.status}`)
    }
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  })
}

test('every query parameter at every border is answered and never by a 5xx', async () => {
  const url = `${server.base}/numbers/query`
  await fetch(url, { method: 'PUT', headers: { ...text, 'stream-closed': 'true' }, body: 'x' })
  const values = [...borders, 'now', '%00', '%ff', '..', '9999999999999999_9999999999999999', '0000000000000000_0000000000000000']
  for (const value of values) {
    for (const query of [`offset=${value}`, `offset=-1&live=${value}`, `offset=-1&live=long-poll&cursor=${value}`, `offset=${value}&live=sse`]) {
      const answer = await fetch(`${url}?${query}`)
      await answer.arrayBuffer()
      if (answer.status >= 500) throw new Error(`${query} was answered ${answer.status}`)
    }
  }
  expect(server.alive).toBe(true)
})

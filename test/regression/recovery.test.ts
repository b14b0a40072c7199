/** What other servers lost or showed after a crash (field survey B1, B2, B7): whole logs, torn tails, producer state behind its data. */
import { describe, expect, test } from 'bun:test'
import { startServer, type Server } from '../support/server.ts'
import { durableModes, limitMs, rounds } from './scale.ts'

const binary = { 'content-type': 'application/octet-stream' }
const megabyte = 1_048_576

for (const mode of durableModes) {
  describe.concurrent(mode, () => {
    test('B1: ten boots after several log segments and checkpoints keep every acknowledged byte', async () => {
      await using server = await startServer({ mode })
      const url = `${server.base}/long`
      await fetch(url, { method: 'PUT', headers: binary })
      const hash = new Bun.CryptoHasher('sha256')
      // 64 MB is the largest unit that any of the modes recycles, so three of them are passed.
      for (let index = 0; index < rounds(200); index++) hash.update(await appendMegabyte(url, index))
      for (let boot = 0; boot < 10; boot++) {
        hash.update(await appendMegabyte(url, 1000 + boot))
        await server.kill()
        await server.restart()
        const more = new TextEncoder().encode(`after boot ${boot};`)
        expect((await fetch(url, { method: 'POST', headers: binary, body: more })).status).toBe(204)
        hash.update(more)
      }
      expect(await hashOf(url)).toBe(hash.digest('hex'))
    }, limitMs(120_000))

    test('B2: an append that was in flight is there whole or not at all, and stays so', async () => {
      await using server = await startServer({ mode })
      const count = 40
      const urls = Array.from({ length: count }, (_, index) => `${server.base}/quiet/${index}`)
      for (let round = 0; round < rounds(3); round++) {
        await Promise.all(urls.map(url => fetch(`${url}-${round}`, { method: 'PUT', headers: binary, body: 'acknowledged;' })))
        const inFlight = urls.map(url =>
          fetch(`${url}-${round}`, { method: 'POST', headers: binary, body: 'x'.repeat(30_000) }).then(answer => answer.status, () => 0),
        )
        await Bun.sleep(round * 2)
        await server.kill()
        const statuses = await Promise.all(inFlight)
        await server.restart()
        const first = await textsOf(urls, round)
        await server.kill()
        await server.restart()
        expect(await textsOf(urls, round)).toEqual(first)
        for (const [index, text] of first.entries()) {
          const whole = `acknowledged;${'x'.repeat(30_000)}`
          if (statuses[index] === 204) expect(text === whole).toBe(true)
          else expect(text === whole || text === 'acknowledged;').toBe(true)
        }
      }
    }, limitMs(60_000))

    test('B7: a producer that repeats its last request after a crash is never told of a gap', async () => {
      await using server = await startServer({ mode })
      for (let round = 0; round < rounds(4); round++) await repeatAfterCrash(server, round)
    }, limitMs(60_000))
  })
}

async function repeatAfterCrash(server: Server, round: number): Promise<void> {
  const url = `${server.base}/producers/${round}`
  await fetch(url, { method: 'PUT', headers: binary })
  const acked = new Map<number, number>()
  let running = true
  const producers = Array.from({ length: 16 }, async (_, producer) => {
    for (let sequence = 0; running; sequence++) {
      const status = await send(url, producer, sequence).catch(() => 0)
      if (status !== 200) return
      acked.set(producer, sequence)
    }
  })
  await Bun.sleep(20 + 15 * round)
  await server.kill()
  running = false
  await Promise.all(producers)
  await server.restart()
  for (let producer = 0; producer < 16; producer++) {
    const last = acked.get(producer) ?? -1
    // The last acknowledged one is a duplicate for certain; the one after it may have been stored or not.
    if (last >= 0) expect(await send(url, producer, last)).toBe(204)
    expect([200, 204]).toContain(await send(url, producer, last + 1))
    expect(await send(url, producer, last + 1)).toBe(204)
    expect(await send(url, producer, last + 3)).toBe(409)
  }
  const text = await (await fetch(url)).text()
  for (let producer = 0; producer < 16; producer++) {
    const numbers = [...text.matchAll(new RegExp(`\\b${producer}:(\\d+);`, 'g'))].map(match => Number(match[1]))
    expect(numbers).toEqual(Array.from({ length: (acked.get(producer) ?? -1) + 2 }, (_, number) => number))
  }
}

async function send(url: string, producer: number, sequence: number): Promise<number> {
  const headers = { ...binary, 'producer-id': `p${producer}`, 'producer-epoch': '0', 'producer-seq': String(sequence) }
  const answer = await fetch(url, { method: 'POST', headers, body: `${producer}:${sequence}; ` })
  await answer.arrayBuffer()
  return answer.status
}

async function appendMegabyte(url: string, index: number): Promise<Uint8Array> {
  const body = new Uint8Array(megabyte).fill(index % 251)
  const answer = await fetch(url, { method: 'POST', headers: binary, body })
  expect(answer.status).toBe(204)
  return body
}

async function hashOf(url: string): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256')
  for (let offset = '-1'; ; ) {
    const answer = await fetch(`${url}?offset=${offset}`)
    expect(answer.status).toBe(200)
    hash.update(await answer.bytes())
    offset = answer.headers.get('stream-next-offset') ?? ''
    if (answer.headers.get('stream-up-to-date') === 'true') return hash.digest('hex')
  }
}

async function textsOf(urls: readonly string[], round: number): Promise<string[]> {
  return await Promise.all(urls.map(async url => await (await fetch(`${url}-${round}`)).text()))
}

/** Many clients at once: one creation wins, a close divides the appends, a deletion is whole for everybody. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ask, readPages, textPlain, type Outcome } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

const modes = ['acid', 'file-durable'] as const
const racers = 64
const servers = new Map<string, Server>()

beforeAll(async () => {
  await Promise.all(modes.map(async mode => servers.set(mode, await startServer({ mode }))))
})
afterAll(async () => {
  await Promise.all([...servers.values()].map(server => server.close()))
})

function baseOf(mode: string): string {
  return servers.get(mode)?.base ?? ''
}

async function textOf(url: string): Promise<string> {
  return Buffer.concat((await readPages(url)).map(page => page.bytes)).toString()
}

for (const mode of modes) {
  test.concurrent(`${mode}: of ${racers} equal PUTs one creates; of different ones the others are refused`, async () => {
    for (let round = 0; round < 10; round++) {
      const url = `${baseOf(mode)}/put/${round}`
      const equal = await Promise.all(Array.from({ length: racers }, () => ask(url, 'PUT', textPlain, 'first')))
      expect(equal.filter(each => each.status === 201).length).toBe(1)
      expect(equal.filter(each => each.status === 200).length).toBe(racers - 1)
      expect(await textOf(url)).toBe('first')
      const types = Array.from({ length: racers }, (_, racer) => ({ 'content-type': `text/x-${racer % 4}` }))
      const mixed = await Promise.all(types.map(headers => ask(`${url}/mixed`, 'PUT', headers)))
      expect(mixed.filter(each => each.status === 201).length).toBe(1)
      const winner = types[mixed.findIndex(each => each.status === 201)]?.['content-type']
      for (const [racer, each] of mixed.entries()) if (each.status !== 201) expect(each.status).toBe(types[racer]?.['content-type'] === winner ? 200 : 409)
    }
  })

  test.concurrent(`${mode}: a close without data among ${racers} appenders: just the acknowledged are there`, async () => {
    for (let round = 0; round < 25; round++) {
      const url = `${baseOf(mode)}/close/${round}`
      await ask(url, 'PUT', textPlain)
      const closeAt = (round * 13) % racers
      const results = await Promise.all(
        Array.from({ length: racers + 1 }, (_, racer) => (racer === closeAt ? ask(url, 'POST', { 'stream-closed': 'true' }) : ask(url, 'POST', textPlain, `${racer};`))),
      )
      const close = results[closeAt]
      expect([close?.status, close?.closed]).toEqual([204, true])
      const others = results.map((result, racer) => ({ ...result, racer })).filter(each => each.racer !== closeAt)
      for (const each of others.filter(result => result.status !== 204)) expect([each.status, each.closed, each.next]).toEqual([409, true, close?.next ?? ''])
      const stored = (await textOf(url)).split(';').slice(0, -1).map(Number)
      expect(stored.toSorted((a, b) => a - b)).toEqual(others.filter(each => each.status === 204).map(each => each.racer))
      const late = await ask(url, 'POST', textPlain, 'late')
      expect([late.status, late.closed, late.next]).toEqual([409, true, close?.next ?? ''])
    }
  })

  test.concurrent(`${mode}: a deletion among readers and appenders leaves no half: later answers are 404, the new stream is empty`, async () => {
    for (let round = 0; round < 15; round++) {
      const url = `${baseOf(mode)}/delete/${round}`
      await ask(url, 'PUT', textPlain, 'old;')
      const live = Array.from({ length: 8 }, async () => {
        const answer = await fetch(`${url}?offset=-1&live=sse`)
        return answer.status === 200 ? await answer.text() : String(answer.status)
      })
      const work: Promise<Outcome>[] = []
      for (let racer = 0; racer < racers; racer++) {
        if (racer === racers / 2) work.push(ask(url, 'DELETE'))
        work.push(ask(url, 'POST', textPlain, 'old;'), ask(`${url}?offset=-1`, 'GET'))
      }
      const statuses = new Set((await Promise.all(work)).map(each => each.status))
      expect([...statuses].filter(status => ![200, 204, 404].includes(status))).toEqual([])
      expect((await ask(url, 'HEAD')).status).toBe(404)
      expect((await ask(url, 'PUT', textPlain)).status).toBe(201)
      expect(await textOf(url)).toBe('')
      for (const text of await Promise.all(live)) expect(text === '404' || text.includes('event: control')).toBe(true)
    }
    expect(servers.get(mode)?.logs()).not.toMatch(/"level":"(error|fatal)"/)
  })
}

test.concurrent('producers that race with one sequence number store it once, and every answer agrees', async () => {
  const url = `${baseOf('acid')}/producer`
  await ask(url, 'PUT', textPlain)
  for (let sequence = 0; sequence < 20; sequence++) {
    const headers = { ...textPlain, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': String(sequence) }
    const results = await Promise.all(Array.from({ length: 16 }, () => ask(url, 'POST', headers, `${sequence};`)))
    expect(results.filter(each => each.status === 200).length).toBe(1)
    expect(results.filter(each => each.status === 204).length).toBe(15)
  }
  expect(await textOf(url)).toBe(Array.from({ length: 20 }, (_, sequence) => `${sequence};`).join(''))
})

/** At its limits the server says so: 503 with Retry-After, at once, readable by pages, and it recovers by itself. */
import { expect, test } from 'bun:test'
import { EventReader } from '../support/event-source.ts'
import { ask, eventually, textPlain } from '../support/scene.ts'
import { startServer } from '../support/server.ts'
import { head, Wire } from '../support/wire.ts'

async function refusal(answer: Response): Promise<readonly unknown[]> {
  const problem = (await answer.json()) as { code: string }
  return [answer.status, problem.code, Number(answer.headers.get('retry-after')) > 0, answer.headers.get('access-control-allow-origin')]
}

const overloaded = [503, 'overloaded', true, '*']

test.concurrent('too many live readers, of both kinds; other requests go on', async () => {
  await using server = await startServer({ mode: 'memory', env: { DS_LIMITS__MAX_LIVE_READERS: '3' } })
  const url = `${server.base}/live`
  const { next } = await ask(url, 'PUT', textPlain)
  const readers = [0, 1].map(async () => new EventReader(await fetch(`${url}?offset=-1&live=sse`)))
  const [first, second] = await Promise.all(readers)
  const polling = fetch(`${url}?offset=${next}&live=long-poll`)
  await Bun.sleep(100)
  for (const live of ['sse', 'long-poll']) expect(await refusal(await fetch(`${url}?offset=${next}&live=${live}`))).toEqual(overloaded)
  expect((await ask(url, 'POST', textPlain, 'x')).status).toBe(204)
  expect((await polling).status).toBe(200)
  await first?.[Symbol.asyncDispose]()
  await eventually('a place is free', async () => {
    const answer = await fetch(`${url}?offset=-1&live=sse`)
    await answer.body?.cancel()
    return answer.status === 200
  })
  await second?.[Symbol.asyncDispose]()
})

test.concurrent('too many requests in flight, open SSE responses included', async () => {
  await using server = await startServer({ mode: 'memory', env: { DS_LIMITS__MAX_CONNECTIONS: '8' } })
  const url = `${server.base}/requests`
  await ask(url, 'PUT', textPlain)
  const wires = await Promise.all(Array.from({ length: 8 }, () => Wire.open(server.port)))
  for (const wire of wires) await wire.send(head('GET', '/v1/stream/requests?offset=-1&live=sse'))
  await Promise.all(wires.map(wire => wire.until(received => received.includes('upToDate'))))
  expect(await refusal(await fetch(`${url}?offset=-1`))).toEqual(overloaded)
  for (const wire of wires) wire[Symbol.dispose]()
  await eventually('the places are free', async () => (await ask(`${url}?offset=-1`, 'GET')).status === 200)
})

test.concurrent('too many writes that wait: some are refused, every acknowledged one is there', async () => {
  await using server = await startServer({ mode: 'acid', env: { DS_LIMITS__MAX_STORAGE_JOBS: '4' } })
  const url = `${server.base}/writes`
  await ask(url, 'PUT', textPlain)
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, writer) => {
      const answer = await fetch(url, { method: 'POST', headers: textPlain, body: `${writer};` })
      return answer.status === 204 ? writer : await refusal(answer)
    }),
  )
  const refused = answers.filter(answer => typeof answer !== 'number')
  expect(refused.length).toBeGreaterThan(0)
  for (const each of refused) expect(each).toEqual(overloaded)
  const stored = (await (await fetch(url)).text()).split(';').slice(0, -1).map(Number)
  expect(stored.toSorted((a, b) => a - b)).toEqual(answers.filter(answer => typeof answer === 'number'))
  expect((await ask(url, 'POST', textPlain, 'x')).status).toBe(204)
})

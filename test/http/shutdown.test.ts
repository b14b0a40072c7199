/** SIGTERM in the middle of everything: no request that was taken fails, live readers end whole and find the rest afterwards. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { controlOf, dataOf, EventReader, lastOffset } from '../support/event-source.ts'
import { ask, textPlain } from '../support/scene.ts'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

for (const mode of ['acid', 'file-durable'] as const) {
  test.concurrent(`${mode}: appends and live readers over a stop and a start`, async () => {
    await using server = await startServer({ mode })
    const url = `${server.base}/work`
    await ask(url, 'PUT', textPlain)
    const { next } = await ask(url, 'POST', textPlain, 'begin;')
    const readers = Array.from({ length: 20 }, () => followAll(url))
    const polls = Array.from({ length: 5 }, () => fetch(`${server.base}/idle?offset=now&live=long-poll`).then(answer => answer.status))
    const writing = Array.from({ length: 16 }, (_, writer) => write(server, url, writer))
    await Bun.sleep(400)
    expect(await server.stop()).toBe(0)
    const acknowledged = (await Promise.all(writing)).flat()
    expect(acknowledged.length).toBeGreaterThan(50)
    await Promise.all(polls)
    await server.restart()
    const text = await (await fetch(`${url}?offset=-1`)).text()
    const stored = new Set(text.split(';'))
    expect(acknowledged.filter(record => !stored.has(record))).toEqual([])
    await ask(url, 'POST', { 'stream-closed': 'true' })
    for (const { seen, offset, clean } of await Promise.all(readers)) {
      expect(clean).toBe(true)
      expect(seen + (await (await fetch(`${url}?offset=${offset}`)).text())).toBe(text)
    }
    expect(next).not.toBe('')
    expect(server.logs()).not.toMatch(/"level":"(error|fatal)"/)
  })
}

test.concurrent('a long-poll is answered at once when the server stops, and a second stop changes nothing', async () => {
  await using server = await startServer({ mode: 'acid' })
  const { next } = await ask(`${server.base}/idle`, 'PUT', textPlain)
  const polls = Array.from({ length: 20 }, () => fetch(`${server.base}/idle?offset=${next}&live=long-poll`))
  await Bun.sleep(200)
  const code = server.stop()
  const answers = await Promise.all(polls)
  for (const answer of answers) expect([answer.status, answer.headers.get('stream-next-offset')]).toEqual([204, next])
  expect(await code).toBe(0)
})

/** Appends until a request is not taken any more; what comes back is what was acknowledged. A refused connection is no failure. */
async function write(server: Server, url: string, writer: number): Promise<string[]> {
  const acknowledged: string[] = []
  for (let number = 0; server.alive; number++) {
    const record = `${writer}-${number}`
    const answer = await fetch(url, { method: 'POST', headers: textPlain, body: `${record};` }).catch((error: unknown) => String(error))
    if (typeof answer === 'string') return acknowledged
    if (answer.status === 503) return acknowledged
    expect(answer.status).toBe(204)
    acknowledged.push(record)
  }
  return acknowledged
}

/** Reads to the end of one connection. */
async function followAll(url: string): Promise<{ seen: string; offset: string; clean: boolean }> {
  const live = new EventReader(await fetch(`${url}?offset=-1&live=sse`))
  const events = await live.rest()
  const last = events.at(-1)
  return { seen: dataOf(events), offset: lastOffset(events), clean: last?.type === 'control' && controlOf(last).streamClosed !== true }
}

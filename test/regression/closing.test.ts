/** B8 of the field survey: append and close were two steps, so a racer got in between and the answer's offset was stale. */
import { expect, test } from 'bun:test'
import { startServer } from '../support/server.ts'
import { allModes, limitMs, rounds } from './scale.ts'

const racers = 64
const text = { 'content-type': 'text/plain' }

for (const mode of allModes) {
  test(`${mode}: ${racers} appenders race one closing append`, async () => {
    await using server = await startServer({ mode })
    for (let round = 0; round < rounds(20); round++) await race(`${server.base}/race/${round}`, round)
    expect(server.alive).toBe(true)
  }, limitMs(60_000))
}

async function race(url: string, round: number): Promise<void> {
  await fetch(url, { method: 'PUT', headers: text })
  const closeAt = (round * 7) % racers
  const outcomes = await Promise.all(
    Array.from({ length: racers }, async (_, racer) => {
      if (racer === closeAt) return await post(url, 'END;', { 'stream-closed': 'true' })
      return await post(url, `${racer};`)
    }),
  )
  const closing = outcomes[closeAt]
  expect(closing?.status).toBe(204)
  expect(closing?.closed).toBe('true')
  const final = await fetch(url)
  const stored = (await final.text()).split(';').slice(0, -1)
  expect(stored.at(-1)).toBe('END')
  expect(final.headers.get('stream-closed')).toBe('true')
  expect(closing?.next).toBe(final.headers.get('stream-next-offset') ?? '')
  for (const [racer, outcome] of outcomes.entries()) {
    if (racer === closeAt) continue
    expect([204, 409]).toContain(outcome.status)
    expect(stored.filter(item => item === String(racer)).length).toBe(outcome.status === 204 ? 1 : 0)
    if (outcome.status === 409) expect([outcome.closed, outcome.next]).toEqual(['true', closing?.next ?? ''])
  }
}

async function post(url: string, body: string, more: Record<string, string> = {}) {
  const answer = await fetch(url, { method: 'POST', headers: { ...text, ...more }, body })
  await answer.arrayBuffer()
  return { status: answer.status, closed: answer.headers.get('stream-closed'), next: answer.headers.get('stream-next-offset') }
}

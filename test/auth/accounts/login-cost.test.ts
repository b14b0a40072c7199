/** What logins cost others: time does not tell who exists, and many at once leave the server awake. */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { startAccountServer, type AccountServer } from './account-server.ts'

setDefaultTimeout(60_000)

const cost = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const

async function addUsers(server: AccountServer, count: number): Promise<readonly string[]> {
  const hash = await Bun.password.hash('password', cost)
  const emails = Array.from({ length: count }, (_, at) => `user${at}@example.com`)
  for (const email of emails) await server.addUser(email, 'x', { password_hash: hash })
  return emails
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

test('a wrong password and nobody take the same time', async () => {
  await using server = await startAccountServer()
  const emails = await addUsers(server, 9)
  await server.addUser('none@example.com', 'x', { password_hash: null })
  const timed = async (email: string) => {
    const startedAt = performance.now()
    expect((await server.post('/login', { email, password: 'wrong' })).status).toBe(401)
    return performance.now() - startedAt
  }
  const known: number[] = []
  const unknown: number[] = []
  // Taken in turn, so that what else runs on the machine slows both.
  for (const [at, email] of emails.entries()) {
    known.push(await timed(email))
    unknown.push(await timed(`nobody${at}@example.com`))
  }
  const ratio = median(unknown) / median(known)
  // Without a check of a password nobody would be refused in a twentieth of the time.
  expect(ratio).toBeGreaterThan(0.5)
  expect(ratio).toBeLessThan(2)
})

test('fifty logins at once: all succeed, and probes are answered meanwhile', async () => {
  await using server = await startAccountServer()
  const emails = await addUsers(server, 50)
  const alone: number[] = []
  for (const email of emails.slice(0, 5)) {
    const startedAt = performance.now()
    await server.post('/login', { email, password: 'password' })
    alone.push(performance.now() - startedAt)
  }
  let running = true
  const waits: number[] = []
  const probing = (async () => {
    while (running) {
      const startedAt = performance.now()
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
      waits.push(performance.now() - startedAt)
      await Bun.sleep(5)
    }
  })()
  const statuses = await Promise.all(emails.map(async email => (await server.post('/login', { email, password: 'password' })).status))
  running = false
  await probing
  expect(statuses).toEqual(emails.map(() => 200))
  expect(waits.length).toBeGreaterThan(20)
  // One check blocks nothing: a probe that had to wait for one would take as long as a login, for the queue fifty times that.
  expect(median(waits)).toBeLessThan(median(alone))
  expect(Math.max(...waits)).toBeLessThan(10_000)
})

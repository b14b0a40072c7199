/** B3 of the field survey: an acknowledged DELETE came back after a crash. */
import { expect, test } from 'bun:test'
import { startServer } from '../support/server.ts'
import { durableModes, limitMs, rounds } from './scale.ts'

for (const mode of durableModes) {
  test.concurrent(`${mode}: what was deleted just before a crash stays deleted`, async () => {
    await using server = await startServer({ mode })
    const headers = { 'content-type': 'text/plain' }
    for (let round = 0; round < rounds(6); round++) {
      const urls = Array.from({ length: 20 }, (_, index) => `${server.base}/deleted/${round}/${index}`)
      await Promise.all(urls.map(url => fetch(url, { method: 'PUT', headers, body: 'here' })))
      const statuses = await Promise.all(urls.map(url => fetch(url, { method: 'DELETE' }).then(answer => answer.status)))
      await server.kill()
      expect(statuses).toEqual(urls.map(() => 204))
      await server.restart()
      const after = await Promise.all(urls.map(url => fetch(url, { method: 'HEAD' }).then(answer => answer.status)))
      expect(after).toEqual(urls.map(() => 404))
      // The name is free again, and nothing of the old stream shines through.
      const [first = ''] = urls
      expect((await fetch(first, { method: 'PUT', headers })).status).toBe(201)
      expect(await (await fetch(first)).text()).toBe('')
    }
  }, limitMs(60_000))
}

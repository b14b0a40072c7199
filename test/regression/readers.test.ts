/** B14 of the field survey: readers shared a file position and got each other's bytes. */
import { expect, test } from 'bun:test'
import { startServer } from '../support/server.ts'
import { allModes, limitMs, rounds } from './scale.ts'

const readers = 256
const records = 300

for (const mode of allModes) {
  test(`${mode}: ${readers} readers of random ranges get exactly their bytes, while the stream grows and after a restart`, async () => {
    await using server = await startServer({ mode })
    const url = `${server.base}/ranges`
    const headers = { 'content-type': 'application/octet-stream' }
    await fetch(url, { method: 'PUT', headers })
    const parts: Uint8Array[] = []
    const starts = ['-1']
    const append = async (index: number) => {
      const body = new Uint8Array(1 + ((index * 7919) % 9000)).map((_, at) => (at * 31 + index * 17) % 256)
      const answer = await fetch(url, { method: 'POST', headers, body })
      parts.push(body)
      starts.push(answer.headers.get('stream-next-offset') ?? '')
    }
    for (let index = 0; index < records; index++) await append(index)
    const check = async (reader: number) => await expectRange(url, starts, parts, (reader * 104_729) % records)
    const growing = (async () => {
      for (let index = records; index < records + 50; index++) await append(index)
    })()
    await Promise.all([...Array.from({ length: readers * rounds(1) }, (_, reader) => check(reader)), growing])
    if (mode === 'memory') return
    await server.restart()
    await Promise.all(Array.from({ length: readers }, (_, reader) => check(reader)))
  }, limitMs(60_000))
}

/** Reads from record `from` on to the tail of that moment and compares every byte. */
async function expectRange(url: string, starts: readonly string[], parts: readonly Uint8Array[], from: number): Promise<void> {
  const read: Uint8Array[] = []
  let offset = starts[from] ?? '-1'
  for (;;) {
    const answer = await fetch(`${url}?offset=${offset}`)
    expect(answer.status).toBe(200)
    read.push(await answer.bytes())
    offset = answer.headers.get('stream-next-offset') ?? ''
    if (answer.headers.get('stream-up-to-date') === 'true') break
  }
  const upTo = starts.indexOf(offset)
  // An append whose answer is still on its way may be read already; it is compared as far as its bytes are known.
  const expected = Buffer.concat(parts.slice(from, upTo < 0 ? undefined : upTo))
  const got = Buffer.concat(read)
  expect(upTo < 0 ? got.subarray(0, expected.length).equals(expected) : got.equals(expected)).toBe(true)
}

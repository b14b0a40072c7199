/** Reads a whole stream over HTTP, page by page, the way a client would that has nothing yet. */
import type { Observed, StreamLedger } from './ledger.ts'
import { parseRecords } from './records.ts'

const pagesMax = 100_000
const attemptsMax = 5

/** What is at `stream` now. Throws when an answer is neither the stream nor its absence. */
export async function observe(base: string, stream: StreamLedger): Promise<Observed> {
  const url = `${base}/${stream.name}`
  let text = ''
  let offset = '-1'
  for (let page = 0; page < pagesMax; page++) {
    const answer = await patientFetch(`${url}?offset=${offset}`)
    if (answer.status === 404 || answer.status === 410) return { gone: true, closed: false, records: [], tail: '' }
    if (answer.status !== 200) throw new Error(`GET ${stream.name} at ${offset}: ${answer.status} ${await answer.text()}`)
    const body = await answer.text()
    // JSON pages are arrays of their own; joined they are one.
    text = stream.kind === 'json' ? joinArrays(text, body) : text + body
    const next = answer.headers.get('stream-next-offset')
    if (next === null) throw new Error(`GET ${stream.name}: no Stream-Next-Offset`)
    if (answer.headers.get('stream-up-to-date') === 'true') {
      const closed = answer.headers.get('stream-closed') === 'true'
      return { gone: false, closed, records: parseRecords(stream.kind, text), tail: next }
    }
    if (next === offset) throw new Error(`GET ${stream.name} at ${offset}: neither progress nor Stream-Up-To-Date`)
    offset = next
  }
  throw new Error(`GET ${stream.name}: more than ${pagesMax} pages`)
}

/** A read that a stale keep-alive connection may not spoil. */
export async function patientFetch(url: string, init: RequestInit = {}): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetch(url, { ...init, signal: AbortSignal.timeout(30_000) })
    } catch (error) {
      if (attempt >= attemptsMax) throw error
      await Bun.sleep(5 * attempt)
    }
  }
}

function joinArrays(left: string, right: string): string {
  if (left === '' || left === '[]') return right
  return right === '[]' ? left : `${left.slice(0, -1)},${right.slice(1)}`
}

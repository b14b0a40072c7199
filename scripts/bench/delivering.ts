/** Append → SSE delivery to one reader or a thousand, and what many idle readers cost. */
import { type Address, Connection, parseAddress, requestBytes } from './connection.ts'
import { makeStreams } from './appending.ts'
import { residentMiB, spreadOf, startMeter } from './measure.ts'
import { payloadBytes, type Job, type Sample } from './sample.ts'

const json = { 'Content-Type': 'application/json' }
const openTogether = 100
const settleMs = 300
const arriveMsMax = 3000

interface Subscription {
  readonly connection: Connection
  readonly ready: Promise<void>
}

export async function measureDelivery(job: Job, readers: number, rate: number): Promise<Sample> {
  const address = parseAddress(job.base)
  const [path = ''] = await makeStreams(address, 1)
  const delivered: number[] = []
  const acknowledged: number[] = []
  let measuring = false
  const onMessage = (sentMs: number) => {
    if (measuring) delivered.push(performance.now() - sentMs)
  }
  const subscriptions = await subscribe(address, path, readers, onMessage)
  const writer = await Connection.open(address)
  let errors = 0
  const append = async () => {
    const sentMs = performance.now()
    const answer = await writer.request(requestBytes(address, 'POST', path, json, stamped(sentMs)))
    if (measuring) acknowledged.push(performance.now() - sentMs)
    if (answer.status < 200 || answer.status > 299) errors++
  }
  for (let warm = 0; warm < 5; warm++) await append()
  await Bun.sleep(settleMs)
  const stop = startMeter(job.pid)
  measuring = true
  const startedMs = performance.now()
  let sent = 0
  while (performance.now() - startedMs < job.seconds * 1000) {
    const dueMs = startedMs + (sent * 1000) / rate
    const waitMs = dueMs - performance.now()
    if (waitMs > 0.5) await Bun.sleep(waitMs)
    await append()
    sent++
  }
  const seconds = (performance.now() - startedMs) / 1000
  const deadlineMs = performance.now() + arriveMsMax
  while (delivered.length < sent * readers && performance.now() < deadlineMs) await Bun.sleep(10)
  const cost = stop()
  for (const { connection } of subscriptions) connection.close()
  writer.close()
  const spread = spreadOf(delivered)
  return {
    rate: spread.count / seconds,
    perCpuSecond: spread.count / cost.serverCpuSeconds,
    p50Ms: spread.p50,
    p99Ms: spread.p99,
    ackP99Ms: spreadOf(acknowledged).p99,
    residentMiB: cost.residentMiB,
    otherCpuShare: cost.otherCpuShare,
    errors: errors + sent * readers - spread.count,
  }
}

/** Opens `readers` SSE readers on one stream and nothing else; `residentMiB` is what the server grew by. */
export async function measureIdle(job: Job, readers: number): Promise<Sample> {
  const address = parseAddress(job.base)
  const [path = ''] = await makeStreams(address, 1)
  await Bun.sleep(settleMs)
  const beforeMiB = residentMiB(job.pid)
  const startedMs = performance.now()
  const subscriptions = await subscribe(address, path, readers, () => undefined)
  const openedMs = performance.now() - startedMs
  await Bun.sleep(job.seconds * 1000)
  const grownMiB = residentMiB(job.pid) - beforeMiB
  const errors = subscriptions.filter(({ connection }) => connection.closed).length
  for (const { connection } of subscriptions) connection.close()
  const none = { perCpuSecond: NaN, p50Ms: NaN, p99Ms: NaN, ackP99Ms: NaN, otherCpuShare: NaN }
  return { ...none, rate: (readers / openedMs) * 1000, residentMiB: grownMiB, errors }
}

async function subscribe(address: Address, path: string, count: number, onMessage: (sentMs: number) => void): Promise<Subscription[]> {
  const all: Subscription[] = []
  for (let at = 0; at < count; at += openTogether) {
    const some = Array.from({ length: Math.min(openTogether, count - at) }, () => follow(address, path, onMessage))
    const opened = await Promise.all(some)
    await Promise.race([Promise.all(opened.map(one => one.ready)), Bun.sleep(arriveMsMax)])
    all.push(...opened)
  }
  return all
}

async function follow(address: Address, path: string, onMessage: (sentMs: number) => void): Promise<Subscription> {
  const connection = await Connection.open(address)
  const ready = Promise.withResolvers<void>()
  let text = ''
  const onBody = (piece: Buffer) => {
    text += piece.toString('latin1')
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      if (event.includes('event: control')) ready.resolve()
      // A server may join several messages into one event.
      for (const match of event.matchAll(/"t":([0-9.]+)/g)) onMessage(Number(match[1]))
    }
  }
  const request = requestBytes(address, 'GET', `${path}?live=sse&offset=-1`, { Accept: 'text/event-stream' })
  connection.send(request, () => undefined, { onBody })
  return { connection, ready: ready.promise }
}

function stamped(sentMs: number): Uint8Array {
  const body = JSON.stringify({ t: sentMs, pad: '' })
  return Buffer.from(JSON.stringify({ t: sentMs, pad: 'x'.repeat(Math.max(0, payloadBytes - body.length)) }))
}

/** The load generator of record APIs as a process: one job in its first argument, one sample on stdout, then it ends. */
import { measureLoops } from './appending.ts'
import { type Address, Connection, parseAddress, requestBytes } from './connection.ts'
import { spreadOf, startMeter } from './measure.ts'
import type { RecordJob, RecordTarget } from './records-scenario.ts'
import type { Sample } from './sample.ts'

const json = { 'Content-Type': 'application/json' }
const messageText = 'A message as people write them, a little longer than a line of a poem would be.'
const idsMax = 4096
const settleMs = 300
const arriveMsMax = 3000
const pacedConnections = 4

const job: RecordJob = JSON.parse(process.argv[2] ?? '')
console.log(JSON.stringify(await measure(job)))
process.exit(0)

async function measure({ target, scenario, ...times }: RecordJob): Promise<Sample> {
  const address = parseAddress(target.base)
  const loop = { ...times, ...(target.pid === undefined ? {} : { pid: target.pid }) }
  switch (scenario.kind) {
    case 'insert': {
      const request = insertRequest(address, target, scenario.bulk)
      return await measureLoops(loop, address, scenario.connections, () => request)
    }
    case 'read': {
      const requests = readRequests(address, target)
      // Each connection walks over the keys from a place of its own.
      const at = (connection: number, turn: number) => (Math.floor((connection * requests.length) / scenario.connections) + turn) % requests.length
      return await measureLoops(loop, address, scenario.connections, (connection, turn) => requests[at(connection, turn)] ?? Buffer.alloc(0))
    }
    case 'list': {
      const query = `?filter[room]=${encodeURIComponent(target.room)}&order=-id&limit=${scenario.limit}`
      const request = requestBytes(address, 'GET', query, authorization(target))
      return await measureLoops(loop, address, scenario.connections, () => request)
    }
    case 'deliver':
      return await measureDelivery(loop, address, target, scenario.rate)
    case 'paced':
      return await measurePaced(loop, address, target, scenario)
  }
}

interface Times {
  readonly seconds: number
  readonly warmSeconds: number
  readonly pid?: number
}

function authorization({ token }: RecordTarget): Record<string, string> {
  return token === null ? {} : { Authorization: `Bearer ${token}` }
}

function insertRequest(address: Address, target: RecordTarget, bulk: number, text = messageText): Buffer {
  const record = { room: target.room, author: target.user, text }
  const body = bulk === 1 ? record : Array.from({ length: bulk }, () => record)
  return requestBytes(address, 'POST', '', { ...json, ...authorization(target) }, Buffer.from(JSON.stringify(body)))
}

function readRequests(address: Address, target: RecordTarget): Buffer[] {
  return target.ids.slice(0, idsMax).map(id => requestBytes(address, 'GET', `/${encodeURIComponent(id)}`, authorization(target)))
}

async function measureDelivery(times: Times, address: Address, target: RecordTarget, rate: number): Promise<Sample> {
  const delivered: number[] = []
  const acknowledged: number[] = []
  let measuring = false
  const subscriber = await subscribe(address, target, sentMs => {
    if (measuring) delivered.push(performance.now() - sentMs)
  })
  const writer = await Connection.open(address)
  let errors = 0
  const insert = async () => {
    const sentMs = performance.now()
    const answer = await writer.request(insertRequest(address, target, 1, `sent:${sentMs}:`))
    if (measuring) acknowledged.push(performance.now() - sentMs)
    if (answer.status !== 200) errors++
  }
  for (let warm = 0; warm < 5; warm++) await insert()
  await Bun.sleep(settleMs)
  const stop = startMeter(times.pid)
  measuring = true
  const startedMs = performance.now()
  let sent = 0
  while (performance.now() - startedMs < times.seconds * 1000) {
    const waitMs = startedMs + (sent * 1000) / rate - performance.now()
    if (waitMs > 0.5) await Bun.sleep(waitMs)
    await insert()
    sent++
  }
  const seconds = (performance.now() - startedMs) / 1000
  const deadlineMs = performance.now() + arriveMsMax
  while (delivered.length < sent && performance.now() < deadlineMs) await Bun.sleep(10)
  const cost = stop()
  subscriber.close()
  writer.close()
  const spread = spreadOf(delivered)
  const figures = { rate: spread.count / seconds, perCpuSecond: spread.count / cost.serverCpuSeconds, p50Ms: spread.p50, p99Ms: spread.p99 }
  return { ...figures, ackP99Ms: spreadOf(acknowledged).p99, residentMiB: cost.residentMiB, otherCpuShare: cost.otherCpuShare, errors: errors + sent - spread.count }
}

async function subscribe(address: Address, target: RecordTarget, onMessage: (sentMs: number) => void): Promise<Connection> {
  const connection = await Connection.open(address)
  let text = ''
  const onBody = (piece: Buffer) => {
    text += piece.toString('latin1')
    const end = text.lastIndexOf('\n')
    for (const match of text.slice(0, end + 1).matchAll(/sent:([0-9.]+):/g)) onMessage(Number(match[1]))
    text = text.slice(end + 1)
  }
  connection.send(requestBytes(address, 'GET', '/subscribe/*', { Accept: 'text/event-stream', ...authorization(target) }), () => undefined, { onBody })
  await Bun.sleep(settleMs)
  if (connection.closed) throw new Error('the subscription was refused')
  return connection
}

interface Paced {
  readonly what: 'insert' | 'read'
  readonly rate: number
  readonly isScanned: boolean
}

/** A few connections that send at fixed moments, so that p99 says how long others keep them waiting, and not how fast the server is. */
async function measurePaced(times: Times, address: Address, target: RecordTarget, { what, rate, isScanned }: Paced): Promise<Sample> {
  const requests = what === 'read' ? readRequests(address, target) : [insertRequest(address, target, 1)]
  const latencies: number[] = []
  let errors = 0
  let running = true
  let measuring = false
  const pace = async (connection: Connection, lane: number) => {
    const startedMs = performance.now() + (lane * 1000) / rate
    for (let turn = 0; running; turn++) {
      const dueMs = startedMs + (turn * 1000 * pacedConnections) / rate
      const waitMs = dueMs - performance.now()
      if (waitMs > 0.5) await Bun.sleep(waitMs)
      const sentMs = performance.now()
      const answer = await connection.request(requests[(turn * pacedConnections + lane) % requests.length] ?? Buffer.alloc(0))
      if (answer.status !== 200) errors++
      else if (measuring) latencies.push(performance.now() - sentMs)
    }
  }
  const connections = await Promise.all(Array.from({ length: pacedConnections }, () => Connection.open(address)))
  const scanner = await Connection.open(address)
  const work = connections.map(pace)
  const scans = isScanned ? scan(scanner, address, target, () => running) : Promise.resolve(0)
  await Bun.sleep(times.warmSeconds * 1000)
  const stop = startMeter(times.pid)
  const startedMs = performance.now()
  measuring = true
  await Bun.sleep(times.seconds * 1000)
  measuring = false
  const seconds = (performance.now() - startedMs) / 1000
  const cost = stop()
  running = false
  await Promise.all(work)
  if (isScanned && (await scans) === 0) errors++
  for (const connection of [...connections, scanner]) connection.close()
  const spread = spreadOf(latencies)
  const figures = { rate: spread.count / seconds, perCpuSecond: spread.count / cost.serverCpuSeconds, p50Ms: spread.p50, p99Ms: spread.p99, ackP99Ms: spread.p99 }
  return { ...figures, residentMiB: cost.residentMiB, otherCpuShare: cost.otherCpuShare, errors }
}

/** Scans while `isWanted`; counts what was answered as expected: nothing found, or given up at the limit of time. */
async function scan(connection: Connection, address: Address, target: RecordTarget, isWanted: () => boolean): Promise<number> {
  const query = '?filter[$or][0][text][$re]=(no.*such.*words.*){3}&filter[$or][1][text][$like]=%25nothing%25like%25this%25&count=true'
  const request = requestBytes(address, 'GET', query, authorization(target))
  let scans = 0
  while (isWanted()) {
    const answer = await connection.request(request)
    if (answer.status === 200 || answer.status === 422) scans++
    else throw new Error(`the scan was answered ${answer.status}: ${answer.body.toString().slice(0, 200)}`)
  }
  return scans
}

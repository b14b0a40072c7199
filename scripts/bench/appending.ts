/** Closed loops of appends and creations: each connection sends its next request when the answer is there. */
import { type Address, Connection, parseAddress, requestBytes } from './connection.ts'
import { spreadOf, startMeter } from './measure.ts'
import { jsonBatch, payloadBytes, type Job, type Sample } from './sample.ts'

const json = { 'Content-Type': 'application/json' }
const windDownMsMax = 3000

export async function measureAppends(job: Job, connections: number, streams: number, batch: number, prefillBytes: number): Promise<Sample> {
  const address = parseAddress(job.base)
  const names = await makeStreams(address, streams)
  if (prefillBytes > 0) await prefill(address, names, prefillBytes)
  const requests = names.map(name => requestBytes(address, 'POST', name, json, jsonBatch(payloadBytes, batch)))
  return await measureLoops(job, address, connections, (connection, turn) => {
    // Each connection walks over all streams, from a place of its own, so that no two are in step.
    const at = (Math.floor((connection * names.length) / connections) + turn) % names.length
    return requests[at] ?? Buffer.alloc(0)
  })
}

export async function measureCreates(job: Job, connections: number): Promise<Sample> {
  const address = parseAddress(job.base)
  const run = runName()
  return await measureLoops(job, address, connections, (connection, turn) =>
    requestBytes(address, 'PUT', `/${run}-${connection}-${turn}`, json),
  )
}

/** Creates `count` streams; returns their paths. */
export async function makeStreams(address: Address, count: number): Promise<string[]> {
  const run = runName()
  const names = Array.from({ length: count }, (_, at) => `/${run}-${at}`)
  const workers = Math.min(32, count)
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const connection = await Connection.open(address)
      for (let at = worker; at < count; at += workers) {
        const answer = await connection.request(requestBytes(address, 'PUT', names[at] ?? '', json))
        if (answer.status !== 201) throw new Error(`PUT ${names[at]}: ${answer.status} ${answer.body.toString().slice(0, 200)}`)
      }
      connection.close()
    }),
  )
  return names
}

export function runName(): string {
  return `b${Date.now().toString(36)}${crypto.randomUUID().slice(0, 4)}`
}

/** Each connection sends `next(connection, turn)` when the answer before is there. */
export async function measureLoops(
  job: Pick<Job, 'seconds' | 'warmSeconds' | 'pid'>,
  address: Address,
  connections: number,
  next: (connection: number, turn: number) => Buffer,
): Promise<Sample> {
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(address)))
  const latencies: number[] = []
  let measuring = false
  let running = true
  let errors = 0
  const loops = open.map(
    (connection, index) =>
      new Promise<void>(resolve => {
        let turn = 0
        let sentMs = 0
        const step = () => {
          if (!running || connection.closed) return resolve()
          const request = next(index, turn++)
          sentMs = performance.now()
          connection.send(request, answer => {
            if (answer.status < 200 || answer.status > 299) errors++
            else if (measuring) latencies.push(performance.now() - sentMs)
            step()
          })
        }
        step()
      }),
  )
  await Bun.sleep(job.warmSeconds * 1000)
  const stop = startMeter(job.pid)
  measuring = true
  const startedMs = performance.now()
  await Bun.sleep(job.seconds * 1000)
  measuring = false
  const seconds = (performance.now() - startedMs) / 1000
  const cost = stop()
  running = false
  await Promise.race([Promise.all(loops), Bun.sleep(windDownMsMax)])
  for (const connection of open) connection.close()
  const spread = spreadOf(latencies)
  return {
    rate: spread.count / seconds,
    perCpuSecond: spread.count / cost.serverCpuSeconds,
    p50Ms: spread.p50,
    p99Ms: spread.p99,
    ackP99Ms: spread.p99,
    residentMiB: cost.residentMiB,
    otherCpuShare: cost.otherCpuShare,
    errors,
  }
}

async function prefill(address: Address, names: readonly string[], bytes: number): Promise<void> {
  const body = jsonBatch(payloadBytes, 1000)
  const connection = await Connection.open(address)
  for (const name of names) {
    const request = requestBytes(address, 'POST', name, json, body)
    for (let written = 0; written < bytes; written += body.length) {
      const answer = await connection.request(request)
      if (answer.status > 299) throw new Error(`prefill: ${answer.status}`)
    }
  }
  connection.close()
}

/** Catch-up: one reader takes a whole stream again and again, page by page. */
import { type Address, Connection, headerOf, parseAddress, requestBytes } from './connection.ts'
import { spreadOf, startMeter } from './measure.ts'
import { jsonBatch, type Job, type Sample } from './sample.ts'

/** Reads a stream of `totalBytes` from its beginning again and again until the time is over. */
export async function measureReads(job: Job, content: 'json' | 'binary', messageBytes: number, totalBytes: number): Promise<Sample> {
  const address = parseAddress(job.base)
  const connection = await Connection.open(address)
  const path = `/r${crypto.randomUUID().slice(0, 8)}`
  const storedBytes = await fillForReading(address, connection, path, content, messageBytes, totalBytes)
  const latencies: number[] = []
  let bytes = 0
  let errors = 0
  const stop = startMeter(job.pid)
  const startedMs = performance.now()
  while (performance.now() - startedMs < job.seconds * 1000 && errors === 0) {
    const readMs = performance.now()
    for (let offset = '-1'; ; ) {
      let pageBytes = 0
      const answer = await connection.request(requestBytes(address, 'GET', `${path}?offset=${offset}`), {
        onBody: piece => (pageBytes += piece.length),
      })
      const next = headerOf(answer, 'stream-next-offset')
      if (answer.status !== 200 || next === undefined) errors++
      bytes += pageBytes
      if (errors > 0 || headerOf(answer, 'stream-up-to-date') === 'true' || next === offset) break
      offset = next ?? offset
    }
    latencies.push(performance.now() - readMs)
  }
  const seconds = (performance.now() - startedMs) / 1000
  const cost = stop()
  connection.close()
  const spread = spreadOf(latencies)
  const megabytes = bytes / 1_000_000
  return {
    rate: megabytes / seconds,
    perCpuSecond: megabytes / cost.serverCpuSeconds,
    p50Ms: spread.p50,
    p99Ms: spread.p99,
    ackP99Ms: NaN,
    residentMiB: cost.residentMiB,
    otherCpuShare: cost.otherCpuShare,
    errors: errors + (bytes < storedBytes * latencies.length ? 1 : 0),
  }
}

/** Returns how many bytes of messages are in the stream. */
async function fillForReading(
  address: Address,
  connection: Connection,
  path: string,
  content: 'json' | 'binary',
  messageBytes: number,
  totalBytes: number,
): Promise<number> {
  const type = { 'Content-Type': content === 'json' ? 'application/json' : 'application/octet-stream' }
  await connection.request(requestBytes(address, 'PUT', path, type))
  const body = content === 'json' ? jsonBatch(messageBytes, 100) : new Uint8Array(messageBytes).map((_, at) => (at * 31) % 256)
  const request = requestBytes(address, 'POST', path, type, body)
  const messagesBytes = content === 'json' ? 100 * messageBytes : messageBytes
  let stored = 0
  for (; stored < totalBytes; stored += messagesBytes) {
    const answer = await connection.request(request)
    if (answer.status < 200 || answer.status > 299) throw new Error(`filling ${path}: ${answer.status}`)
  }
  return stored
}

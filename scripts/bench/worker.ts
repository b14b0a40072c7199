/** The load generator as a process: one job in its first argument, one sample on stdout, then it ends. */
import { makeStreams, measureAppends, measureCreates } from './appending.ts'
import { parseAddress } from './connection.ts'
import { measureDelivery, measureIdle } from './delivering.ts'
import { measureReads } from './reading.ts'
import type { Job, Sample } from './sample.ts'

const job: Job = JSON.parse(process.argv[2] ?? '')
console.log(JSON.stringify(await measure(job)))
process.exit(0)

async function measure(job: Job): Promise<Sample> {
  const { scenario } = job
  switch (scenario.kind) {
    case 'append':
      return await measureAppends(job, scenario.connections, scenario.streams, scenario.batch, scenario.prefillBytes ?? 0)
    case 'deliver':
      return await measureDelivery(job, scenario.readers, scenario.rate)
    case 'read':
      return await measureReads(job, scenario.content, scenario.messageBytes, scenario.totalBytes)
    case 'create':
      return await measureCreates(job, scenario.connections)
    case 'idle':
      return await measureIdle(job, scenario.readers)
    case 'fill':
      return await fill(job, scenario.streams)
  }
}

async function fill(job: Job, streams: number): Promise<Sample> {
  const startedMs = performance.now()
  await makeStreams(parseAddress(job.base), streams)
  const rate = (streams / (performance.now() - startedMs)) * 1000
  return { rate, perCpuSecond: NaN, p50Ms: NaN, p99Ms: NaN, ackP99Ms: NaN, residentMiB: NaN, otherCpuShare: NaN, errors: 0 }
}

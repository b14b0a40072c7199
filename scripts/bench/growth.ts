/** What does not compare with a peer: start times, idle readers, and whether the cost of an append grows with what is stored. */
import { medianOf } from './measure.ts'
import type { Results } from './results.ts'
import type { Sample, Scenario } from './sample.ts'
import { startServer, type Server } from '../../test/support/server.ts'

export interface Sizes {
  readonly streams: number
  readonly idleReaders: number
  readonly longStreamBytes: number
  readonly starts: number
}

export const fullSizes: Sizes = { streams: 100_000, idleReaders: 10_000, longStreamBytes: 100_000_000, starts: 5 }
export const quickSizes: Sizes = { streams: 200, idleReaders: 50, longStreamBytes: 1_000_000, starts: 2 }

export type RunJob = (base: string, pid: number | undefined, scenario: Scenario) => Promise<Sample>

/** Measures our `acid` mode on servers of its own and notes the figures in `results`. */
export async function measureGrowth(results: Results, sizes: Sizes, bin: string | undefined, run: RunJob, log: (line: string) => void): Promise<void> {
  const note = (name: string, value: number) => {
    results.facts.set(name, value)
    log(`${name}: ${value.toFixed(2)}`)
  }
  const options = { mode: 'acid' as const, ...(bin === undefined ? {} : { bin }), readyMsMax: 120_000 }
  const one: Scenario = { kind: 'append', connections: 64, streams: 1, batch: 1 }
  {
    await using server = await startServer(options)
    note('ready empty', await medianReady(server, sizes.starts))
    const alone = await cost(server, one, run)
    note('cost long', (await cost(server, { ...one, prefillBytes: sizes.longStreamBytes }, run)) / alone)
    const overThousand = await cost(server, { ...one, streams: Math.min(1000, sizes.streams) }, run)
    await run(server.base, server.pid, { kind: 'fill', streams: sizes.streams })
    note('ready many', await medianReady(server, sizes.starts))
    note('cost beside many', (await cost(server, one, run)) / alone)
    note('cost over many', (await cost(server, { ...one, streams: sizes.streams }, run)) / overThousand)
  }
  await using server = await startServer(options)
  const idle = await run(server.base, server.pid, { kind: 'idle', readers: sizes.idleReaders })
  note('idle readers', idle.errors > 0 ? NaN : idle.residentMiB)
}

async function medianReady(server: Server, starts: number): Promise<number> {
  const times: number[] = []
  for (let start = 0; start < starts; start++) {
    await server.restart()
    times.push(server.readyMs)
  }
  return medianOf(times)
}

/** Server processor seconds for one append. */
async function cost(server: Server, scenario: Scenario, run: RunJob): Promise<number> {
  return 1 / (await run(server.base, server.pid, scenario)).perCpuSecond
}

/** `bun run crash`: the long form of the crash test. Prints seed and totals; ends with 1 when a promise was broken. */
import { parseArgs } from 'node:util'
import { runCampaign } from '../test/crash/campaign.ts'
import { runRowCampaign } from '../test/crash/row-campaign.ts'
import type { Violation } from '../test/crash/verify.ts'
import type { StorageMode } from '../test/support/server.ts'

const help = `bun run crash [--only streams|records] [--kills N] [--mode acid|file-durable|file-fast] [--shards N] [--seed N] [--bin PATH]

  --only WHAT  streams or record APIs alone; without it one after the other
  --kills N    how often the server is killed, for each of both (200)
  --mode M     storage mode; without it acid and file-durable take turns, half of the kills each
  --shards N   SQLite files in acid mode (the server's default)
  --seed N     repeats the choices of an earlier run (moments and operations; the machine still has its own timing)
  --bin PATH   the executable; 'source' for the sources (HEADWATER_BIN, dist/headwater, built anew when it is stale)
`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    kills: { type: 'string', default: '200' },
    mode: { type: 'string' },
    shards: { type: 'string' },
    seed: { type: 'string' },
    bin: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(help)
  process.exit(0)
}
const modes = values.mode === undefined ? (['acid', 'file-durable'] as const) : [storageMode(values.mode)]
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const killsWanted = Math.max(1, Number(values.kills))
const bin = values.bin === undefined ? {} : { bin: values.bin }
const only = part(values.only)
let broken = 0
if (only !== 'records') for (const mode of modes) broken += await crashStreams(mode, Math.ceil(killsWanted / modes.length))
if (only !== 'streams') broken += await crashRecords(killsWanted)
process.exit(broken > 0 ? 1 : 0)

async function crashStreams(mode: StorageMode, kills: number): Promise<number> {
  console.log(`streams, ${mode}: ${kills} kills, seed ${seed}`)
  const startedMs = performance.now()
  const result = await runCampaign({
    mode,
    kills,
    seed,
    ...(values.shards ? { shards: Number(values.shards) } : {}),
    ...bin,
    onCycle: (kill, totals, readyMs) => tell(kill, totals.recordsAcked, readyMs),
  })
  return summary(startedMs, result)
}

async function crashRecords(kills: number): Promise<number> {
  console.log(`records: ${kills} kills, seed ${seed}`)
  const startedMs = performance.now()
  return summary(startedMs, await runRowCampaign({ kills, seed, ...bin, onCycle: (kill, totals, readyMs) => tell(kill, totals.rowsAcked, readyMs) }))
}

function tell(kill: number, acked: number, readyMs: number): void {
  if (kill % 10 === 0) console.log(`  ${kill} kills, ${acked} records acknowledged, ready in ${readyMs.toFixed(0)} ms`)
}

interface Outcome {
  readonly totals: object
  readonly recoveryMs: { readonly median: number; readonly max: number }
  readonly violations: readonly Violation[]
}

/** Prints it; returns how many promises were broken. */
function summary(startedMs: number, { totals, recoveryMs, violations }: Outcome): number {
  console.log(`  seed ${seed}, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
  for (const [name, value] of Object.entries(totals)) console.log(`  ${name.padEnd(18)} ${value}`)
  console.log(`  recovery           median ${recoveryMs.median.toFixed(0)} ms, longest ${recoveryMs.max.toFixed(0)} ms`)
  for (const { stream, what } of violations) console.log(`  BROKEN ${stream}: ${what}`)
  console.log(`  ${violations.length} broken promises`)
  return violations.length
}

function part(name: string | undefined): 'streams' | 'records' | null {
  if (name === undefined) return null
  if (name === 'streams' || name === 'records') return name
  console.error(`--only ${name}: expected streams or records`)
  process.exit(2)
}

function storageMode(name: string): StorageMode {
  if (name === 'acid' || name === 'file-durable' || name === 'file-fast') return name
  console.error(`--mode ${name}: expected acid, file-durable or file-fast (memory keeps nothing over a kill)`)
  process.exit(2)
}

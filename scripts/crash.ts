/** `bun run crash`: the long form of the crash test. Prints seed and totals; ends with 1 when a promise was broken. */
import { parseArgs } from 'node:util'
import { runCampaign } from '../test/crash/campaign.ts'
import type { StorageMode } from '../test/support/server.ts'

const help = `bun run crash [--kills N] [--mode acid|file-durable|file-fast] [--shards N] [--seed N] [--bin PATH]

  --kills N    how often the server is killed (200)
  --mode M     storage mode; without it acid and file-durable take turns, half of the kills each
  --shards N   SQLite files in acid mode (the server's default)
  --seed N     repeats the choices of an earlier run (moments and operations; the machine still has its own timing)
  --bin PATH   the executable; 'source' for the sources (HEADWATER_BIN, dist/headwater when it is fresh, the sources)
`

const { values } = parseArgs({
  options: {
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
const kills = Math.max(1, Math.ceil(Number(values.kills) / modes.length))
let broken = 0
for (const mode of modes) broken += await crash(mode)
process.exit(broken > 0 ? 1 : 0)

async function crash(mode: StorageMode): Promise<number> {
  console.log(`${mode}: ${kills} kills, seed ${seed}`)
  const startedMs = performance.now()
  const result = await runCampaign({
    mode,
    kills,
    seed,
    ...(values.shards ? { shards: Number(values.shards) } : {}),
    ...(values.bin ? { bin: values.bin } : {}),
    onCycle: (kill, totals, readyMs) => {
      if (kill % 10 === 0) console.log(`  ${kill} kills, ${totals.recordsAcked} records acknowledged, ready in ${readyMs.toFixed(0)} ms`)
    },
  })
  const { totals, recoveryMs, violations } = result
  console.log(`  seed ${seed}, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
  for (const [name, value] of Object.entries(totals)) console.log(`  ${name.padEnd(18)} ${value}`)
  console.log(`  recovery           median ${recoveryMs.median.toFixed(0)} ms, longest ${recoveryMs.max.toFixed(0)} ms`)
  for (const { stream, what } of violations) console.log(`  BROKEN ${stream}: ${what}`)
  console.log(`  ${violations.length} broken promises`)
  return violations.length
}

function storageMode(name: string): StorageMode {
  if (name === 'acid' || name === 'file-durable' || name === 'file-fast') return name
  console.error(`--mode ${name}: expected acid, file-durable or file-fast (memory keeps nothing over a kill)`)
  process.exit(2)
}

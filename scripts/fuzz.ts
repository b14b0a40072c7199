/** `bun run fuzz`: the long form of the fuzz test. Prints seed and totals; ends with 1 when streams and model differ. */
import { parseArgs } from 'node:util'
import { fuzzStreams } from '../test/fuzz/stream-fuzz.ts'
import { kindName, storeKinds } from '../test/support/stream-store.ts'

const help = `bun run fuzz [--seed N] [--steps N] [--runs N] [--mode acid|file-durable|file-fast|memory] [--shards N]

  --seed N     the first seed; the runs that follow take the next ones (time)
  --steps N    operations of one run (2000)
  --runs N     runs in each form of the store (10)
  --mode M     storage mode; without it all of them
  --shards N   SQLite files in acid mode (1 and 16)
`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '10' },
    mode: { type: 'string' },
    shards: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(help)
  process.exit(0)
}
const firstSeed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const shards = values.shards === undefined ? null : Number(values.shards)
const known = storeKinds.filter(kind => values.mode === undefined || kind.mode === values.mode)
const kinds = shards === null ? known : known.slice(0, 1).map(kind => ({ ...kind, shards }))
if (kinds.length === 0) throw new Error(`no storage mode is called ${values.mode}`)
let different = 0
for (const kind of kinds) {
  for (let run = 0; run < Number(values.runs); run++) {
    const seed = firstSeed + run
    try {
      const totals = await fuzzStreams({ kind, seed, steps: Number(values.steps) })
      console.log(`${kindName(kind)}, seed ${seed}: ${totals.accepted} accepted, ${totals.refused} refused, ${totals.reopened} times opened again`)
    } catch (error) {
      different++
      console.error(error instanceof Error ? error.message : error)
    }
  }
}
console.log(different === 0 ? `no difference; the first seed was ${firstSeed}` : `${different} runs differ; the first seed was ${firstSeed}`)
process.exit(different > 0 ? 1 : 0)

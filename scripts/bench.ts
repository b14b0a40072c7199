/** `bun run bench`: measures our executable beside the npm reference server and the bare limit, in turns, and prints Markdown. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fullSizes, measureGrowth, quickSizes } from './bench/growth.ts'
import { residentMiB } from './bench/measure.ts'
import { planRows, selectRows, type Row } from './bench/plan.ts'
import { reportOf } from './bench/report.ts'
import { Results } from './bench/results.ts'
import { reviveSample, type Job, type Sample, type Scenario } from './bench/sample.ts'
import { ours, startTarget, type Target } from './bench/targets.ts'

// `bun run bench records` is another measurement, with options of its own.
if (process.argv[2] === 'records') {
  const { benchRecords } = await import('./bench/records.ts')
  await benchRecords(process.argv.slice(3))
  process.exit(0)
}

const help = `bun run bench records [--help]       measures record APIs
bun run bench [--quick] [--secs N] [--runs N] [--only KEY,…] [--peer NAME=URL]… [--bin PATH] [--markdown FILE]

  --quick          every row once, small and short: shows that it works, its numbers mean nothing
  --secs N         seconds that each sample is measured, after one second of warming up (4)
  --runs N         rounds over all rows and servers; medians are reported (3)
  --only KEY,…     rows whose key begins so: append, batch, deliver, fanout, read, create, growth
  --peer NAME=URL  another server, by its root or its stream root; may be repeated
  --bin PATH       our executable; 'source' for the sources (HEADWATER_BIN, dist/headwater, built anew when it is stale)
  --markdown FILE  writes the report there too
`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    secs: { type: 'string' },
    runs: { type: 'string' },
    only: { type: 'string' },
    peer: { type: 'string', multiple: true, default: [] },
    bin: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(help)
  process.exit(0)
}
const { quick, only, bin } = values
const seconds = Number(values.secs ?? (quick ? 0.3 : 4))
const warmSeconds = quick ? 0.1 : 1
const runs = Number(values.runs ?? (quick ? 1 : 3))
const peers = new Map(values.peer.map(peer => [peer.slice(0, peer.indexOf('=')), peer.slice(peer.indexOf('=') + 1)]))
const jobMsMax = seconds * 1000 + 180_000

const rows = selectRows(planRows({ quick, peers: [...peers.keys()] }), only)
const results = new Results()
await measureRows(rows)
if (!only || only.split(',').includes('growth')) await measureGrowth(results, quick ? quickSizes : fullSizes, bin, run, log)
const report = reportOf(results, rows, ['bun run bench', ...process.argv.slice(2)].join(' '))
console.log(report)
if (values.markdown) await Bun.write(values.markdown, report)
process.exit(0)

async function measureRows(rows: readonly Row[]): Promise<void> {
  const names = [...new Set(rows.flatMap(row => row.targets))]
  const targets = new Map<string, Target>()
  try {
    for (const name of names) targets.set(name, await startTarget(name, bin, peers))
    for (let round = 1; round <= runs; round++) {
      for (const row of rows) await measureRow(row, targets, round)
    }
    // The suite is over: what the server holds now is what it keeps.
    if (!only) for (const name of ours) results.facts.set(`rss ${name}`, residentMiB(targets.get(name)?.pid))
  } finally {
    for (const target of targets.values()) await target.close()
  }
}

async function measureRow(row: Row, targets: ReadonlyMap<string, Target>, round: number): Promise<void> {
  for (const name of row.targets) {
    const target = targets.get(name)
    if (!target) continue
    const sample = await run(target.base, target.pid, row.scenario)
    results.add(row.key, name, sample)
    log(`#${round} ${row.key} ${name}: ${sample.rate.toFixed(0)} ${row.unit}, p50 ${sample.p50Ms.toFixed(2)}, p99 ${sample.p99Ms.toFixed(2)} ms, ${sample.errors} errors`)
  }
}

/** Runs one job in a process of its own, so that no job leaves a heap behind for the next. */
async function run(base: string, pid: number | undefined, scenario: Scenario): Promise<Sample> {
  const job: Job = { base, seconds, warmSeconds, scenario, ...(pid === undefined ? {} : { pid }) }
  const child = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, 'bench/worker.ts'), JSON.stringify(job)],
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: jobMsMax,
    killSignal: 'SIGKILL',
  })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`the load generator failed: ${JSON.stringify(job)}`)
  return reviveSample(JSON.parse(text))
}

function log(line: string): void {
  console.error(line)
}

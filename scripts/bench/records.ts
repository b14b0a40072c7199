/** `bun run bench records`: record APIs with token and rule beside a bare Bun.serve over the same statements, in turns, and Markdown. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keyedRows, planRecords, type RecordExtent, type RecordRow } from './records-plan.ts'
import { recordReport } from './records-report.ts'
import type { RecordJob, RecordTarget } from './records-scenario.ts'
import { startBareRecords, startOurs, type RunningTarget } from './records-targets.ts'
import { Results } from './results.ts'
import { reviveSample, type Sample } from './sample.ts'

const help = `bun run bench records [--quick] [--secs N] [--runs N] [--only KEY,…] [--messages N] [--bin PATH] [--markdown FILE]

  --quick          every row once, small and short: shows that it works, its numbers mean nothing
  --secs N         seconds that each sample is measured, after one second of warming up (4)
  --runs N         rounds over all rows and servers; medians are reported (3)
  --only KEY,…     rows whose key begins so: insert, bulk, read, list, deliver, paced, keyed
  --messages N     rows of the large table (1000000)
  --bin PATH       our executable; 'source' for the sources (HEADWATER_BIN, dist/headwater when it is fresh, the sources)
  --markdown FILE  writes the report there too
`

const smallMessages = 1000

export async function benchRecords(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      secs: { type: 'string' },
      runs: { type: 'string' },
      only: { type: 'string' },
      messages: { type: 'string' },
      bin: { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return console.log(help)
  const { quick, only, bin } = values
  const run: Run = {
    seconds: Number(values.secs ?? (quick ? 0.3 : 4)),
    warmSeconds: quick ? 0.1 : 1,
    runs: Number(values.runs ?? (quick ? 1 : 3)),
    messages: Number(values.messages ?? (quick ? 20_000 : 1_000_000)),
    bin,
    results: new Results(),
  }
  const extent: RecordExtent = { quick, only: only?.split(',').filter(word => word !== '') ?? [] }
  const rows = planRecords(extent)
  await measureLarge(run, rows)
  const keyed = keyedRows(extent)
  if (keyed.length > 0) await measureKeyed(run, keyed)
  const report = recordReport(run.results, rows, keyed, { how: ['bun run bench records', ...args].join(' '), messages: run.messages, smallMessages })
  console.log(report)
  if (values.markdown) await Bun.write(values.markdown, report)
}

interface Run {
  readonly seconds: number
  readonly warmSeconds: number
  readonly runs: number
  readonly messages: number
  readonly bin: string | undefined
  readonly results: Results
}

async function measureLarge(run: Run, rows: readonly RecordRow[]): Promise<void> {
  if (rows.length === 0) return
  await using ours = closing(await startOurs(run.messages, run.bin))
  await using bare = closing(await startBareRecords(run.messages, ours.target, run.bin))
  const targets = new Map([
    ['headwater', ours.target],
    ['bare', bare.target],
  ])
  for (let round = 1; round <= run.runs; round++) {
    for (const row of rows) {
      for (const name of row.targets) await measureRow(run, row, name, targets.get(name) ?? ours.target, round)
    }
  }
}

/** The same keyed requests against a small table and a large one, each on a fresh server. */
async function measureKeyed(run: Run, rows: readonly RecordRow[]): Promise<void> {
  await using small = closing(await startOurs(smallMessages, run.bin))
  await using large = closing(await startOurs(run.messages, run.bin))
  for (let round = 1; round <= run.runs; round++) {
    for (const row of rows) {
      await measureRow(run, row, 'small', small.target, round)
      await measureRow(run, row, 'large', large.target, round)
    }
  }
}

async function measureRow(run: Run, row: RecordRow, name: string, target: RecordTarget, round: number): Promise<void> {
  const sample = await sampleOf({ seconds: run.seconds, warmSeconds: run.warmSeconds, target, scenario: row.scenario })
  run.results.add(row.key, name, sample)
  const figures = `${sample.rate.toFixed(0)} ${row.unit}, p50 ${sample.p50Ms.toFixed(2)}, p99 ${sample.p99Ms.toFixed(2)} ms, ${sample.errors} errors`
  console.error(`#${round} ${row.key} ${name}: ${figures}`)
}

/** Runs one job in a process of its own, so that no job leaves a heap behind for the next. */
async function sampleOf(job: RecordJob): Promise<Sample> {
  const child = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, 'records-worker.ts'), JSON.stringify(job)],
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: job.seconds * 1000 + 60_000,
    killSignal: 'SIGKILL',
  })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`the load generator failed: ${JSON.stringify(job.scenario)}`)
  return reviveSample(JSON.parse(text))
}

function closing(target: RunningTarget): AsyncDisposable & { readonly target: RunningTarget } {
  return { target, [Symbol.asyncDispose]: () => target.close() }
}

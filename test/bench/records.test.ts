/** The benchmark of records runs from end to end and reports every row; its bars are judged right. Its numbers are no matter of a test. */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyedRows, planRecords } from '../../scripts/bench/records-plan.ts'
import { recordBars } from '../../scripts/bench/records-report.ts'
import { Results } from '../../scripts/bench/results.ts'
import type { Sample } from '../../scripts/bench/sample.ts'
import { repository } from '../support/command.ts'

test('bun run bench records --quick measures every row and writes its report', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  try {
    const file = join(directory, 'report.md')
    const child = Bun.spawn({
      cmd: [process.execPath, 'scripts/bench.ts', 'records', '--quick', '--secs', '0.1', '--messages', '2000', '--markdown', file],
      cwd: repository,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [printed, log, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
    expect([code, code === 0 ? '' : log]).toEqual([0, ''])
    const report = readFileSync(file, 'utf8')
    expect(printed).toContain(report)
    for (const heading of ['### Rates of records', '### Small and large table', '### Bars of records']) expect(report).toContain(heading)
    for (const { title } of [...planRecords({ quick: true, only: [] }), ...keyedRows({ quick: true, only: [] })]) expect(report).toContain(title)
    // An answer that is no success would be a fault of the server, not of the machine's day.
    expect(log.trim().split('\n').filter(line => !line.endsWith(' 0 errors'))).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 120_000)

describe('bars', () => {
  const sample = (figures: Partial<Sample>): Sample => ({ rate: 1, perCpuSecond: 1, p50Ms: 1, p99Ms: 1, ackP99Ms: 1, residentMiB: 1, otherCpuShare: 0, errors: 0, ...figures })
  const met = (results: Results) => Object.fromEntries(recordBars(results).map(bar => [bar.title, bar.met]))

  test('are met, missed, or not measured', () => {
    const results = new Results()
    results.add('insert-64', 'headwater', sample({ rate: 13_000 }))
    results.add('insert-64', 'bare', sample({ rate: 27_000 }))
    results.add('read-64', 'headwater', sample({ rate: 30_000, errors: 1 }))
    results.add('read-64', 'bare', sample({ rate: 40_000 }))
    results.add('deliver', 'headwater', sample({ p99Ms: 3, ackP99Ms: 2 }))
    results.add('keyed-read', 'small', sample({ perCpuSecond: 10 }))
    results.add('keyed-read', 'large', sample({ perCpuSecond: 5 }))
    expect(met(results)).toMatchObject({
      'inserts at 64 connections, to the bare limit': false,
      'inserts a second at 64 connections (a guide)': true,
      'point reads at 64 connections, to the bare limit': false,
      "p99 of delivery to a subscriber, to the commit's": true,
      'processor time per point read, large table to small': false,
      'processor time per insert, large table to small': undefined,
    })
  })
})

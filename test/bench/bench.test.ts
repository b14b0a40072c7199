/** The benchmark script runs from end to end and reports every row. Its numbers are no matter of a test. */
import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from '../support/command.ts'

test('bun run bench --quick measures every row on every server and writes its report', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-bench-'))
  try {
    const file = join(directory, 'report.md')
    const child = Bun.spawn({
      cmd: [process.execPath, 'scripts/bench.ts', '--quick', '--markdown', file],
      cwd: repository,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [printed, log, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
    expect([code, code === 0 ? '' : log]).toEqual([0, ''])
    const report = readFileSync(file, 'utf8')
    expect(printed).toContain(report)
    for (const heading of ['### Rates', '### Per server-CPU-second', '### Single figures', '### Bars']) expect(report).toContain(heading)
    for (const name of ['acid', 'file-durable', 'reference memory', 'reference file', 'bare limit']) expect(report).toContain(name)
    // A rate of our own with errors would be a fault of the server, not of the machine's day.
    expect(log.split('\n').filter(line => / (acid|file-durable): /.test(line) && !line.endsWith(' 0 errors'))).toEqual([])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 120_000)

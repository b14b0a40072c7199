/** `headwater check`: read all files of a depot and verify every checksum. Changes nothing. */
import type { Command } from 'commander'
import { addConfigFlags, loadDepot, type ConfigFlags } from './configured.ts'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { humanBytes, jsonLine } from './output.ts'
import { startProgress } from './progress.ts'
import type { CheckReport } from './product.ts'
import { plain } from './io.ts'

interface CheckFlags extends ConfigFlags {
  readonly json?: boolean
}

export function addCheck(program: Command, context: Context): void {
  const command = program
    .command('check')
    .description('Verify every file and checksum of a depot; exit code 1 when something is damaged')
    .action(context.action((flags: CheckFlags) => check(context, flags)))
  addConfigFlags(command, 'depot')
  command.option('--json', 'print JSON')
  addExamples(command, [
    ['headwater check --depot /var/lib/headwater', 'with the server stopped'],
    ['headwater check --json | jq .problems', 'what is damaged'],
  ])
}

async function check(context: Context, flags: CheckFlags): Promise<number> {
  const loaded = loadDepot(context, flags)
  const isJson = flags.json === true
  const progress = await startProgress(context.io, `checking ${loaded.config.depot}`, null, isJson)
  const report = await context.product.check(loaded, doneBytes => progress.at(doneBytes))
  progress.stop(report.problems.length === 0 ? 'no damage' : `${report.problems.length} problems`)
  await context.io.out(isJson ? jsonLine(report) : textOf(report))
  return report.problems.length === 0 ? exitOk : exitFailed
}

function textOf(report: CheckReport): string {
  const lines = report.problems.map(({ file, problem }) => `${plain(file)}: ${plain(problem)}\n`).join('')
  const notes = report.notes.map(({ file, problem }) => `note: ${plain(file)}: ${plain(problem)}\n`).join('')
  const found = report.problems.length === 0 ? 'no damage found' : `${report.problems.length} problems found`
  return `${lines}${notes}${report.files} files, ${report.streams} streams, ${humanBytes(report.bytes)}: ${found}\n`
}

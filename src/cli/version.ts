/** `headwater version`: which build this is, and of what. */
import type { Command } from 'commander'
import { build } from '../lib/build.ts'
import { addExamples, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'

export function addVersion(program: Command, context: Context): void {
  const command = program
    .command('version')
    .description('Print the version of this program and of what it is built from')
    .option('--json', 'print JSON')
    .action(context.action((flags: { json?: boolean }) => printVersion(context, flags.json === true)))
  addExamples(command, [
    ['headwater version', 'for people'],
    ['headwater version --json | jq -r .version', 'for scripts'],
  ])
}

async function printVersion(context: Context, isJson: boolean): Promise<number> {
  const facts = { version: build.version, revision: build.revision, bun: Bun.version, platform: process.platform, arch: process.arch }
  if (isJson) await context.io.out(jsonLine(facts))
  else await context.io.out(`headwater ${facts.version} (${facts.revision}, bun ${facts.bun}, ${facts.platform}-${facts.arch})\n`)
  return exitOk
}

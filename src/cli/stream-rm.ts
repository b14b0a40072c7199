/** `headwater stream rm`: delete streams. Asks first on a terminal. */
import type { Command } from 'commander'
import { addExamples, exitFailed, exitOk, type Context } from './context.ts'
import { jsonLine } from './output.ts'
import { addTargetFlags, expectOk, openTarget, type TargetFlags } from './target.ts'

interface RmFlags extends TargetFlags {
  readonly yes?: boolean
}

export function addRm(parent: Command, context: Context): void {
  const command = parent
    .command('rm')
    .description('Delete streams with all their data; this cannot be taken back')
    .argument('<paths...>', 'paths of the streams')
    .option('-y, --yes', 'do not ask')
    .action(context.action((paths: readonly string[], flags: RmFlags) => remove(context, paths, flags)))
  addTargetFlags(command)
  addExamples(command, [
    ['headwater stream rm chat/1 chat/2', 'two streams'],
    ['headwater stream ls tmp/ --json | jq -r .path | xargs headwater stream rm --yes', 'all below tmp/'],
  ])
}

async function remove(context: Context, paths: readonly string[], flags: RmFlags): Promise<number> {
  if (flags.yes !== true && !(await isConfirmed(context, paths))) return exitFailed
  const target = await openTarget(context, flags)
  try {
    for (const path of paths) {
      await expectOk(await target.stream(path, { method: 'DELETE' }), `remove ${path}`)
      await context.io.out(flags.json === true ? jsonLine({ path, removed: true }) : `removed ${path}\n`)
    }
    return exitOk
  } finally {
    await target.close()
  }
}

/** Without a terminal nobody can be asked, and the command line says what is wanted. */
async function isConfirmed(context: Context, paths: readonly string[]): Promise<boolean> {
  if (!context.io.stdinIsTerminal || !context.io.stderrIsTerminal) return true
  const { confirm } = await import('@clack/prompts')
  const what = paths.length === 1 ? paths[0] : `${paths.length} streams`
  const answer = await confirm({ message: `Delete ${what} with all data?`, initialValue: false, output: process.stderr })
  return answer === true
}

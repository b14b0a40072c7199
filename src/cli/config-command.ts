/** Registers `headwater config check` and `config print`; what they do is cli/config.ts. */
import type { Command } from 'commander'
import { configCheck, configPrint } from './config.ts'
import { addConfigFlags, inputsOf } from './configured.ts'
import { addExamples, type Context } from './context.ts'

interface PrintFlags {
  readonly json?: boolean
  readonly origin?: boolean
}

export function addConfig(program: Command, context: Context): void {
  const config = program.command('config').description('Check or print the configuration without starting; takes the flags of serve')
  addExamples(config, [['headwater config print --origin', 'every value and where it comes from']])
  const check = config
    .command('check')
    .description('Read the configuration and list every problem; exit code 78 when there is one')
    .action(context.action((flags: PrintFlags) => configCheck(context.io, inputsOf(context, flags), flags)))
  addConfigFlags(check, 'all')
  check.option('--json', 'print JSON')
  addExamples(check, [
    ['headwater config check --depot /var/lib/headwater', 'before a restart'],
    ['headwater config check --config new.textproto && systemctl restart headwater', 'only when it is fine'],
  ])
  const print = config
    .command('print')
    .description('Print every value as the server would use it, as a config file that reads back; secrets are masked')
    .option('--origin', 'say for each value where it comes from')
    .action(context.action((flags: PrintFlags) => configPrint(context.io, inputsOf(context, flags), flags)))
  addConfigFlags(print, 'all')
  print.option('--json', 'print JSON')
  addExamples(print, [
    ['headwater config print --origin', 'what holds, and why'],
    ['headwater config print --json | jq .storage', 'one section'],
  ])
}

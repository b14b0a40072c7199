/** Registers `headwater config check`, `config print` and `config reload`; what they do is cli/config.ts and cli/config-reload.ts. */
import type { Command } from 'commander'
import { configReload, type ReloadFlags } from './config-reload.ts'
import { configCheck, configPrint } from './config.ts'
import { addConfigFlags, inputsOf } from './configured.ts'
import { addExamples, type Context } from './context.ts'

interface PrintFlags {
  readonly json?: boolean
  readonly origin?: boolean
}

export function addConfig(program: Command, context: Context): void {
  const config = program.command('config').description('Check or print the configuration without starting, or let a running server read it again')
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
  const reload = config
    .command('reload')
    .description('Let the server on the depot read its configuration and migrations again, as SIGHUP does; a bad one changes nothing')
    .action(context.action((flags: ReloadFlags) => configReload(context, flags)))
  addConfigFlags(reload, 'depot')
  reload.option('--json', 'print JSON')
  addExamples(reload, [['headwater config check && headwater config reload', 'after editing the file']])
}

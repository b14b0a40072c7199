/** Configuration for commands: their flags from the one table of options (ops/options.ts), and the loaded values. */
import { Option, type Command } from 'commander'
import { loadConfig, type ConfigInputs, type LoadedConfig } from '../ops/config.ts'
import { flagSpecs, type FlagSpec } from '../ops/config-flags.ts'
import type { Context } from './context.ts'

/** What commander makes of the flags; ops/config-flags.ts reads them. */
export interface ConfigFlags {
  readonly config?: string
  readonly depot?: string
  readonly dataDir?: string
  readonly set?: readonly string[]
}

/** Flags of commands that work on a depot, as opposed to running the server on it. */
const depotAttributes: readonly string[] = ['config', 'depot', 'dataDir', 'set']

/** Adds the flags of all options, or of those that say which depot and how to read it. */
export function addConfigFlags(command: Command, which: 'all' | 'depot'): void {
  for (const spec of flagSpecs) {
    if (which === 'all' || depotAttributes.includes(spec.attribute)) command.addOption(optionOf(spec))
  }
}

/** Flags that may stand before the command too, as TrailBase takes them: `--data-dir=X --public-url=Y run`. */
const globalAttributes: readonly string[] = ['depot', 'dataDir', 'publicUrl']

export function addGlobalFlags(program: Command): void {
  for (const spec of flagSpecs) {
    // Each command that takes them shows them in its own help.
    if (globalAttributes.includes(spec.attribute)) program.addOption(optionOf(spec).hideHelp())
  }
}

/** Where `serve` and its like take their configuration from: surroundings and all flags; one behind the command wins. */
export function inputsOf(context: Context, flags: object): ConfigInputs {
  return { ...context.inputs, flags: { ...withoutTwins(context.globalFlags(), flags), ...Object.fromEntries(Object.entries(flags)) } }
}

/** Loads the configuration for a command on a depot, whose other flags (`--url`) mean something else than in `serve`. */
export function loadDepot(context: Context, flags: ConfigFlags): LoadedConfig {
  const own = Object.entries({ ...withoutTwins(context.globalFlags(), flags), ...flags }).filter(([name]) => depotAttributes.includes(name))
  return loadConfig({ ...context.inputs, flags: Object.fromEntries(own) })
}

/** `--depot` and `--data-dir` are one flag with two names: of the two, the one behind the command holds. */
function withoutTwins(globals: object, flags: object): object {
  if (!('depot' in flags) && !('dataDir' in flags)) return globals
  return Object.fromEntries(Object.entries(globals).filter(([name]) => name !== 'depot' && name !== 'dataDir'))
}

function optionOf(spec: FlagSpec): Option {
  const option = new Option(spec.flags, spec.help)
  return spec.repeated ? option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]) : option
}

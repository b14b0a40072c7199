/** Flags of the command line that set options: what commander is given, and what it gives back. */
import type { Layer } from './config-layer.ts'
import { canonicalPaths } from './config-layer.ts'
import { camelCase } from './config-kinds-message.ts'
import { isFileOnly } from './config-option.ts'
import type { Problem, Setting } from './config-setting.ts'
import { hint, nearestPath } from '../lib/suggest.ts'
import { optionTable, type OptionPath } from './options.ts'

export interface FlagSpec {
  /** As commander takes it: `-a, --address <HOST:PORT>`. */
  readonly flags: string
  readonly help: string
  /** The name of the value in commander's `opts()`. */
  readonly attribute: string
  /** May be given several times; the value is then a list. */
  readonly repeated: boolean
  /** The option it sets; null for the two that set none of their own. */
  readonly path: OptionPath | null
}

/** commander's `opts()`; names that are no flag of ours are not looked at. */
export type FlagValues = Readonly<Record<string, unknown>>

/** Every flag, in the order of help. */
export const flagSpecs: readonly FlagSpec[] = [
  spec('-c, --config <FILE>', 'config file; else config.textproto or config.json in the depot', null),
  ...[...optionTable].flatMap(([path, option]) =>
    option.flags.map(flag => ({ ...spec(flag.flags, flag.help, path), repeated: flag.repeated === true })),
  ),
  { ...spec('--set <PATH=VALUE>', 'set any option, for instance --set limits.page_bytes=2MiB', null), repeated: true },
]

/** The file that `--config` names, or null. */
export function configFlag(flags: FlagValues): string | null {
  return typeof flags['config'] === 'string' ? flags['config'] : null
}

/** The settings in `flags`; `--set` is applied before the flags of their own. */
export function flagLayer(flags: FlagValues, cwd: string): Layer {
  const problems: Problem[] = []
  const named = flagSpecs.flatMap(flag => {
    const text = textOf(flags[flag.attribute])
    return flag.path === null || text === null ? [] : [setting(flag.path, text, longName(flag.flags), cwd)]
  })
  const general = setFlags(flags['set']).flatMap(text => generalSetting(text, cwd, problems))
  return { settings: [...general, ...named], problems }
}

/** What commander made of a flag, as text: true for one without a value, a list for one that may be repeated. */
function textOf(value: unknown): string | null {
  if (value === true) return 'true'
  if (Array.isArray(value)) return value.length === 0 ? null : value.join(',')
  return typeof value === 'string' ? value : null
}

function spec(flags: string, help: string, path: OptionPath | null): FlagSpec {
  const attribute = camelCase(longName(flags).slice(2).replaceAll('-', '_'))
  return { flags, help, attribute, repeated: false, path }
}

function longName(flags: string): string {
  return /--[a-z][a-z-]*/.exec(flags)?.[0] ?? flags
}

function setFlags(value: unknown): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value]
  return texts.filter(text => typeof text === 'string')
}

function generalSetting(text: string, cwd: string, problems: Problem[]): readonly Setting[] {
  const equals = text.indexOf('=')
  const name = equals < 0 ? text : text.slice(0, equals)
  const path = canonicalPaths.get(name)
  const option = path === undefined ? undefined : optionTable.get(path)
  if (path === undefined || option === undefined) {
    const near = hint(nearestPath(name, [...canonicalPaths.keys()]))
    problems.push({ path: name, message: `unknown option${near}`, where: '--set' })
  } else if (isFileOnly(option)) {
    problems.push({ path, message: 'can only be set in a config file', where: '--set' })
  } else if (equals < 0) {
    problems.push({ path, message: `expected --set ${path}=VALUE, got no "="`, where: '--set' })
  } else return [setting(path, text.slice(equals + 1), '--set', cwd)]
  return []
}

function setting(path: OptionPath, text: string, flag: string, cwd: string): Setting {
  const raw = optionTable.get(path)?.kind.fromText(text)
  return { path, raw, origin: `flag ${flag}`, where: () => flag, written: text, baseDir: cwd }
}

/** Loads the configuration: defaults < file < vault < environment < flags. The only file that reads process.env; the names are options.ts. */
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { OperatorError } from '../lib/errors.ts'
import { conflicts, doubts, unusedWarnings } from './config-checks.ts'
import { environmentLayer, type Environment, type ReadFile } from './config-environment.ts'
import { configFlag, flagLayer, type FlagValues } from './config-flags.ts'
import { parseJson } from './config-json.ts'
import { camelCase } from './config-kinds-message.ts'
import { fileLayer, type Layer } from './config-layer.ts'
import { vaultLayer, withoutMasks } from './config-secrets.ts'
import { problemsOf, type Problem, type Setting } from './config-setting.ts'
import { SyntaxFault } from './config-tree.ts'
import { optionTable, type Config, type OptionPath } from './options.ts'
import { parseTextproto } from './textproto.ts'

export interface ConfigInputs {
  /** commander's `opts()` of the command. */
  readonly flags: FlagValues
  readonly env: Environment
  readonly readFile: ReadFile
  /** Absolute; relative paths in the environment and flags are taken from here. */
  readonly cwd: string
}

export interface LoadedConfig {
  /** Frozen to its leaves. */
  readonly config: Config
  /** The same by path, for printing. */
  readonly values: ReadonlyMap<OptionPath, unknown>
  /** Per path: `default`, `file <path>:<line>:<column>`, `vault <KEY>`, `env <NAME>` or `flag --<name>`. */
  readonly origins: ReadonlyMap<OptionPath, string>
  /** Sentences for the log: variables that are not used, and settings that are hardly meant. */
  readonly warnings: readonly string[]
  /** The config file that was read, or null. */
  readonly file: string | null
}

/** What else the process is told by its surroundings. */
export interface Surroundings {
  readonly noColor: boolean
  readonly notifySocket: string | null
  readonly watchdogUsec: number | null
  readonly journalStream: string | null
}

/** Largest config file that is read. */
export const configBytesMax = 1024 * 1024

/** Reads and checks everything. Throws `OperatorError` (78) that lists every problem; secrets are not in its words. */
export function loadConfig(inputs: ConfigInputs): LoadedConfig {
  const environment = environmentLayer(inputs.env, inputs.readFile, inputs.cwd)
  const flags = flagLayer(inputs.flags, inputs.cwd)
  const depot = depotOf([...environment.settings, ...flags.settings], inputs.cwd)
  const file = findFile(inputs, depot)
  const vault = vaultLayer(inputs.readFile, depot)
  const isSetLater = (path: OptionPath) => [vault, environment, flags].some(layer => layer.settings.some(setting => setting.path === path))
  const read = file === null ? { settings: [], problems: [] } : readConfigFile(file.path, file.text)
  const fromFile = withoutMasks(read, inputs.env, vault, isSetLater)
  const layers = [fromFile, vault, environment, flags]
  const problems = [...collectProblems(layers), ...movedDepot(fromFile, inputs, depot)]
  if (problems.length > 0) throw refusal(problems)
  const settings = layers.flatMap(layer => layer.settings)
  const values = valuesOf(settings, inputs.cwd)
  const config = configOf(values)
  const found = conflicts(config, path => settings.some(setting => setting.path === path))
  if (found.length > 0) throw refusal(found.map(({ path, below, message }) => ({ path: `${path}${below}`, message, where: placeOf(settings, path, below) })))
  const origins = new Map([...values.keys()].map(path => [path, settings.findLast(setting => setting.path === path)?.origin ?? 'default']))
  const warnings = [...environment.warnings, ...vault.warnings, ...fromFile.warnings, ...doubts(config), ...unusedWarnings(values)]
  return { config, values, origins, warnings, file: file?.path ?? null }
}

/** The nested form of `values`, one for each option; frozen. */
export function configOf(values: ReadonlyMap<OptionPath, unknown>): Config {
  const root: Record<string, unknown> = {}
  for (const [path, value] of values) {
    const names = path.split('.').map(camelCase)
    let section = root
    for (const name of names.slice(0, -1)) section = (section[name] ??= {}) as Record<string, unknown>
    section[names.at(-1) ?? path] = value
  }
  // `Nested` says in types what the loop above does: one property per path of the table.
  return freeze(root) as Config
}

/** The inputs of this process. */
export function systemInputs(flags: FlagValues): ConfigInputs {
  return { flags, env: process.env, readFile: readSystemFile, cwd: process.cwd() }
}

/** The surroundings of this process. */
export function readSurroundings(env: Environment = process.env): Surroundings {
  const watchdog = Number(env['WATCHDOG_USEC'])
  // Set for another process when WATCHDOG_PID is not ours (sd_watchdog_enabled(3)).
  const ours = (env['WATCHDOG_PID'] ?? '') === '' || Number(env['WATCHDOG_PID']) === process.pid
  return {
    noColor: (env['NO_COLOR'] ?? '') !== '',
    notifySocket: env['NOTIFY_SOCKET'] || null,
    watchdogUsec: ours && Number.isSafeInteger(watchdog) && watchdog > 0 ? watchdog : null,
    journalStream: env['JOURNAL_STREAM'] || null,
  }
}

/** Reads a file as text; null when it does not exist. Other faults and files beyond `configBytesMax` are an `OperatorError`. */
function readSystemFile(path: string): string | null {
  try {
    if (statSync(path).size > configBytesMax) {
      throw new OperatorError(`${path} is larger than ${configBytesMax} bytes`, 'Name the right file.', 78)
    }
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`${path} cannot be read (${String(code)})`, 'Let the server’s user read the file.', 78)
  }
}

function depotOf(settings: readonly Setting[], cwd: string): string {
  const given = settings.findLast(setting => setting.path === 'depot')
  return resolve(cwd, String(given?.raw ?? optionTable.get('depot')?.initial))
}

function findFile(inputs: ConfigInputs, depot: string): { readonly path: string; readonly text: string } | null {
  const named = configFlag(inputs.flags)
  const candidates = named === null ? ['config.textproto', 'config.json'].map(name => join(depot, name)) : [resolve(inputs.cwd, named)]
  const found = candidates.flatMap(path => {
    const text = inputs.readFile(path)
    return text === null ? [] : [{ path, text }]
  })
  if (found.length > 1) {
    throw new OperatorError(`there are two config files: ${found.map(file => file.path).join(' and ')}`, 'Remove one, or name one with --config.', 78)
  }
  if (named !== null && found.length === 0) {
    throw new OperatorError(`there is no config file ${candidates.join('')}`, 'Correct --config.', 78)
  }
  return found[0] ?? null
}

function readConfigFile(path: string, text: string): Layer {
  try {
    return fileLayer(/\.jsonc?$/i.test(path) ? parseJson(text) : parseTextproto(text), path)
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    const where = `${path}:${error.at.line}:${error.at.column}`
    return { settings: [], problems: [{ path: 'syntax', message: error.message, where }] }
  }
}

function collectProblems(layers: readonly Layer[]): readonly Problem[] {
  return layers.flatMap(layer => {
    const complained = new Set(layer.problems.map(problem => problem.path))
    const further = layer.settings.flatMap(problemsOf).filter(problem => !complained.has(problem.path))
    return [...layer.problems, ...further]
  })
}

/** A depot's own file must not lead to another depot: which of the two would the server own? */
function movedDepot(fromFile: Layer, inputs: ConfigInputs, depot: string): readonly Problem[] {
  const moved = fromFile.settings.find(setting => setting.path === 'depot')
  if (moved === undefined || configFlag(inputs.flags) !== null) return []
  if (typeof moved.raw !== 'string' || resolve(moved.baseDir, moved.raw) === depot) return []
  const message = `expected ${JSON.stringify(depot)}, where this file was found, got ${JSON.stringify(moved.raw)}`
  return [{ path: 'depot', message, where: moved.where('') }]
}

function valuesOf(settings: readonly Setting[], cwd: string): ReadonlyMap<OptionPath, unknown> {
  const values = new Map<OptionPath, unknown>()
  for (const [path, option] of optionTable) {
    // A default path is relative to the working directory, like one from a flag.
    const isPath = option.kind.name === 'path' && option.initial !== null
    values.set(path, isPath ? option.kind.read(option.initial, { baseDir: cwd, previous: null }) : option.initial)
  }
  for (const setting of settings) {
    const previous = values.get(setting.path)
    values.set(setting.path, optionTable.get(setting.path)?.kind.read(setting.raw, { baseDir: setting.baseDir, previous }))
  }
  const isSet = new Set(settings.map(setting => setting.path))
  for (const [path, option] of optionTable) {
    if (option.derive !== undefined && !isSet.has(path)) values.set(path, option.derive(values))
  }
  return values
}

function freeze(value: object): object {
  for (const below of Object.values(value)) if (typeof below === 'object' && below !== null) freeze(below)
  return Object.freeze(value)
}

function placeOf(settings: readonly Setting[], path: OptionPath, below: string): string {
  return settings.findLast(setting => setting.path === path)?.where(below) ?? 'not set'
}

function refusal(problems: readonly Problem[]): OperatorError {
  const lines = problems.map(problem => `  ${problem.path}: ${problem.message} (${problem.where})`)
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return new OperatorError(
    `the configuration has ${count}:\n${lines.join('\n')}`,
    'Correct it; `headwater config check` tries it without starting, and docs/configuration.md lists every option.',
    78,
  )
}

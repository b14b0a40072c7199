/** Settings from variables of the environment, which come as a parameter. Reading process.env is config.ts. */
import { resolve } from 'node:path'
import type { Layer } from './config-layer.ts'
import { canonicalPaths } from './config-layer.ts'
import { envName, envNames, isFileOnly, trailName, type EnvAlias, type Option } from './config-option.ts'
import type { Problem, Setting } from './config-setting.ts'
import { hint, nearest } from '../lib/suggest.ts'
import { foreignPaths, optionTable, type OptionPath } from './options.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The text of a file, or null when there is none. Throws when it cannot be read. */
export type ReadFile = (path: string) => string | null

export interface EnvironmentLayer extends Layer {
  readonly warnings: readonly string[]
}

/** The settings in `env`, weakest name of each option first. A variable that is empty counts as not set. */
export function environmentLayer(env: Environment, readFile: ReadFile, cwd: string): EnvironmentLayer {
  const problems: Problem[] = []
  const warnings: string[] = []
  const settings = [...optionTable].flatMap(([path, option]) => {
    if (isFileOnly(option)) return []
    const found = envNames(path, option).flatMap(alias => {
      const given = variable(env, alias.name, option, readFile, cwd, problems)
      return given === null ? [] : [setting(path, option, alias, given, cwd)]
    })
    warnings.push(...overridden(found))
    return found
  })
  for (const name of Object.keys(env).sort()) judgeUnknown(name, env[name] ?? '', problems, warnings)
  return { settings, problems, warnings }
}

/** Every name that the environment may use, with the file variants of secrets. */
export const environmentNames: ReadonlyMap<string, OptionPath> = new Map(
  [...optionTable]
    .filter(([, option]) => !isFileOnly(option))
    .flatMap(([path, option]) =>
      envNames(path, option)
        .flatMap(alias => (option.secret ? [alias.name, `${alias.name}_FILE`] : [alias.name]))
        .map(name => [name, path] as const),
    ),
)

interface Variable {
  readonly name: string
  readonly text: string
}

function setting(path: OptionPath, option: Option<unknown>, alias: EnvAlias, given: Variable, cwd: string): Setting {
  const { name, text } = given
  const raw = option.kind.fromText(`${alias.prefix ?? ''}${text}`)
  const narrowed = alias.expected === undefined ? {} : { expected: alias.expected }
  return { path, raw, origin: `env ${name}`, where: () => name, written: text, ...narrowed, baseDir: cwd }
}

/** Variable `name`, or its text in the file that `<name>_FILE` names for a secret. */
function variable(
  env: Environment,
  name: string,
  option: Option<unknown>,
  readFile: ReadFile,
  cwd: string,
  problems: Problem[],
): Variable | null {
  const text = env[name]?.trim() ?? ''
  const file = option.secret ? (env[`${name}_FILE`]?.trim() ?? '') : ''
  if (file === '') return text === '' ? null : { name, text }
  const where = `${name}_FILE`
  if (text !== '') {
    problems.push({ path: name, message: `expected one of ${name} and ${name}_FILE, got both`, where })
    return null
  }
  const content = readFile(resolve(cwd, file))
  if (content !== null) return { name: where, text: content.trim() }
  problems.push({ path: where, message: `expected a readable file, got ${JSON.stringify(file)}`, where })
  return null
}

/** A sentence for each variable that a stronger one makes void. Addresses may share: one the host, another the port. */
function overridden(settings: readonly Setting[]): readonly string[] {
  const final = settings.at(-1)
  if (final === undefined) return []
  return settings.slice(0, -1).flatMap(setting => {
    if (setting.written === final.written || setting.raw === final.raw) return []
    return sharesAddress(setting, final) ? [] : [`${setting.where('')} is not used, because ${final.where('')} is set too`]
  })
}

/** True when `final` sets only the half of an address that `setting` may leave open. */
function sharesAddress(setting: Setting, final: Setting): boolean {
  if (final.path !== 'server.bind_address' || typeof final.raw !== 'string') return false
  const isPort = (raw: unknown) => /^:[0-9]+$/.test(String(raw))
  return isPort(final.raw) ? !isPort(setting.raw) : !/:[0-9]+$/.test(final.raw)
}

function judgeUnknown(name: string, value: string, problems: Problem[], warnings: string[]): void {
  if (name.startsWith('TRAIL_') && value !== '' && !isTrailName(name)) {
    // They may belong to a TrailBase beside us, so they are no errors.
    warnings.push(`${name}: unknown option${hint(nearest(name, environmentNames.keys()))}`)
  }
  if (!name.startsWith('DS_') || environmentNames.has(name) || value === '' || isServiceLink(name, value)) return
  const path = name.slice(3).toLowerCase().replaceAll('__', '.')
  const canonical = canonicalPaths.get(path)
  if (canonical !== undefined) {
    problems.push({ path: name, message: `${canonical} can only be set in a config file`, where: name })
    return
  }
  if (Object.hasOwn(foreignPaths, path)) {
    problems.push({ path: name, message: `not an option here: ${foreignPaths[path]}`, where: name })
    return
  }
  const near = nearest(name, environmentNames.keys())
  const message = `unknown option${hint(near)}`
  // Without `__` and with nothing near, the variable belongs to another program.
  if (near === null && !name.includes('__')) warnings.push(`${name}: ${message}`)
  else problems.push({ path: name, message, where: name })
}

function isTrailName(name: string): boolean {
  return environmentNames.has(name) || mapPaths.some(path => name.startsWith(`${trailName(path)}_`))
}

const mapPaths = [...optionTable].flatMap(([path, option]) => (option.kind.isMap === true ? [path] : []))

/** Kubernetes sets variables for every service of a namespace; one of a service named `ds…` is not meant for us. */
function isServiceLink(name: string, value: string): boolean {
  return /^(?:tcp|udp|sctp):\/\//.test(value) || /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)$/.test(name)
}

/** Name of the variable of an option in messages and documents. */
export function environmentName(path: OptionPath): string {
  return envName(path)
}

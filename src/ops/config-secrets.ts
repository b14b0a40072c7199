/** Where values of masked secrets come from: the vault, and the environment for fields inside maps. Precedence: environment > vault > file. */
import { join } from 'node:path'
import { hint, nearest } from '../lib/suggest.ts'
import { environmentNames, type Environment, type ReadFile } from './config-environment.ts'
import type { Kind } from './config-kinds.ts'
import type { Layer } from './config-layer.ts'
import { masked } from './config-mask.ts'
import { trailName } from './config-option.ts'
import type { Setting } from './config-setting.ts'
import { SyntaxFault } from './config-tree.ts'
import { optionTable, type OptionPath } from './options.ts'
import { parseVault, vaultPath } from './vault.ts'

export interface VaultLayer extends Layer {
  readonly entries: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/** The settings in the vault of `depot`. Keys are names of the environment. */
export function vaultLayer(readFile: ReadFile, depot: string): VaultLayer {
  const path = join(depot, vaultPath)
  const text = readFile(path)
  if (text === null) return { entries: new Map(), settings: [], problems: [], warnings: [] }
  try {
    const entries = parseVault(text)
    const warnings: string[] = []
    const settings = [...entries].flatMap(([key, value]) => vaultSetting(key, value, path, warnings))
    return { entries, settings, problems: [], warnings }
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    const problem = { path: 'syntax', message: error.message, where: `${path}:${error.at.line}:${error.at.column}` }
    return { entries: new Map(), settings: [], problems: [problem], warnings: [] }
  }
}

export interface FilledLayer extends Layer {
  readonly warnings: readonly string[]
}

/**
 * The file's settings without masks: one that a stronger layer sets, or that is TrailBase's and has no value anywhere, is as
 * good as not set. Fields inside maps get their values from `env` and the vault here, since only a file can name their entries.
 */
export function withoutMasks(file: Layer, env: Environment, vault: VaultLayer, isSetLater: (path: OptionPath) => boolean): FilledLayer {
  const warnings: string[] = []
  const settings = file.settings.flatMap(setting => {
    const option = optionTable.get(setting.path)
    if (option?.kind.isMap === true) return [filled(setting, option.kind, env, vault.entries, warnings)]
    if (option?.secret !== true || setting.raw !== masked) return [setting]
    if (isSetLater(setting.path)) return []
    if (!option.isTrail) return [setting]
    warnings.push(missing(setting.path, trailName(setting.path)))
    return []
  })
  return { settings, problems: file.problems, warnings }
}

function vaultSetting(key: string, value: string, path: string, warnings: string[]): readonly Setting[] {
  const option = environmentNames.get(key)
  if (option === undefined) {
    const isOfMap = [...optionTable].some(([path, { kind }]) => kind.isMap === true && key.startsWith(`${trailName(path)}_`))
    if (!isOfMap) warnings.push(`${path}: ${key}: unknown option${hint(nearest(key, environmentNames.keys()))}`)
    return []
  }
  const raw = optionTable.get(option)?.kind.fromText(value)
  return [{ path: option, raw, origin: `vault ${key}`, where: () => `${path}, ${key}`, written: value, baseDir: path }]
}

function filled(setting: Setting, kind: Kind<unknown>, env: Environment, vault: ReadonlyMap<string, string>, warnings: string[]): Setting {
  const fields = kind.item?.fields?.['value']?.kind.fields ?? {}
  const entries: readonly unknown[] = Array.isArray(setting.raw) ? setting.raw : []
  const raw = entries.map(entry => {
    if (!isEntry(entry)) return entry
    const value = { ...entry.value }
    for (const [name, field] of Object.entries(fields)) {
      const path = `${setting.path}.${entry.key}.${name}`
      const variable = trailName(path)
      const given = env[variable]?.trim() || vault.get(variable)
      if (given !== undefined && field.kind.item === undefined) value[name] = field.kind.fromText(given)
      else if (field.kind.isSecret === true && value[name] === masked) {
        delete value[name]
        warnings.push(missing(path, variable))
      }
    }
    return { ...entry, value }
  })
  return { ...setting, raw }
}

function isEntry(entry: unknown): entry is { readonly key: string; readonly value: Record<string, unknown> } {
  if (typeof entry !== 'object' || entry === null || !('key' in entry) || !('value' in entry)) return false
  return typeof entry.key === 'string' && typeof entry.value === 'object' && entry.value !== null
}

function missing(path: string, variable: string): string {
  return `${path} is masked in the file and not set: neither the vault (${vaultPath}) nor the environment has ${variable}`
}

/** One value from one source, not yet believed: its check against the schema and the words of the complaint. */
import { Value } from 'typebox/value'
import type { Kind } from './config-kinds.ts'
import { masked } from './config-mask.ts'
import { optionTable, type OptionPath } from './options.ts'

export interface Setting {
  readonly path: OptionPath
  /** As it would stand in a file. */
  readonly raw: unknown
  /** The source: `file config.textproto:3:9`, `env DS_STORAGE__MODE`, `flag --address`. */
  readonly origin: string
  /** Where to look for `path` below the option (`''`, `[0].issuer`). */
  readonly where: (below: string) => string
  /** The text as the operator wrote it, where `raw` was made from it. */
  readonly written?: string
  /** What this source expects, when that is not all the option accepts. */
  readonly expected?: string
  readonly baseDir: string
}

export interface Problem {
  readonly path: string
  /** `expected …, got …`, or another sentence without a full stop. */
  readonly message: string
  /** File with line and column, name of a variable, or flag. */
  readonly where: string
}

/** Most complaints about one value. */
const problemsPerSettingMax = 8

/** What is wrong with `setting`; empty when it fits. Values of secrets are not in the words. */
export function problemsOf(setting: Setting): readonly Problem[] {
  const option = optionTable.get(setting.path)
  if (option === undefined) return []
  if (option.secret && setting.raw === masked) {
    return [{ path: setting.path, message: `expected the secret itself, got the mask ${masked}`, where: setting.where('') }]
  }
  if (Value.Check(option.kind.schema, setting.raw)) return []
  const problems = new Map<string, Problem>()
  for (const error of Value.Errors(option.kind.schema, setting.raw).slice(0, problemsPerSettingMax)) {
    const names = error.instancePath.split('/').slice(1)
    const missing = error.keyword === 'required' ? error.params.requiredProperties : ['']
    for (const name of missing) {
      const problem = describe(setting, option.kind, name === '' ? names : [...names, name], option.secret)
      problems.set(problem.path, problem)
    }
  }
  return [...problems.values()]
}

/** A value in the words of a message. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' && value !== null ? 'a message' : String(value)
}

function describe(setting: Setting, kind: Kind<unknown>, names: readonly string[], secret: boolean): Problem {
  let expected: Kind<unknown> | undefined = kind
  let value: unknown = setting.raw
  let below = ''
  let isSecret = secret
  for (const name of names) {
    expected = expected?.item ?? expected?.fields?.[name]?.kind
    isSecret ||= expected?.isSecret === true
    value = typeof value === 'object' && value !== null ? Object.entries(value).find(entry => entry[0] === name)?.[1] : undefined
    below += /^[0-9]+$/.test(name) ? `[${name}]` : `.${name}`
  }
  const got = isSecret ? 'a value that does not fit' : show(names.length === 0 && setting.written !== undefined ? setting.written : value)
  const wanted = setting.expected ?? expected?.expected ?? 'nothing'
  return { path: `${setting.path}${below}`, message: `expected ${wanted}, got ${got}`, where: setting.where(below) }
}

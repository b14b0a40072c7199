/** What an entry of the table of options is, and what follows from its path: names in the environment, and the type of the configuration. */
import type { Kind } from './config-kinds.ts'

export interface Option<Value> {
  readonly kind: Kind<Value>
  readonly help: string
  /** What holds when nothing sets it: a value of the file, or `derive`. Neither: null, that is, not set. */
  readonly initial: Value | null
  readonly derive?: (values: Values) => Value
  /** The default in words, where it is derived. */
  readonly defaultText?: string
  /** Further paths in the file that mean the same; their names in the environment too. */
  readonly pathAliases: readonly string[]
  /** Further names in the environment. */
  readonly envAliases: readonly EnvAlias[]
  readonly flags: readonly Flag[]
  readonly secret: boolean
  /** True when the contents of the named file are read again while the server runs. */
  readonly reloadable: boolean
  /** True when a reload of the configuration applies a new value; others wait for a restart (config-reload.ts). */
  readonly isLive: boolean
  /** True for fields of TrailBase's configuration: `TRAIL_<PATH>` sets it too, and a masked secret without a value is not set. */
  readonly isTrail: boolean
  /** True when it is checked and kept, but nothing in this version looks at it. */
  readonly isUnused: boolean
}

export interface EnvAlias {
  readonly name: string
  /** Wins over the canonical name instead of yielding to it. */
  readonly first?: boolean
  /** Put before the text, and what is expected then: PORT is the `:8080` of an address. */
  readonly prefix?: string
  readonly expected?: string
}

export interface Flag {
  /** As commander takes it: `--address <HOST:PORT>`. */
  readonly flags: string
  readonly help: string
  /** May be given several times; the texts are joined by commas. */
  readonly repeated?: true
}

/** Values of the options by path, as far as they are known. */
export type Values = ReadonlyMap<string, unknown>

type Extras<Value> = Partial<Omit<Option<Value>, 'kind' | 'help' | 'initial' | 'envAliases'>> & {
  readonly envAliases?: readonly (string | EnvAlias)[]
}

/** An option with a value at all times. */
export function option<Value>(kind: Kind<Value>, initial: NoInfer<Value>, help: string, extras: Extras<Value> = {}): Option<Value> {
  return make(kind, initial, help, extras)
}

/** An option whose default follows from other options. */
export function derived<Value>(
  kind: Kind<Value>,
  defaultText: string,
  derive: (values: Values) => NoInfer<Value>,
  help: string,
  extras: Extras<Value> = {},
): Option<Value> {
  return make(kind, null, help, { ...extras, derive, defaultText })
}

/** An option that may stay unset, which reads as null. */
export function unset<Value>(kind: Kind<Value>, help: string, extras: Extras<Value> = {}): Option<Value | null> {
  return make<Value | null>(kind, null, help, extras)
}

/** `storage.data_dir` as `DS_STORAGE__DATA_DIR`. */
export function envName(path: string): string {
  return `DS_${path.toUpperCase().replaceAll('.', '__')}`
}

/** `server.site_url` as `TRAIL_SERVER_SITE_URL`. */
export function trailName(path: string): string {
  return `TRAIL_${path.toUpperCase().replaceAll('.', '_')}`
}

/** Every name of an option in the environment, weakest first: each overrides the ones before it. */
export function envNames(path: string, option: Option<unknown>): readonly EnvAlias[] {
  const strong = option.envAliases.filter(alias => alias.first === true)
  const weak = option.envAliases.filter(alias => alias.first !== true)
  const derivedNames = [path, ...option.pathAliases].map(name => ({ name: envName(name) }))
  const trail = option.isTrail ? [{ name: trailName(path) }] : []
  return [...strong, ...derivedNames, ...trail, ...weak].reverse()
}

/** True for lists of messages, which only a file can set. */
export function isFileOnly(option: Option<unknown>): boolean {
  return option.kind.item?.fields !== undefined
}

type OptionValue<Entry> = Entry extends Option<infer Value> ? Value : never

type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : Name

type Head<Path> = Path extends `${infer First}.${string}` ? First : Path

type Under<Table, Section extends string> = {
  [Path in keyof Table as Path extends `${Section}.${infer Rest}` ? Rest : never]: Table[Path]
}

/** The nested, camel-cased type of a table of options: `storage.data_dir` is `config.storage.dataDir`. */
export type Nested<Table> = {
  readonly [Name in Head<keyof Table> & string as Camel<Name>]: Name extends keyof Table
    ? OptionValue<Table[Name]>
    : Nested<Under<Table, Name>>
}

function make<Value>(kind: Kind<Value>, initial: Value | null, help: string, extras: Extras<Value>): Option<Value> {
  const envAliases = (extras.envAliases ?? []).map(alias => (typeof alias === 'string' ? { name: alias } : alias))
  const facts = { secret: false, reloadable: false, isLive: false, isTrail: false, isUnused: false }
  return { pathAliases: [], flags: [], ...facts, ...extras, kind, initial, help, envAliases }
}

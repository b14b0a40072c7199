/** Kinds of option values: what each accepts, how it is read from a file or from text, how it is printed. Which options exist is options.ts. */
import { Type, type TSchema } from 'typebox'
import { listTree, numberTree, textTree, wordTree, type Tree } from './config-tree.ts'

/** What reading a value may depend on. */
export interface ReadContext {
  /** Relative paths are taken from here: the file's directory, or the working directory for the environment and flags. */
  readonly baseDir: string
  /** The value of the next lower layer; an address may be changed in part. */
  readonly previous: unknown
}

export interface Kind<Value> {
  /** One word for the reference page. */
  readonly name: string
  /** What is accepted, as a noun phrase: messages say `expected <this>`. */
  readonly expected: string
  /** Decides about a value as it stands in the file; `read` may then rely on it. */
  readonly schema: TSchema
  /** Which identifiers of the text format are values: none, true and false, or names. */
  readonly words: 'none' | 'boolean' | 'names'
  /** Set for lists: the kind of one element. In the text format a repeated field. */
  readonly item?: Kind<unknown>
  /** Set for messages: their fields by name. */
  readonly fields?: Readonly<Record<string, MessageField>>
  /** Set for lists of `{ key, value }`: a map of the text format. In JSON it may be an object. */
  readonly isMap?: true
  /** Set for secrets inside messages: masked when printed, never in the words of a message. Options say it themselves. */
  readonly isSecret?: true
  /** Text of an environment variable or flag, as the value would stand in a file; text that does not fit stays text. */
  fromText(text: string): unknown
  /** The value the product uses, from one that fits `schema`. */
  read(raw: unknown, context: ReadContext): Value
  toTree(value: Value): Tree
}

export interface MessageField {
  readonly kind: Kind<unknown>
  readonly required: boolean
  readonly help: string
}

export type ValueOf<K> = K extends Kind<infer Value> ? Value : never

/** Most characters of one string. */
export const textCharactersMax = 8192
/** Most characters of a template or a JSON Schema. */
export const longTextCharactersMax = 262_144
/** Most elements of one list. */
export const listItemsMax = 4096

export const boolean: Kind<boolean> = {
  name: 'boolean',
  expected: 'true or false',
  schema: Type.Boolean(),
  words: 'boolean',
  fromText: text => truths.get(text.toLowerCase()) ?? text,
  read: raw => raw === true,
  toTree: value => wordTree(String(value)),
}

const truths: ReadonlyMap<string, boolean> = new Map([['true', true], ['1', true], ['false', false], ['0', false]])

/** A string for which `fits` holds; `expected` says so in words. */
export function text(expected: string, fits: (value: string) => boolean = value => value !== ''): Kind<string> {
  return {
    name: 'string',
    expected,
    schema: refineText(fits),
    words: 'none',
    fromText: value => value,
    read: raw => String(raw),
    toTree: textTree,
  }
}

/** A string of several lines. */
export function longText(expected: string): Kind<string> {
  return { ...text(expected), schema: Type.String({ minLength: 1, maxLength: longTextCharactersMax }) }
}

/** A whole number from `least` to `most`. */
export function integer(least: number, most: number): Kind<number> {
  return {
    ...numeric('integer', `a whole number from ${least} to ${most}`),
    schema: Type.Integer({ minimum: least, maximum: most }),
    fromText: value => (/^-?[0-9]{1,20}$/.test(value) ? Number(value) : value),
  }
}

/** Seconds from `least` to `most`; parts of a second are allowed. */
export function seconds(least: number, most: number): Kind<number> {
  return {
    ...numeric('seconds', `seconds from ${least} to ${most}`),
    schema: Type.Number({ minimum: least, maximum: most }),
    fromText: value => (/^-?[0-9]{1,20}(?:\.[0-9]{1,9})?$/.test(value) ? Number(value) : value),
  }
}

/** Bytes, as a number or with a unit: 10485760, "10MiB". */
export function bytes(least: number, most: number): Kind<number> {
  return {
    ...numeric('bytes', `bytes from ${least} to ${most}, as a whole number or with KiB, MiB or GiB`),
    schema: Type.Refine(Type.Unknown(), raw => {
      const value = readBytes(raw)
      return value >= least && value <= most
    }),
    fromText: value => value,
    read: readBytes,
  }
}

function numeric(name: string, expected: string) {
  return { name, expected, words: 'none', read: (raw: unknown) => Number(raw), toTree: numberTree } as const
}

function readBytes(raw: unknown): number {
  if (typeof raw === 'number') return Number.isSafeInteger(raw) ? raw : NaN
  const [, digits, unit] = /^([0-9]{1,15})(KiB|MiB|GiB)?$/.exec(typeof raw === 'string' ? raw : '') ?? []
  return digits === undefined ? NaN : Number(digits) * (unitBytes[unit ?? ''] ?? 1)
}

const unitBytes: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** One of `values`; `others` are further spellings and the value each stands for. */
export function oneOf<const Value extends string>(
  values: readonly Value[],
  others: Readonly<Record<string, Value>> = {},
): Kind<Value> {
  const meaning = new Map<string, Value>([...values.map(value => [value, value] as const), ...Object.entries(others)])
  return named(meaning, values, value => value)
}

/**
 * One of the capitals of `values`, read as the values: CREATE is `create`. The spelling of enums in the text format, where a
 * name may stand behind the `prefix` of its enum, and UNDEFINED for `undefinedMeans`.
 */
export function capitals<const Value extends string>(
  values: readonly Value[],
  others: { readonly prefix?: string; readonly undefinedMeans?: NoInfer<Value> } = {},
): Kind<Value> {
  const listed = values.map(value => value.toUpperCase())
  const spelled = [...values.map(value => [value.toUpperCase(), value] as const), ...(others.undefinedMeans === undefined ? [] : [['UNDEFINED', others.undefinedMeans] as const])]
  const prefixed = others.prefix === undefined ? [] : spelled.map(([name, value]) => [`${others.prefix}${name}`, value] as const)
  return named(new Map([...spelled, ...prefixed]), listed, value => value.toUpperCase())
}

function named<Value extends string>(
  meaning: ReadonlyMap<string, Value>,
  listed: readonly string[],
  spelling: (value: Value) => string,
): Kind<Value> {
  const known = [...meaning.values()]
  return {
    name: 'enum',
    expected: `one of ${listed.join(', ')}`,
    schema: Type.Enum([...meaning.keys()]),
    words: 'names',
    fromText: value => value,
    read: raw => meaning.get(String(raw)) ?? known[0] ?? raise(),
    toTree(value) {
      const name = spelling(value)
      return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? wordTree(name) : textTree(name)
    },
  }
}

/** A list of `item`. In the environment and flags the elements are separated by commas. */
export function listOf<Value>(item: Kind<Value>, limits: { readonly least: number } = { least: 0 }): Kind<readonly Value[]> {
  return {
    name: `list of ${item.name}`,
    expected: `${limits.least > 0 ? 'at least one' : 'any number'} of: ${item.expected}`,
    schema: Type.Array(item.schema, { minItems: limits.least, maxItems: listItemsMax }),
    words: item.words,
    item,
    fromText: value => value.split(',').map(part => part.trim()).filter(part => part !== '').map(part => item.fromText(part)),
    read: (raw, context) => (Array.isArray(raw) ? raw.map(element => item.read(element, context)) : []),
    toTree: value => listTree(value.map(element => item.toTree(element))),
  }
}

/** A string schema with a test of its own. */
export function refineText(fits: (value: string) => boolean): TSchema {
  const fitting = (value: unknown) => typeof value === 'string' && value.length <= textCharactersMax && fits(value)
  return Type.Refine(Type.String({ maxLength: textCharactersMax }), fitting)
}

function raise(): never {
  throw new TypeError('an enum has at least one value')
}

/** Goes through the schemas within a JSON Schema: checks its references, and takes out what typebox would do in more than linear time. */
import { SqlFunctionError } from './sql-function.ts'

interface Texts {
  readonly assertPattern: (pattern: string) => void
  readonly matches: (pattern: string, text: string) => boolean
  /** Undefined of a format that is not known: it is not looked at, as the standard wants. */
  readonly formatCheck: (format: string) => ((text: string) => boolean) | undefined
}

type Json = Readonly<Record<string, unknown>>

/** Characters of a text that has a known format: typebox looks at some in quadratic time. */
const formatCharsMax = 8192
/** Property names that are looked at by `patternProperties`. */
const namePatternCharsMax = 1024

/** The same schema with `pattern` and `format` as functions of ours, its places kept so that references still lead there. Refuses what cannot be checked. */
export function linearSchema(schema: Json, texts: Texts): Json {
  const seen = new Names()
  seen.collect(schema)
  return copied(schema, texts, reference => assertResolves(schema, seen, reference))
}

/** Whether all names in a value are short enough for the patterns of names of a schema. */
export function hasShortNames(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(hasShortNames)
  return !isObject(value) || Object.entries(value).every(([name, member]) => name.length <= namePatternCharsMax && hasShortNames(member))
}

/** Whether a schema has patterns of names anywhere; a text that only looks like it counts too. */
export function hasNamePatterns(schema: Json): boolean {
  return JSON.stringify(schema).includes('"patternProperties"')
}

const single = ['items', 'additionalItems', 'additionalProperties', 'contains', 'propertyNames', 'if', 'then', 'else', 'not', 'unevaluatedItems', 'unevaluatedProperties']
const lists = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items']
const maps = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']

function copied(schema: Json, texts: Texts, checkReference: (reference: string) => void): Json {
  for (const word of ['$ref', '$dynamicRef', '$recursiveRef']) if (typeof schema[word] === 'string') checkReference(schema[word])
  const copy = (value: unknown): unknown => (isObject(value) ? copied(value, texts, checkReference) : value)
  // `~refine` is typebox's own word: in a schema from outside it must mean nothing.
  const members = Object.entries(schema).filter(([word]) => !word.startsWith('~')).map(([word, value]): [string, unknown] => {
    if (lists.includes(word) && Array.isArray(value)) return [word, value.map(copy)]
    if (maps.includes(word) && isObject(value)) return [word, mapped(value, copy)]
    return [word, single.includes(word) ? copy(value) : value]
  })
  if (isObject(schema['patternProperties'])) Object.keys(schema['patternProperties']).forEach(assertNamePattern)
  return refined(Object.fromEntries(members), texts)
}

/** typebox' own checks would come first: the words are taken out, and `~refine` does what they say. */
function refined(schema: Json, { assertPattern, matches, formatCheck }: Texts): Json {
  const { pattern, format, ...rest } = schema
  const checks: unknown[] = []
  if (typeof pattern === 'string') {
    assertPattern(pattern)
    checks.push({ check: (value: unknown) => typeof value !== 'string' || matches(pattern, value), error: () => 'pattern' })
  }
  const isFormat = typeof format === 'string' ? formatCheck(format) : undefined
  if (isFormat !== undefined) checks.push({ check: (value: unknown) => typeof value !== 'string' || (value.length <= formatCharsMax && isFormat(value)), error: () => 'format' })
  return checks.length === 0 ? rest : { ...rest, '~refine': checks }
}

/** These run with backtracking, on names of bounded length: only such as take time that grows with the square of it at the most. */
function assertNamePattern(pattern: string): void {
  const unbounded = pattern.replace(/\\.|\[(\\.|[^\]\\])*\]/g, 'x').match(/[*+]|\{\d+,\d*\}/g) ?? []
  const repeatsGroup = /\)(\*|\+|\{)/.test(pattern)
  if (repeatsGroup || unbounded.length > 2) throw new SqlFunctionError(`patternProperties "${pattern}": a pattern of names may repeat at most twice, and no group`)
}

/** `$id`s and anchors of a schema. */
class Names {
  readonly ids = new Set<string>()
  readonly anchors = new Set<string>()

  collect(value: unknown): void {
    if (Array.isArray(value)) return value.forEach(member => this.collect(member))
    if (!isObject(value)) return
    for (const word of ['$anchor', '$dynamicAnchor']) if (typeof value[word] === 'string') this.anchors.add(value[word])
    if (typeof value['$id'] === 'string') this.ids.add(value['$id'].replace(/#$/, ''))
    Object.values(value).forEach(member => this.collect(member))
  }
}

/** Nothing is fetched: a reference leads into the schema itself. */
function assertResolves(root: Json, names: Names, reference: string): void {
  const [base = '', fragment = ''] = reference.split('#', 2)
  if (base !== '') {
    const known = [...names.ids].some(id => id === base || id.endsWith(`/${base}`))
    if (!known) throw new SqlFunctionError(`$ref "${reference}" leads out of the schema`)
    return
  }
  const resolves = fragment === '' || (fragment.startsWith('/') ? at(root, fragment) !== undefined || names.ids.size > 1 : names.anchors.has(fragment))
  if (!resolves) throw new SqlFunctionError(`$ref "${reference}" leads nowhere`)
}

function at(root: unknown, pointer: string): unknown {
  let value = root
  for (const part of decodeURIComponent(pointer).slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

/** `Object.fromEntries` and not assignment: `__proto__` is a name like others. */
function mapped(map: Json, copy: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, copy(value)]))
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

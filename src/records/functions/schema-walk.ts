/** Goes through the schemas within a JSON Schema: checks its references, and takes out what typebox would run with regular expressions that backtrack. */
import { SqlFunctionError } from './sql-function.ts'

interface Patterns {
  readonly assertPattern: (pattern: string) => void
  readonly matches: (pattern: string, text: string) => boolean
}

type Json = Readonly<Record<string, unknown>>

/** Property names that are looked at by `patternProperties`. */
const namePatternCharsMax = 1024

/** The same schema with `pattern` as a function of ours, its places kept so that references still lead there. Refuses what cannot be checked. */
export function linearSchema(schema: Json, patterns: Patterns): Json {
  const seen = new Names()
  seen.collect(schema)
  return copied(schema, patterns, reference => assertResolves(schema, seen, reference))
}

const single = ['items', 'additionalItems', 'additionalProperties', 'contains', 'propertyNames', 'if', 'then', 'else', 'not', 'unevaluatedItems', 'unevaluatedProperties']
const lists = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items']
const maps = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']

function copied(schema: Json, patterns: Patterns, checkReference: (reference: string) => void): Json {
  for (const word of ['$ref', '$dynamicRef', '$recursiveRef']) if (typeof schema[word] === 'string') checkReference(schema[word])
  const copy = (value: unknown): unknown => (isObject(value) ? copied(value, patterns, checkReference) : value)
  // `~refine` is typebox's own word: in a schema from outside it must mean nothing.
  const members = Object.entries(schema).filter(([word]) => !word.startsWith('~')).map(([word, value]): [string, unknown] => {
    if (lists.includes(word) && Array.isArray(value)) return [word, value.map(copy)]
    if (maps.includes(word) && isObject(value)) return [word, mapped(value, copy)]
    return [word, single.includes(word) ? copy(value) : value]
  })
  if (isObject(schema['patternProperties'])) Object.keys(schema['patternProperties']).forEach(assertNamePattern)
  return refined(Object.fromEntries(members), patterns)
}

function refined(schema: Json, { assertPattern, matches }: Patterns): Json {
  const { pattern, ...rest } = schema
  const checks: unknown[] = []
  if (typeof pattern === 'string') {
    assertPattern(pattern)
    checks.push({ check: (value: unknown) => typeof value !== 'string' || matches(pattern, value), error: () => 'pattern' })
  }
  if (schema['patternProperties'] !== undefined) checks.push({ check: hasShortNames, error: () => 'property names' })
  return checks.length === 0 ? schema : { ...rest, '~refine': checks }
}

function hasShortNames(value: unknown): boolean {
  return !isObject(value) || Object.keys(value).every(name => name.length <= namePatternCharsMax)
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

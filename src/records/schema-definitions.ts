/** The `$defs` of one JSON Schema document: schemas of columns gathered at the root with their references turned to the new places. */
import type { JsonSchema } from './catalog/relation.ts'

export class Definitions {
  readonly #found = new Map<string, JsonSchema>()

  /** All of them by name. */
  all(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries(this.#found)
  }

  /** Puts `schema` under `name`, once; the reference to it. Its own references stay as they are. */
  share(name: string, schema: JsonSchema): JsonSchema {
    this.#found.set(name, schema)
    return reference(name)
  }

  /**
   * Puts a document of its own under `name`: what its `$defs` hold comes to the root, and NULL is one more type of it when it may be.
   * Another schema that has the name already gives it a number.
   */
  add(name: string, schema: JsonSchema, isNullable: boolean): JsonSchema {
    if (typeof schema === 'boolean') return this.share(this.#free(name, schema), schema)
    const { $schema: _, $id: __, $defs: inner, ...rest } = schema
    const places = new Map<string, string>()
    const own = this.#free(name, null)
    this.#found.set(own, true)
    for (const [key, value] of entriesOf(inner)) {
      const place = this.#free(key, value)
      places.set(key, place)
      this.#found.set(place, value)
    }
    for (const [key, value] of entriesOf(inner)) this.#found.set(places.get(key) ?? key, turned(value, own, places))
    return this.share(own, withNull(turned(rest, own, places), isNullable))
  }

  /** `name`, or the first of `name_2`, `name_3`, … that is free or says the same. */
  #free(name: string, schema: JsonSchema | null): string {
    for (let number = 1; ; number++) {
      const place = number === 1 ? name : `${name}_${number}`
      const known = this.#found.get(place)
      if (known === undefined || (schema !== null && Bun.deepEquals(known, schema))) return place
    }
  }
}

function reference(name: string): JsonSchema {
  return { $ref: `#/$defs/${pointerPart(name)}` }
}

/** A name inside of a JSON pointer inside of a URI fragment. */
function pointerPart(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
}

function entriesOf(inner: unknown): readonly (readonly [string, JsonSchema])[] {
  if (!isObject(inner)) return []
  return Object.entries(inner).flatMap(([key, value]) => (isObject(value) || typeof value === 'boolean' ? [[key, value] as const] : []))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function turned(schema: JsonSchema, own: string, places: ReadonlyMap<string, string>): JsonSchema {
  if (typeof schema === 'boolean') return schema
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === '$ref' && typeof value === 'string' ? turnedReference(value, own, places) : turnedValue(value, own, places)]))
}

function turnedValue(value: unknown, own: string, places: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map(item => turnedValue(item, own, places))
  return isObject(value) ? turned(value, own, places) : value
}

/** `#/$defs/x/…` leads to where x is now, any other `#…` into the definition that was the root. */
function turnedReference(target: string, own: string, places: ReadonlyMap<string, string>): string {
  if (!target.startsWith('#')) return target
  const [name, ...path] = target.startsWith('#/$defs/') ? target.slice('#/$defs/'.length).split('/') : []
  const place = name === undefined ? undefined : places.get(decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~'))
  if (place === undefined) return `#/$defs/${pointerPart(own)}${target.slice(1)}`
  return ['#', '$defs', pointerPart(place), ...path].join('/')
}

function withNull(schema: JsonSchema, isNullable: boolean): JsonSchema {
  if (!isNullable || typeof schema === 'boolean') return schema
  const types: readonly unknown[] = Array.isArray(schema['type']) ? schema['type'] : [schema['type']]
  const isOpen = schema['enum'] === undefined && schema['const'] === undefined
  if (schema['type'] !== undefined && isOpen) return { ...schema, type: types.includes('null') ? types : ['null', ...types] }
  return { anyOf: [{ type: 'null' }, schema] }
}

/** The parts of an OpenAPI document that descriptions of routes are made of. Which routes there are is openapi-*.ts. */

export type Json = Readonly<Record<string, unknown>>

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly Json[]
  readonly requestBody?: Json
  readonly responses: Readonly<Record<string, Json>>
  /** Absent: any credential of the document, or none. */
  readonly security?: readonly Json[]
}

export type Method = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete'

/** By path, then by method. */
export type Paths = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>

export const text: Json = { type: 'string' }
export const integer: Json = { type: 'integer', format: 'int64' }
export const bytes: Json = {}

export function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}

export function object(properties: Json, required: readonly string[] = []): Json {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

export function array(items: Json): Json {
  return { type: 'array', items }
}

export function answer(description: string, schema: Json | null = null, type = 'application/json'): Json {
  return schema === null ? { description } : { description, content: { [type]: { schema } } }
}

export function body(schema: Json, types: readonly string[] = ['application/json'], required = true): Json {
  return { required, content: Object.fromEntries(types.map(type => [type, { schema }])) }
}

export function inPath(name: string, description: string, schema: Json = text): Json {
  return { name, in: 'path', required: true, description, schema }
}

export function inQuery(name: string, description: string, schema: Json = text): Json {
  return { name, in: 'query', description, schema }
}

export function inHeader(name: string, description: string, schema: Json = text): Json {
  return { name, in: 'header', description, schema }
}

/** Refusals as problem details (RFC 9457); docs/errors.md lists their codes. */
export function problems(...statuses: readonly number[]): Readonly<Record<string, Json>> {
  return Object.fromEntries(statuses.map(status => [String(status), { $ref: '#/components/responses/Problem' }]))
}

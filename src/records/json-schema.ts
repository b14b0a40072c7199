/** The JSON Schema (2020-12) of an API's records: what a create or update takes and what a read gives. Validating by it is not done here. */
import type { Column, JsonSchema } from './catalog/relation.ts'
import type { ExpandTarget, RecordApi } from './record-api.ts'
import { Definitions } from './schema-definitions.ts'

/** The query parameter's values are the same words (trailbase-api.md §5.7). */
export type SchemaMode = 'Insert' | 'Select' | 'Update'

export const schemaModes: readonly SchemaMode[] = ['Insert', 'Select', 'Update']

export function recordSchema(api: RecordApi, mode: SchemaMode): Readonly<Record<string, unknown>> {
  const definitions = new Definitions()
  const columns = mode === 'Select' ? api.visible : api.columns.filter(column => !column.isGenerated)
  const expand = mode === 'Select' ? api.expand : new Map<string, ExpandTarget>()
  const body = objectSchema({ columns, key: api.key, expand, mode, title: api.name, definitions })
  const found = definitions.all()
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: api.name, ...body, ...(Object.keys(found).length > 0 ? { $defs: found } : {}) }
}

interface ObjectOptions {
  readonly columns: readonly Column[]
  readonly key: readonly Column[]
  readonly expand: ReadonlyMap<string, ExpandTarget>
  readonly mode: SchemaMode
  /** Prefix of the names of definitions. */
  readonly title: string
  readonly definitions: Definitions
}

function objectSchema(options: ObjectOptions): Readonly<Record<string, unknown>> {
  const { columns, expand, mode } = options
  const properties = new Map(columns.map(column => [column.name, columnSchema(column, options)]))
  for (const target of expand.values()) if (target.kind === 'children') properties.set(target.name, childrenSchema(target, options))
  const required = columns.filter(column => mode !== 'Update' && !column.isNullable && (mode === 'Select' || isNeeded(column, options.key)))
  return { type: 'object', properties: Object.fromEntries(properties), required: required.map(column => column.name) }
}

/** A key of one INTEGER or BLOB counts as having a default, as in TrailBase; a name or a pair of keys has to come from the client. */
function isNeeded(column: Column, key: readonly Column[]): boolean {
  const isOwnKey = key.length === 1 && key[0]?.name === column.name && column.type !== 'TEXT'
  return column.defaultSql === null && !isOwnKey
}

function columnSchema(column: Column, options: ObjectOptions): JsonSchema {
  const { definitions, mode } = options
  const target = options.expand.get(column.name)
  if (target?.kind === 'parent') return parentSchema(column, target, options)
  switch (column.format.kind) {
    case 'json':
      return definitions.add(column.name, column.format.schema, column.isNullable)
    case 'file':
      return definitions.add(column.name, fileSchema(mode), column.isNullable)
    case 'files':
      return definitions.add(column.name, { type: 'array', items: fileSchema(mode) }, column.isNullable)
    case 'geometry':
      return orNull(definitions.share('_geojson_geometry', geometrySchema), column.isNullable)
    default:
      return plainSchema(column)
  }
}

const typeNames = { INTEGER: 'integer', REAL: 'number', TEXT: 'string', BLOB: 'string' } as const

function plainSchema(column: Column): JsonSchema {
  if (column.type === 'ANY') return { type: ['number', 'string', 'boolean', 'object', 'array', 'null'] }
  const type = typeNames[column.type]
  return { type: column.isNullable ? ['null', type] : type }
}

function orNull(schema: JsonSchema, isNullable: boolean): JsonSchema {
  return isNullable ? { anyOf: [{ type: 'null' }, schema] } : schema
}

/** `{"id": …}`, with `data` when the request asks for it. */
function parentSchema(column: Column, target: ExpandTarget, options: ObjectOptions): JsonSchema {
  const title = `${options.title}.${column.name}`
  const schema = {
    type: 'object',
    properties: { id: plainSchema({ ...target.via, isNullable: false }), data: targetSchema(target, title, options) },
    required: ['id'],
  }
  return options.definitions.share(title, column.isNullable ? { ...schema, type: ['null', 'object'] } : schema)
}

/** Only there when the request asks for it. */
function childrenSchema(target: ExpandTarget, options: ObjectOptions): JsonSchema {
  const title = `${options.title}.${target.name}`
  return options.definitions.share(title, { type: 'array', items: targetSchema(target, title, options) })
}

function targetSchema(target: ExpandTarget, title: string, options: ObjectOptions): JsonSchema {
  return objectSchema({ ...options, columns: target.visible, key: target.relation.key, expand: target.next, title })
}

const words = { type: ['null', 'string'] } as const

/** An upload; in an update also what a read gave, which keeps the stored file (trailbase-api.md §14.2). */
function fileSchema(mode: SchemaMode): Readonly<Record<string, unknown>> {
  const stored = {
    type: 'object',
    properties: { original_filename: words, filename: { type: 'string' }, content_type: words, mime_type: words },
    required: ['filename'],
    additionalProperties: false,
  }
  const upload = {
    type: 'object',
    properties: { name: words, filename: words, content_type: words, data: { type: 'string', description: 'The content in base64.' } },
    required: ['data'],
    additionalProperties: false,
  }
  if (mode === 'Select') return stored
  return mode === 'Insert' ? upload : { anyOf: [upload, stored] }
}

const geometryTypes = ['Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString', 'MultiPolygon']

const geometrySchema: JsonSchema = {
  title: 'GeoJSON geometry',
  type: 'object',
  required: ['type'],
  oneOf: [
    { properties: { type: { enum: geometryTypes }, coordinates: { type: 'array' } }, required: ['coordinates'] },
    { properties: { type: { const: 'GeometryCollection' }, geometries: { type: 'array', items: { $ref: '#/$defs/_geojson_geometry' } } }, required: ['geometries'] },
  ],
}

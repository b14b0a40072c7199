/** JSON in SQL: `is_json`, and checks of a column against a JSON Schema, named or in place. A text that is no JSON fits no schema. */
import { RecentMap } from '../../lib/recent-map.ts'
import type { SqlValue } from '../../lib/sql-value.ts'
import type { JsonSchema } from '../catalog/relation.ts'
import { isMimeTypeAllowed, parseMimeTypes } from './builtin-schemas.ts'
import { jsonCharsMax, parseJsonText } from './json-text.ts'
import type { NamedSchemas } from './named-schemas.ts'
import { compileSchema, type SchemaCheck } from './schema-check.ts'
import { type SqlFunction, SqlFunctionError, sqlFunction, textOf } from './sql-function.ts'

/** Compiled schemas of `jsonschema_matches` that are kept. */
const compiledMax = 256

/** All checks hold of a column that is NULL. */
export function jsonFunctions(named: NamedSchemas): readonly SqlFunction[] {
  return [
    sqlFunction('is_json', 1, ([value]) => parsedOf(value) !== undefined, { onNull: 'true' }),
    sqlFunction('jsonschema', 2, args => named.fits(textOf(args, 0), parsedOf(args[1])), { onNull: 'true' }),
    sqlFunction('jsonschema', 3, args => jsonSchemaWithExtra(named, args), { onNull: 'pass' }),
    sqlFunction('jsonschema_matches', 2, args => fitsText(textOf(args, 0), parsedOf(args[1])), { onNull: 'true' }),
  ]
}

/** The third argument lists the types that files may have; other schemas take none, and do not look at it, as TrailBase's do not. */
function jsonSchemaWithExtra(named: NamedSchemas, args: readonly SqlValue[]): boolean {
  if (args[1] === null) return true
  const [name, value] = [textOf(args, 0), parsedOf(args[1])]
  if (!named.fits(name, value)) return false
  if (args[2] === null || !['std.FileUpload', 'std.FileUploads'].includes(name)) return true
  const allowed = parseMimeTypes(textOf(args, 2))
  return [value].flat().every(file => isMimeTypeAllowed(allowed, mimeTypeOf(file)))
}

const compiledTexts = new RecentMap<string, SchemaCheck>(compiledMax)

function fitsText(schemaText: string, value: unknown): boolean {
  const known = compiledTexts.get(schemaText)
  const check = known ?? compileSchema(schemaOfText(schemaText))
  if (known === undefined) compiledTexts.set(schemaText, check)
  return value !== undefined && check(value)
}

function schemaOfText(text: string): JsonSchema {
  const schema = parseJsonText(text)
  if (schema === undefined) throw new SqlFunctionError(`the schema is not JSON of at most ${jsonCharsMax} characters`)
  return schema as JsonSchema
}

/** The parsed value of a TEXT; undefined of anything else. */
function parsedOf(value: SqlValue | undefined): unknown {
  return typeof value === 'string' ? parseJsonText(value) : undefined
}

function mimeTypeOf(file: unknown): string | null {
  const type: unknown = typeof file === 'object' && file !== null ? Reflect.get(file, 'mime_type') : null
  return typeof type === 'string' ? type : null
}

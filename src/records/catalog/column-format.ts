/** What a column's CHECK constraints say of its content: uuid, JSON, files, geometry (trailbase-api.md §14). Checking values is the functions' work. */
import { builtinSchemas, parseMimeTypes } from '../functions/builtin-schemas.ts'
import type { ColumnFormat, ColumnType, JsonSchema } from './relation.ts'
import { conjuncts } from './sql-conjuncts.ts'
import { closingOf, isName, isOperator, sameName, splitTokens, type Token } from './sql-tokens.ts'

export type JsonSchemas = ReadonlyMap<string, JsonSchema>

/** A CHECK names a schema that does not exist, or holds one that is none. The column counts as plain text. */
export interface FormatProblem {
  readonly problem: string
}

const uuidVersions: Readonly<Record<string, 4 | 7 | null>> = { is_uuid: null, is_uuid_v4: 4, is_uuid_v7: 7 }

const plain: ColumnFormat = { kind: 'plain' }

/**
 * The format of the column `name`, from the first CHECK that gives one. Calls count that stand alone or are joined by AND: in
 * `is_uuid(x) OR …` the column may hold anything.
 */
export function columnFormat(name: string, type: ColumnType, checks: readonly (readonly Token[])[], schemas: JsonSchemas): ColumnFormat | FormatProblem {
  for (const check of checks) {
    for (const part of conjuncts(check)) {
      const format = callFormat(name, type, part, schemas)
      if (format !== null) return format
    }
  }
  return plain
}

function callFormat(name: string, type: ColumnType, part: readonly Token[], schemas: JsonSchemas): ColumnFormat | FormatProblem | null {
  const [callee, open] = part
  if (!isName(callee) || !isOperator(open, '(') || closingOf(part, 1) !== part.length - 1) return null
  const args = splitTokens(part.slice(2, -1), token => isOperator(token, ','))
  const called = callee.value.toLowerCase()
  const uuid = uuidVersions[called]
  if (uuid !== undefined) return type === 'BLOB' && isColumn(args[0], name) ? { kind: 'uuid', version: uuid } : null
  if (called === 'st_isvalid') return type === 'BLOB' && isColumn(args[0], name) ? { kind: 'geometry' } : null
  if (type !== 'TEXT' || !isColumn(args[1], name)) return null
  if (called === 'jsonschema') return namedSchema(stringOf(args[0]), stringOf(args[2]), schemas)
  return called === 'jsonschema_matches' ? schemaInPlace(stringOf(args[0])) : null
}

function isColumn(tokens: readonly Token[] | undefined, name: string): boolean {
  const [token] = tokens ?? []
  return tokens?.length === 1 && isName(token) && sameName(token.value, name)
}

/** A literal; SQLite takes a name in double quotes that is no column as one, too. */
function stringOf(tokens: readonly Token[] | undefined): string | null {
  const [token] = tokens ?? []
  return tokens?.length === 1 && (token?.kind === 'string' || token?.kind === 'quoted') ? token.value : null
}

function namedSchema(name: string | null, extra: string | null, schemas: JsonSchemas): ColumnFormat | FormatProblem | null {
  if (name === null) return null
  if (name === 'std.FileUpload') return { kind: 'file', mimeTypes: mimeTypes(extra) }
  if (name === 'std.FileUploads') return { kind: 'files', mimeTypes: mimeTypes(extra) }
  const schema = builtinSchemas.get(name) ?? schemas.get(name)
  return schema === undefined ? { problem: `its CHECK names the JSON schema "${name}", which does not exist` } : { kind: 'json', schema }
}

function mimeTypes(extra: string | null): readonly string[] | null {
  const types = parseMimeTypes(extra ?? '')
  return types.length === 0 ? null : types
}

function schemaInPlace(text: string | null): ColumnFormat | FormatProblem | null {
  if (text === null) return null
  const schema = parsedSchema(text)
  return schema === null ? { problem: 'its CHECK holds a JSON schema that is no JSON object' } : { kind: 'json', schema }
}

function parsedSchema(text: string): JsonSchema | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'boolean') return value
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : null
  } catch {
    return null
  }
}

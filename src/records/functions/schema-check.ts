/**
 * JSON Schemas (draft 2020-12 and the drafts before it, as `$schema` says) compiled into checks, by typebox. Around it: a schema must be
 * valid itself, its references must lead somewhere, and `pattern` runs in linear time. `format` is asserted where the format is known.
 */
import { lazily } from '../../lib/lazily.ts'
import type { JsonSchema } from '../catalog/relation.ts'
import { assertPattern, matches } from './regular-expression.ts'
import { hasNamePatterns, hasShortNames, linearSchema } from './schema-walk.ts'
import { SqlFunctionError } from './sql-function.ts'

export type SchemaCheck = (value: unknown) => boolean

const draft202012 = 'https://json-schema.org/draft/2020-12/schema'
const typebox = lazily(() => require('typebox/schema') as typeof import('typebox/schema'))
const formats = lazily(() => (require('typebox/format') as typeof import('typebox/format')).Format)

/** Refuses with a SqlFunctionError, which says why, what is no schema, refers to something outside itself, or could not be checked in bounded time. */
export function compileSchema(schema: JsonSchema): SchemaCheck {
  assertValidSchema(schema)
  const checked = typeof schema === 'boolean' ? {} : linearSchema(schema, { assertPattern, matches, formatCheck: format => formats().Get(format) })
  if (schema === false) return () => false
  const validator = typebox().Compile({}, checked)
  const namesMatter = typeof schema !== 'boolean' && hasNamePatterns(schema)
  return value => finite(() => (!namesMatter || hasShortNames(value)) && validator.Check(value))
}

/** The check of a schema of our own, which needs no checking itself. */
export function compileOwnSchema(schema: JsonSchema): SchemaCheck {
  const validator = typebox().Compile({}, typeof schema === 'boolean' ? {} : schema)
  return value => validator.Check(value)
}

/** A schema may refer to itself on the same place, and then has no answer. */
function finite(check: () => boolean): boolean {
  try {
    return check()
  } catch (error) {
    if (error instanceof RangeError) throw new SqlFunctionError('the check of this schema comes to no end', { cause: error })
    throw error
  }
}

function assertValidSchema(schema: JsonSchema): void {
  if (typeof schema === 'boolean') return
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) throw new SqlFunctionError('a JSON Schema is an object or a boolean')
  const { Errors, Meta } = typebox()
  const named = schema['$schema'] ?? draft202012
  const draft = Object.entries(Meta).find(([id]) => typeof named === 'string' && id.replace(/#$/, '') === named.replace(/#$/, ''))?.[1]
  if (draft === undefined) throw new SqlFunctionError(`$schema is not known: ${String(named)}`)
  const [valid, errors] = Errors(Meta, draft, schema)
  if (valid) return
  const [first] = errors
  throw new SqlFunctionError(`not a valid JSON Schema: ${first === undefined ? '' : `${first.instancePath} ${first.message}`.trim()}`)
}

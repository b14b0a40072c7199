/** The repeated messages about records: databases, record APIs, JSON Schemas. The names are TrailBase's (trailbase-api.md §12.3); what they mean together with the tables is records/catalog. */
import { apiDefaults, type RecordApiConfig } from '../records/catalog/api-config.ts'
import { boolean, capitals, integer, listOf, longText, text, type Kind } from './config-kinds.ts'
import { messages, optional, required } from './config-kinds-message.ts'
import { entryName } from './config-messages.ts'

/** An additional database: `data/<name>.db`, with the migrations of `migrations/<name>/`. */
export interface DatabaseConfig {
  readonly name: string
}

/** A JSON Schema that CHECK constraints name. `schema` is JSON text. */
export interface JsonSchemaConfig {
  readonly name: string
  readonly schema: string
}

/** Most records that one list may be allowed to return. */
const listingLimitMax = 65_536

const actions = listOf(capitals(['create', 'read', 'update', 'delete', 'schema'], { prefix: 'PERMISSION_FLAG_' }))
const column = text('the name of a column')
const rule = text('an SQL expression')
const databaseName = text('a name of letters, digits, "_" and "-"', value => /^[A-Za-z0-9_-]{1,64}$/.test(value))

const resolutions = capitals(['abort', 'ignore', 'replace', 'undefined'], { prefix: 'CONFLICT_RESOLUTION_STRATEGY_' })
const conflictResolution: Kind<RecordApiConfig['conflictResolution']> = {
  ...resolutions,
  expected: 'one of ABORT, IGNORE, REPLACE',
  read(raw, context) {
    const value = resolutions.read(raw, context)
    return value === 'undefined' ? null : value
  },
  toTree: value => resolutions.toTree(value ?? 'undefined'),
}

const databaseFields = {
  name: required(databaseName, 'Name of the database in rules, in `table_name` and of its file `data/<name>.db`; unique.'),
}

const schemaFields = {
  name: required(text('a name'), 'Name by which `CHECK(jsonschema(name, column))` finds it; unique.'),
  schema: required(longText('a JSON Schema as JSON text'), 'The JSON Schema, as text.'),
}

const recordApiFields = {
  name: required(entryName, 'Name in the path `/api/records/v1/<name>`; unique.'),
  table_name: required(text('the name of a table or view'), 'Table or view, with `<database>.` before it when it is not of main.'),
  attached_databases: optional(listOf(databaseName), 'Additional databases that its rules or its view name.'),
  conflict_resolution: optional(conflictResolution, 'What a create does when a record with the same key exists. Default ABORT: it is refused. REPLACE overwrites it, when update_access_rule holds for that record.'),
  autofill_missing_user_id_columns: optional(boolean, 'Columns that refer to `_user(id)` get the id of the caller when a create leaves them out.'),
  enable_subscriptions: optional(boolean, 'Clients may subscribe to changes.'),
  acl_world: optional(actions, 'What anybody may do.'),
  acl_authenticated: optional(actions, 'What a caller with a valid token may do besides.'),
  excluded_columns: optional(listOf(column), 'Columns that do not exist for this API.'),
  create_access_rule: optional(rule, 'Must be true for a create; sees `_USER_`, `_REQ_`, `_REQ_FIELDS_`.'),
  read_access_rule: optional(rule, 'Must be true for a record to be read, listed or sent to a subscriber; sees `_USER_`, `_ROW_`.'),
  update_access_rule: optional(rule, 'Must be true for an update; sees `_USER_`, `_ROW_`, `_REQ_`, `_REQ_FIELDS_`.'),
  delete_access_rule: optional(rule, 'Must be true for a delete; sees `_USER_`, `_ROW_`.'),
  schema_access_rule: optional(rule, 'Must be true for reading the schema; sees `_USER_`.'),
  expand: optional(listOf(text('a foreign key column or another form of expansion')), 'What `expand=` may bring along: `column`, `column.column2`, or `name:table.fk_column`, each with `@api` behind it for the API that guards the other side.'),
  listing_hard_limit: optional(integer(1, listingLimitMax), 'Most records that one list returns. Default 1024.'),
}

export const databases: Kind<readonly DatabaseConfig[]> = messages<DatabaseConfig>('databases', databaseFields)
export const recordApis: Kind<readonly RecordApiConfig[]> = messages<RecordApiConfig>('record APIs', recordApiFields, apiDefaults)
export const jsonSchemas: Kind<readonly JsonSchemaConfig[]> = messages<JsonSchemaConfig>('schemas', schemaFields)

/** What the lists about records ask of each other (trailbase-api.md §12.3). What tables and columns say to them is records/catalog. */
import { nearest } from '../lib/suggest.ts'
import { conflict, uniqueNames, type Conflict } from './config-conflict.ts'
import type { RecordApiConfig } from '../records/catalog/api-config.ts'
import type { DatabaseConfig, JsonSchemaConfig } from './config-messages-records.ts'
import type { Config } from './options.ts'

/** Files of the depot, and what SQLite calls its own. */
const reservedDatabases: ReadonlySet<string> = new Set(['main', 'public', 'logs', 'session', 'temp'])

export function recordConflicts(config: Config): readonly Conflict[] {
  return [
    // Names of attached databases and of files differ by more than capitals.
    ...uniqueNames('databases', config.databases.map(database => database.name.toLowerCase())),
    ...config.databases.flatMap(databaseConflicts),
    ...uniqueNames('schemas', config.schemas.map(schema => schema.name)),
    ...config.schemas.flatMap(schemaConflicts),
    ...uniqueNames('record_apis', config.recordApis.map(api => api.name)),
    ...config.recordApis.flatMap((api, index) => recordApiConflicts(api, index, config.databases)),
    ...storageConflicts(config),
    ...(config.server.spa && config.server.publicDir === null ? [conflict('server.spa', 'expected server.public_dir beside it, got none')] : []),
  ]
}

function databaseConflicts({ name }: DatabaseConfig, index: number): readonly Conflict[] {
  if (!reservedDatabases.has(name.toLowerCase())) return []
  return [conflict('databases', `expected another name than ${[...reservedDatabases].join(', ')}, got "${name}"`, `[${index}].name`)]
}

function schemaConflicts({ name, schema }: JsonSchemaConfig, index: number): readonly Conflict[] {
  if (name.startsWith('std.')) {
    return [conflict('schemas', `expected a name that does not begin with "std.", which is the server’s, got "${name}"`, `[${index}].name`)]
  }
  const parsed = parseJson(schema)
  const fits = typeof parsed === 'boolean' || (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
  return fits ? [] : [conflict('schemas', 'expected a JSON Schema, that is, a JSON object, got other text', `[${index}].schema`)]
}

function recordApiConflicts(api: RecordApiConfig, index: number, databases: readonly DatabaseConfig[]): readonly Conflict[] {
  const known = databases.map(database => database.name)
  const found = api.attachedDatabases.flatMap((name, position) => unknownDatabase(name, known, `[${index}].attached_databases[${position}]`))
  const [database, table] = api.tableName.includes('.') ? api.tableName.split(/\.(.*)/s) : ['main', api.tableName]
  if (table === '' || table === undefined) found.push(conflict('record_apis', `expected the name of a table, got "${api.tableName}"`, `[${index}].table_name`))
  else if (database !== 'main') found.push(...unknownDatabase(database ?? '', known, `[${index}].table_name`))
  return found
}

function unknownDatabase(name: string, known: readonly string[], below: string): Conflict[] {
  if (known.includes(name)) return []
  const near = nearest(name, known)
  return [conflict('record_apis', `expected a database of the list databases, got "${name}"${near === null ? '' : `; did you mean "${near}"?`}`, below)]
}

function storageConflicts(config: Config): readonly Conflict[] {
  const { endpoint, region, bucketName, accessKey, secretAccessKey } = config.server.s3StorageConfig
  const others = [region, bucketName, accessKey, secretAccessKey]
  if (endpoint === null) {
    return others.every(value => value === null) ? [] : [conflict('server.s3_storage_config.endpoint', 'expected the address of the S3 service, because other fields of it are set, got nothing')]
  }
  return bucketName === null ? [conflict('server.s3_storage_config.bucket_name', 'expected the bucket at server.s3_storage_config.endpoint, got nothing')] : []
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

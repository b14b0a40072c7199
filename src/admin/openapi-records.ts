/** The routes of record APIs in OpenAPI: one set for each API that the caller may know, with its schemas when the caller may see them. */
import { recordSchema, schemaModes, type SchemaMode } from '../records/json-schema.ts'
import type { RecordAction, RecordApi } from '../records/record-api.ts'
import { answer, array, body, inHeader, inPath, inQuery, integer, object, ref, text, type Json, type Method, type Operation, type Paths } from './openapi-shape.ts'

export interface ShownApi {
  readonly api: RecordApi
  /** False: the columns are not told. */
  readonly hasSchema: boolean
  /** What anybody but the operator may do; the operator may do everything. */
  readonly actions: ReadonlySet<RecordAction>
}

export interface RecordsDocument {
  readonly paths: Paths
  readonly schemas: Json
}

const jsonAndForms = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data']

export function recordsDocument(apis: readonly ShownApi[], transactions: boolean): RecordsDocument {
  const paths = Object.assign({}, ...apis.map(apiPaths), transactions ? transactionPaths : {}) as Paths
  const schemas = Object.assign({}, ...apis.filter(({ hasSchema }) => hasSchema).map(({ api }) => apiSchemas(api))) as Json
  return { paths, schemas: { RecordIds: recordIds, ...(transactions ? { Transaction: transactionSchema } : {}), ...schemas } }
}

function apiPaths({ api, hasSchema, actions }: ShownApi): Paths {
  const root = `/api/records/v1/${encodeURIComponent(api.name)}`
  const schema = (mode: SchemaMode): Json => (hasSchema ? ref(schemaName(api, mode)) : { type: 'object' })
  const isTable = api.relation.kind === 'table'
  const reads = actions.has('read')
  const onRecord: Partial<Record<Method, Operation>> = {
    ...(reads ? readOperations(api, schema('Select')) : {}),
    ...(isTable && actions.has('update') ? { patch: updateOperation(api, schema('Update')) } : {}),
    ...(isTable && actions.has('delete') ? { delete: deleteOperation(api) } : {}),
  }
  const onApi: Partial<Record<Method, Operation>> = {
    ...(reads ? listOperations(api, schema('Select')) : {}),
    ...(isTable && actions.has('create') ? { post: createOperation(api, schema('Insert')) } : {}),
  }
  return withoutEmpty({
    [root]: onApi,
    [`${root}/{id}`]: onRecord,
    [`${root}/schema`]: actions.has('schema') ? { get: schemaOperation(api), head: headOf(schemaOperation(api)) } : {},
    [`${root}/subscribe/{target}`]: reads && api.enableSubscriptions ? { get: subscribeOperation(api) } : {},
    ...(reads && hasSchema ? filePaths(api, root) : {}),
  })
}

function withoutEmpty(paths: Paths): Paths {
  return Object.fromEntries(Object.entries(paths).filter(([, operations]) => Object.keys(operations).length > 0))
}

function named(api: RecordApi, verb: string): Pick<Operation, 'operationId' | 'tags'> {
  return { operationId: `${verb}_${api.name}`, tags: [`records: ${api.name}`] }
}

export function headOf(operation: Operation): Operation {
  const { requestBody: _, ...rest } = operation
  const [ok = ['200', answer('')]] = Object.entries(operation.responses)
  return { ...rest, operationId: `${operation.operationId}_head`, summary: `${operation.summary}: headers only`, responses: { ...rest.responses, [ok[0]]: { description: 'The same without a body' } } }
}

const id = inPath('id', 'The key: digits, a UUID or base64url, text; parts of a composite key behind each other with commas')
const idempotency = inHeader('Idempotency-Key', 'The stored answer is given again for 24 hours')
const batchIdempotency = inHeader('Idempotency-Key', 'The stored answer is given again for 24 hours; needs `"transaction": true`')
const ifMatch = inHeader('If-Match', 'ETag of the version that is to be changed, which takes the right to read it, or `*`; otherwise 412')
const txn: Json = { 'Headwater-Txn': { description: 'Number of the transaction', schema: integer } }

const refusals: Readonly<Record<string, Json>> = {
  '400': answer('The request does not fit; the text says why', text, 'text/plain'),
  '403': answer('The access rules do not allow it'),
  '405': answer('There is no such API, or it is read-only'),
}
const missing: Readonly<Record<string, Json>> = { '404': answer('There is no such record, or the caller may not see it') }
const costly: Readonly<Record<string, Json>> = { '422': answer('The query takes longer than allowed', ref('Problem'), 'application/problem+json') }
const outdated: Readonly<Record<string, Json>> = { '412': answer('The record is another version') }

const listParameters: readonly Json[] = [
  inQuery('limit', 'Records of a page; 0 only counts', { type: 'integer', minimum: 0 }),
  inQuery('cursor', 'The page behind the one that gave it'),
  inQuery('offset', 'Records to leave out', { type: 'integer', minimum: 0 }),
  inQuery('count', 'Whether to count all records', { type: 'boolean' }),
  inQuery('skip_cursor', 'No cursor in the answer', { type: 'boolean' }),
  inQuery('order', 'Columns, with "-" in front for downwards', text),
  inQuery('fields', 'Only these columns', text),
  inQuery('expand', 'Rows to bring along, as configured', text),
  inQuery('aggregate', 'Groups instead of records: count, sum(a), avg(a), min(a), max(a), distinct(a)', text),
  inQuery('group', 'Columns to group by', text),
  inQuery('match', 'Full-text search of an FTS5 table', text),
  inQuery('geojson', 'A FeatureCollection with this column as geometry', text),
  { name: 'filter', in: 'query', style: 'deepObject', explode: true, description: 'filter[column][$operator]=value, with $and and $or', schema: { type: 'object', additionalProperties: true } },
]

function listOperations(api: RecordApi, schema: Json): Partial<Record<Method, Operation>> {
  const page = object({ cursor: text, total_count: { type: 'integer' }, records: array(schema), groups: array({ type: 'object' }) })
  const get = { ...named(api, 'list'), summary: `Lists records of ${api.name}`, parameters: listParameters, responses: { '200': answer('A page', page), ...refusals, ...costly } }
  return { get, head: headOf(get) }
}

function readOperations(api: RecordApi, schema: Json): Partial<Record<Method, Operation>> {
  const parameters = [id, inQuery('expand', 'Rows to bring along', text), inQuery('fields', 'Only these columns', text), inHeader('If-None-Match', 'ETag that is known; then 304')]
  const responses = { '200': { ...answer('The record', schema), headers: { ETag: { schema: text } } }, '304': answer('It is the version that is known'), ...refusals, ...missing }
  const get = { ...named(api, 'read'), summary: `Reads a record of ${api.name}`, parameters, responses }
  return { get, head: headOf(get) }
}

function createOperation(api: RecordApi, schema: Json): Operation {
  return {
    ...named(api, 'create'),
    summary: `Creates one or many records of ${api.name}`,
    parameters: [idempotency, inQuery('redirect_uri', 'Where to go afterwards; answers 303', text)],
    requestBody: body({ anyOf: [schema, array(schema)] }, jsonAndForms),
    responses: { '200': { ...answer('Their ids', ref('RecordIds')), headers: txn }, '303': answer('To redirect_uri'), ...refusals },
  }
}

function updateOperation(api: RecordApi, schema: Json): Operation {
  return {
    ...named(api, 'update'),
    summary: `Changes the given columns of a record of ${api.name}`,
    parameters: [id, ifMatch, idempotency],
    requestBody: body(schema, jsonAndForms),
    responses: { '200': { ...answer('Changed'), headers: txn }, ...refusals, ...missing, ...outdated },
  }
}

function deleteOperation(api: RecordApi): Operation {
  return {
    ...named(api, 'delete'),
    summary: `Deletes a record of ${api.name}`,
    parameters: [id, ifMatch, idempotency],
    responses: { '200': { ...answer('Deleted', text, 'text/plain'), headers: txn }, ...refusals, ...missing, ...outdated },
  }
}

function schemaOperation(api: RecordApi): Operation {
  return {
    ...named(api, 'schema'),
    summary: `The JSON Schema of ${api.name}`,
    parameters: [inQuery('mode', 'Of what a create takes, a read gives, or an update takes', { enum: schemaModes, default: 'Insert' })],
    responses: { '200': answer('The schema', { type: 'object' }), ...refusals },
  }
}

function subscribeOperation(api: RecordApi): Operation {
  return {
    ...named(api, 'subscribe'),
    summary: `Follows one record of ${api.name}, or all with "*"`,
    parameters: [
      inPath('target', 'The key of a record, or *'),
      inQuery('since', 'Number of the event to go on after; Last-Event-ID says the same', integer),
      inHeader('Last-Event-ID', 'Number of the last event that arrived', integer),
      ...listParameters.filter(({ name }) => name === 'filter'),
    ],
    responses: { '200': answer('Server-sent events', text, 'text/event-stream'), ...refusals, ...missing },
  }
}

function filePaths(api: RecordApi, root: string): Paths {
  const single = api.visible.filter(({ format }) => format.kind === 'file').map(({ name }) => name)
  const many = api.visible.filter(({ format }) => format.kind === 'files').map(({ name }) => name)
  const operation = (verb: string, columns: readonly string[], more: readonly Json[]): Operation => ({
    ...named(api, verb),
    summary: `A file of a record of ${api.name}`,
    parameters: [id, inPath('column', 'The column', { enum: columns }), ...more, inHeader('Range', 'Only these bytes')],
    responses: { '200': answer('The file', {}, 'application/octet-stream'), '206': answer('Part of it', {}, 'application/octet-stream'), '304': answer('It is the one that is known'), ...refusals, ...missing, '416': answer('The range is outside of the file') },
  })
  const one = operation('file', single, [])
  const some = operation('files', many, [inPath('filename', 'Its stored name')])
  return {
    ...(single.length > 0 ? { [`${root}/{id}/file/{column}`]: { get: one, head: headOf(one) } } : {}),
    ...(many.length > 0 ? { [`${root}/{id}/files/{column}/{filename}`]: { get: some, head: headOf(some) } } : {}),
  }
}

const recordIds = object({ ids: array(text), txn: integer }, ['ids', 'txn'])

const operationSchema = (fields: Json, required: readonly string[]): Json => object({ api_name: text, ...fields }, ['api_name', ...required])
const transactionSchema = object(
  {
    operations: array({
      oneOf: [
        object({ Create: operationSchema({ value: { type: 'object' } }, ['value']) }, ['Create']),
        object({ Update: operationSchema({ record_id: text, value: { type: 'object' } }, ['record_id', 'value']) }, ['Update']),
        object({ Delete: operationSchema({ record_id: text }, ['record_id']) }, ['Delete']),
      ],
    }),
    transaction: { type: 'boolean' },
  },
  ['operations'],
)

const transactionPaths: Paths = {
  '/api/transaction/v1/execute': {
    post: {
      operationId: 'executeTransaction',
      summary: 'Creates, updates and deletes records of several APIs in one transaction',
      tags: ['records'],
      parameters: [batchIdempotency],
      requestBody: body(ref('Transaction')),
      responses: { '200': { ...answer('A result for each operation', object({ results: array({ type: 'object' }), txn: integer })), headers: txn }, ...refusals, '422': answer('The batch has not the form that is expected') },
    },
  },
}

function schemaName(api: RecordApi, mode: SchemaMode): string {
  return `${api.name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.${mode}`
}

function apiSchemas(api: RecordApi): Json {
  return Object.fromEntries(schemaModes.map(mode => [schemaName(api, mode), placed(recordSchema(api, mode), schemaName(api, mode))]))
}

/** A document of its own, put into another one: its references lead to the new place. */
function placed(schema: Json, name: string): Json {
  const { $schema: _, ...rest } = schema
  return turned(rest, `#/components/schemas/${name}`) as Json
}

function turned(value: unknown, root: string): unknown {
  if (Array.isArray(value)) return value.map(each => turned(each, root))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, key === '$ref' && typeof each === 'string' && each.startsWith('#') ? `${root}${each.slice(1)}` : turned(each, root)]),
  )
}

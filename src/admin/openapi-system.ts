/** What OpenAPI says of the routes that are neither records nor streams: health, metrics, accounts, administrators, control. */
import { answer, array, body, bytes, inHeader, inQuery, integer, object, problems, ref, text, type Json, type Operation, type Paths } from './openapi-shape.ts'

const open: readonly Json[] = [{}]

function probe(operationId: string, summary: string, more: Partial<Operation> = {}): Operation {
  return { operationId, summary, tags: ['health'], responses: { '200': answer('Well', text, 'text/plain') }, security: open, ...more }
}

const healthPaths: Paths = {
  '/livez': { get: probe('livez', 'Whether the process answers') },
  '/healthz': { get: probe('healthz', 'The same') },
  '/readyz': { get: probe('readyz', 'Whether it is ready to serve', { parameters: [inQuery('verbose', 'List the checks', text)], responses: { '200': answer('Ready'), '503': answer('Not ready') } }) },
  '/api/healthcheck': { get: probe('healthcheck', 'As TrailBase’s clients ask') },
  '/metrics': { get: probe('metrics', 'Measurements in the format of Prometheus', { tags: ['metrics'], responses: { '200': answer('Measurements', text, 'text/plain'), ...problems(401, 403) } }) },
  '/api/openapi.json': { get: probe('openApi', 'This document, as far as the caller may know it', { tags: ['documents'], responses: { '200': answer('The document', { type: 'object' }) } }) },
}

const tokens = object({ auth_token: text, refresh_token: text, csrf_token: text }, ['auth_token', 'refresh_token', 'csrf_token'])
const forms = ['application/json', 'application/x-www-form-urlencoded']
const failed: Readonly<Record<string, Json>> = { '400': answer('The request does not fit'), '401': answer('Not these credentials'), '429': answer('Too many attempts') }

function account(operationId: string, summary: string, rest: Partial<Operation>): Operation {
  return { operationId, summary, tags: ['accounts'], security: open, responses: { '200': answer('Tokens', tokens), ...failed }, ...rest }
}

const accountPaths: Paths = {
  '/.well-known/jwks.json': { get: account('publicKeys', 'Public keys of this server’s tokens', { responses: { '200': answer('A JWK set', object({ keys: array({ type: 'object' }) })) } }) },
  '/api/auth/v1/login': {
    post: account('login', 'Signs in with a password', {
      requestBody: body(object({ email: text, username: text, password: text, redirect_uri: text, mfa_redirect_uri: text, response_type: text, pkce_code_challenge: text }, ['password']), forms),
      responses: { '200': answer('Tokens', tokens), '303': answer('To redirect_uri'), '403': answer('A second step is needed', object({ mfa_token: text })), ...failed },
    }),
  },
  '/api/auth/v1/login_mfa': { post: account('loginSecondStep', 'The second step of a sign-in', { requestBody: body(object({ mfa_token: text, totp: text }, ['mfa_token', 'totp']), forms) }) },
  '/api/auth/v1/token': { post: account('exchangeCode', 'Tokens for a code (PKCE)', { requestBody: body(object({ authorization_code: text, pkce_code_verifier: text }, ['authorization_code'])) }) },
  '/api/auth/v1/refresh': { post: account('refreshToken', 'A new access token', { requestBody: body(object({ refresh_token: text }), forms, false) }) },
  '/api/auth/v1/status': { get: account('signInStatus', 'The tokens of the caller’s cookies', { responses: { '200': answer('Tokens, or nulls', { type: 'object' }) } }) },
  '/api/auth/v1/logout': {
    get: account('logoutEverywhere', 'Ends all sessions of the caller', { parameters: [inQuery('redirect_uri', 'Where to go', text)], responses: { '200': answer('Done'), '303': answer('To redirect_uri'), ...failed } }),
    post: account('logout', 'Ends one session', { requestBody: body(object({ refresh_token: text }), forms, false), responses: { '200': answer('Done'), ...failed } }),
  },
  '/api/auth/v1/login_anonymous': { post: account('loginAnonymously', 'A user without a name, where that is enabled', { responses: { '200': answer('Tokens', tokens), '404': answer('Not enabled'), ...failed } }) },
  '/api/auth/v1/promote_anonymous': { post: account('promoteAnonymous', 'Gives such a user a name and password', { requestBody: body({ type: 'object' }, forms), responses: { '200': answer('Done'), '404': answer('Not enabled'), ...failed } }) },
}

const sqlQuery = object({ query: text, attached_databases: array(text), read_only: { type: 'boolean', default: false } }, ['query'])
const sqlAnswer = object({ columns: { anyOf: [{ type: 'null' }, array({ type: 'object' })] }, rows: array(array(ref('SqlValue'))), txn: integer }, ['columns', 'rows'])
const csrf = { ...inHeader('CSRF-Token', 'The csrf_token of the access token'), required: true }

function administrator(operationId: string, summary: string, rest: Partial<Operation>): Operation {
  return { operationId, summary, tags: ['administration'], parameters: [csrf], responses: {}, ...rest }
}

export const adminPaths: Paths = {
  '/api/_admin/query': {
    post: administrator('adminQuery', 'Runs SQL in one transaction', { requestBody: body(sqlQuery), responses: { '200': answer('Rows of the last statement that has any', sqlAnswer), ...problems(400, 401, 403, 412, 422) } }),
  },
  '/api/_admin/tables': {
    get: administrator('adminTables', 'Tables, indexes, triggers and views of all databases, each with its SQL', {
      responses: { '200': answer('Pairs of a description and SQL', object(Object.fromEntries(['tables', 'indexes', 'triggers', 'views'].map(name => [name, array({ type: 'array' })])))), ...problems(400, 401, 403) },
    }),
  },
}

function control(operationId: string, summary: string, rest: Partial<Operation> = {}): Operation {
  return { operationId, summary, tags: ['control socket'], security: open, responses: { '200': answer('Done', { type: 'object' }), ...problems(400, 404) }, ...rest }
}

const table = inQuery('table', 'TABLE or DATABASE.TABLE', text)
const wireRows = array(array({ type: ['string', 'null'] }))
const batch = object({ table: text, import: text, columns: array(text), rows: wireRows, conflict: { enum: ['fail', 'skip', 'replace'] } })

/** What only the control socket in the depot has; whoever can open it is the operator. */
export const controlPaths: Paths = {
  '/control/streams': { get: control('controlStreams', 'Lists streams', { parameters: ['prefix', 'after', 'limit'].map(name => inQuery(name, 'Which part of the list', text)) }) },
  '/control/export': { get: control('controlExport', 'Streams as an archive', { parameters: [inQuery('prefix', 'Only these', text)], responses: { '200': answer('The archive', bytes, 'application/jsonl') } }) },
  '/control/import': { post: control('controlImport', 'Brings an archive in', { parameters: [inQuery('on_conflict', 'fail, skip or replace', text)], requestBody: body(bytes, ['application/jsonl']) }) },
  '/control/config/reload': { post: control('controlReload', 'Reads configuration and migrations again') },
  '/control/users': {
    get: control('controlUsers', 'Lists users', { parameters: ['after', 'limit'].map(name => inQuery(name, 'Which part of the list', text)) }),
    post: control('controlAddUser', 'Adds a user', { requestBody: body(object({ email: text, password: text, admin: { type: 'boolean' } }, ['email'])) }),
  },
  '/control/users/mint': { post: control('controlMint', 'Tokens of a user', { requestBody: body(object({ user: text }, ['user'])) }) },
  '/control/sql': { post: control('controlSql', 'Runs SQL in one transaction', { requestBody: body(sqlQuery), responses: { '200': answer('Rows', sqlAnswer), ...problems(400, 412, 422) } }) },
  '/control/schema': { get: control('controlSchema', 'The JSON Schema of a record API', { parameters: [inQuery('api', 'Its name', text), inQuery('mode', 'insert, select or update', text)] }) },
  '/control/openapi': { get: control('controlOpenApi', 'This document', { parameters: [inQuery('admin', 'With what is here', text)] }) },
  '/control/table': { get: control('controlTable', 'The columns of a table', { parameters: [table] }) },
  '/control/table/rows': {
    get: control('controlTableRows', 'Rows in the order of the key', { parameters: [table, inQuery('after', 'next of the page before', text), inQuery('limit', 'Rows of a page', integer)], responses: { '200': answer('A page', object({ rows: wireRows, next: { type: ['string', 'null'] } })), ...problems(400, 404) } }),
    post: control('controlStoreRows', 'Stores a batch of rows', { requestBody: body(batch) }),
  },
  '/control/table/import': {
    post: control('controlBeginImport', 'Begins an import that is stored as a whole', { requestBody: body(batch) }),
    delete: control('controlDropImport', 'Gives such an import up', { parameters: [inQuery('import', 'Its name', text)] }),
  },
  '/control/table/import/rows': { post: control('controlGatherRows', 'Adds rows to such an import', { requestBody: body(batch) }) },
  '/control/table/import/finish': { post: control('controlFinishImport', 'Stores such an import', { requestBody: body(batch) }) },
}

/** What is known of routes that the router has: words for those, never routes of its own. */
export const knownPaths: Paths = { ...healthPaths, ...accountPaths, ...controlPaths }

const sqlValue: Json = {
  oneOf: [
    { const: 'Null' },
    object({ Integer: integer }, ['Integer']),
    object({ Real: { type: 'number' } }, ['Real']),
    object({ Text: text }, ['Text']),
    object({ Blob: object({ Base64UrlSafe: text }, ['Base64UrlSafe']) }, ['Blob']),
  ],
}

const problem = {
  ...object({ type: text, title: text, status: { type: 'integer' }, code: text, detail: text, instance: text, request_id: text }, ['type', 'title', 'status', 'code']),
  description: 'RFC 9457',
}

export const systemComponents = {
  schemas: { Problem: problem, SqlValue: sqlValue },
  responses: { Problem: answer('Refused; docs/errors.md lists the codes', ref('Problem'), 'application/problem+json') },
  securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, cookie: { type: 'apiKey', in: 'cookie', name: 'auth_token' } },
}

/** The OpenAPI document: sound in itself, the same as the routes that answer, and silent about what a caller may not know. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headwater, temporaryDirectory } from '../support/cli.ts'
import { startServer, type Server } from '../support/server.ts'

setDefaultTimeout(60_000)

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: unknown }[]
  readonly responses: Readonly<Record<string, unknown>>
  readonly requestBody?: unknown
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

const sql = `
  CREATE TABLE post (
    id INTEGER PRIMARY KEY, author BLOB CHECK (is_uuid(author)), title TEXT NOT NULL, picture TEXT CHECK (jsonschema('std.FileUpload', picture)),
    papers TEXT CHECK (jsonschema('std.FileUploads', papers)), place BLOB CHECK (ST_IsValid(place)), _secret_word TEXT, inner_note TEXT
  ) STRICT;
  CREATE TABLE note (id INTEGER PRIMARY KEY, post INTEGER REFERENCES post (id), hushed_text TEXT) STRICT;
  CREATE VIEW titles AS SELECT id, title FROM post;
`
const config = `
server { enable_record_transactions: true }
auth { enable_anonymous_signin: true }
record_apis: [
  { name: "posts" table_name: "post" acl_world: [CREATE, READ, UPDATE, DELETE, SCHEMA] excluded_columns: ["inner_note"] enable_subscriptions: true },
  { name: "titles" table_name: "titles" acl_world: [READ] acl_authenticated: [SCHEMA] },
  { name: "notes" table_name: "note" acl_authenticated: [READ, CREATE, SCHEMA] expand: ["post@posts"] },
  { name: "ruled" table_name: "note" acl_world: [READ, SCHEMA] schema_access_rule: "_USER_.id IS NOT NULL" },
  { name: "backstage" table_name: "note" }
]
`

let server: Server
let files: ReturnType<typeof temporaryDirectory>
let open: Document
let operator: Document

beforeAll(async () => {
  files = temporaryDirectory()
  const depot = join(files.path, 'depot')
  mkdirSync(join(depot, 'migrations/main'), { recursive: true })
  writeFileSync(join(depot, 'migrations/main/U1800000000__a.sql'), sql)
  writeFileSync(join(depot, 'config.textproto'), config)
  server = await startServer({ depot, mode: 'memory' })
  open = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as Document
  operator = JSON.parse((await headwater(['openapi', '--admin', '--depot', depot])).out) as Document
})

afterAll(async () => {
  await server.close()
  files[Symbol.dispose]()
})

const operationsOf = (document: Document) =>
  Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))

describe.each(['open', 'operator'] as const)('the document for the %s', who => {
  const document = () => (who === 'open' ? open : operator)

  test('is 3.1, and every operation has an id of its own, a summary and answers', () => {
    expect(document().openapi).toMatch(/^3\.1\.\d$/)
    const operations = operationsOf(document())
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids.filter((id, i) => ids.indexOf(id) < i)).toEqual([])
    expect(operations.filter(({ operation }) => Object.keys(operation.responses).length === 0 || operation.summary === '')).toEqual([])
    expect(operations.filter(({ operation }) => Object.keys(operation.responses).some(status => !/^([1-5]\d\d|default)$/.test(status)))).toEqual([])
    expect(operations.filter(({ method }) => !['get', 'head', 'post', 'put', 'patch', 'delete'].includes(method))).toEqual([])
    expect(operations.filter(({ method, operation }) => operation.requestBody !== undefined && ['get', 'head', 'delete'].includes(method))).toEqual([])
  })

  test('every reference leads somewhere', () => {
    const references = [...JSON.stringify(document()).matchAll(/"\$ref":"([^"]*)"/g)].map(match => match[1] ?? '')
    expect(references.length).toBeGreaterThan(10)
    expect(references.filter(reference => placeOf(document(), reference) === undefined)).toEqual([])
  })

  test('every parameter of a path is declared, once, and no other', () => {
    const wrong = operationsOf(document()).filter(({ path, operation }) => {
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(match => match[1])
      const declared = (operation.parameters ?? []).filter(parameter => parameter.in === 'path')
      const all = (operation.parameters ?? []).map(parameter => `${parameter.in} ${parameter.name.toLowerCase()}`)
      return inPath.toSorted().join() !== declared.map(({ name }) => name).toSorted().join() || declared.some(({ required }) => required !== true) || new Set(all).size < all.length
    })
    expect(wrong.map(({ path, method }) => `${method} ${path}`)).toEqual([])
  })

  test('no two paths are the same but for the names of their parameters; names of components are allowed ones', () => {
    const shapes = Object.keys(document().paths).map(path => path.replaceAll(/\{[^}]+\}/g, '{}'))
    expect(shapes.filter((shape, i) => shapes.indexOf(shape) < i)).toEqual([])
    expect(Object.keys(document().components.schemas).filter(name => !/^[A-Za-z0-9._-]+$/.test(name))).toEqual([])
  })
})

describe('the document and the routes', () => {
  test('everything that it names is answered', async () => {
    const dead: string[] = []
    for (const { path, method } of operationsOf(operator)) {
      const url = path.replaceAll('{id}', '1').replaceAll('{target}', '1').replaceAll('{name}', 'no-such').replaceAll('{subscription}', 'none').replaceAll('{column}', 'picture').replaceAll('{filename}', 'x')
      const answered = path.startsWith('/control/') ? await onSocket(method, url) : await onPort(method, url)
      // What a route does not find is told in words of its own; a route that does not exist is an empty 404 or `not_found`.
      const isEmpty = answered.text === '' ? !path.includes('{') : /"code":"not_found"/.test(answered.text) && !/"detail"/.test(answered.text)
      if (answered.status === 405 || (answered.status === 404 && isEmpty)) dead.push(`${method} ${path}: ${answered.status} ${answered.text.slice(0, 100)}`)
    }
    expect(dead).toEqual([])
  })

  test('every route of the router, of records, streams and subscriptions is in it', () => {
    const named = operationsOf(operator).map(({ path, method }) => `${method} ${path}`)
    const expected = [
      ...['livez', 'healthz', 'readyz', 'metrics', 'api/healthcheck', 'api/openapi.json', '.well-known/jwks.json', 'api/auth/v1/status', 'api/auth/v1/logout'].map(path => `get /${path}`),
      ...['login', 'login_mfa', 'token', 'refresh', 'logout', 'login_anonymous', 'promote_anonymous'].map(path => `post /api/auth/v1/${path}`),
      ...['get', 'head', 'post'].map(method => `${method} /api/records/v1/posts`),
      ...['get', 'head', 'patch', 'delete'].map(method => `${method} /api/records/v1/posts/{id}`),
      'get /api/records/v1/posts/schema',
      'get /api/records/v1/posts/subscribe/{target}',
      'get /api/records/v1/posts/{id}/file/{column}',
      'get /api/records/v1/posts/{id}/files/{column}/{filename}',
      'post /api/transaction/v1/execute',
      'post /api/_admin/query',
      ...['get', 'head', 'post', 'put', 'delete'].map(method => `${method} /v1/stream/{name}`),
    ]
    expect(expected.filter(route => !named.includes(route))).toEqual([])
    expect(named.filter(route => route.includes('*'))).toEqual([])
  })
})

describe('what a caller may not know', () => {
  test('an API that is granted to nobody is the operator’s alone; others are named', () => {
    const names = (document: Document) => [...new Set(Object.keys(document.paths).flatMap(path => /^\/api\/records\/v1\/([^/]+)/.exec(path)?.[1] ?? []))].toSorted()
    expect(names(open)).toEqual(['notes', 'posts', 'ruled', 'titles'])
    expect(names(operator)).toEqual(['backstage', 'notes', 'posts', 'ruled', 'titles'])
    expect(Object.keys(open.paths).filter(path => path.startsWith('/control/') || path.startsWith('/api/_admin/'))).toEqual([])
  })

  test('columns of schemas that were not granted, and excluded ones, are nowhere', () => {
    const text = JSON.stringify(open)
    expect(text).toContain('"title"')
    for (const hidden of ['inner_note', 'hushed_text', '_secret_word']) expect([hidden, text.includes(hidden)]).toEqual([hidden, false])
    expect(Object.keys(open.components.schemas).filter(name => /^(titles|notes|ruled|backstage)\./.test(name))).toEqual([])
    expect(JSON.stringify(operator)).not.toContain('inner_note')
  })

  test('only what is granted can be done', () => {
    expect(Object.keys(open.paths['/api/records/v1/titles'] ?? {})).toEqual(['get', 'head'])
    expect(Object.keys(open.paths['/api/records/v1/notes/{id}'] ?? {})).toEqual(['get', 'head'])
    expect(open.paths['/api/records/v1/titles/subscribe/{target}']).toBeUndefined()
  })

  test('the route takes GET and HEAD, and is not kept by caches of others', async () => {
    const head = await fetch(`${server.url}/api/openapi.json`, { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('cache-control')]).toEqual([200, '', 'private, no-cache'])
    expect((await fetch(`${server.url}/api/openapi.json`, { method: 'POST' })).status).toBe(405)
    expect((await fetch(`${server.url}/api/_admin/query`, { method: 'POST', body: '{"query":"SELECT 1"}' })).status).toBe(401)
  })
})

/** What a JSON pointer in a URI fragment leads to. */
function placeOf(document: object, reference: string): unknown {
  let place: unknown = document
  for (const part of reference.slice(2).split('/')) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    place = typeof place === 'object' && place !== null ? (place as Readonly<Record<string, unknown>>)[name] : undefined
  }
  return reference.startsWith('#/') ? place : undefined
}

async function onPort(method: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const stop = new AbortController()
  const response = await fetch(`${server.url}${path}`, { method: method.toUpperCase(), redirect: 'manual', signal: stop.signal })
  const text = response.headers.get('content-type') === 'text/event-stream' ? '' : await response.text()
  stop.abort()
  return { status: response.status, text }
}

async function onSocket(method: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://localhost${path}`, { method: method.toUpperCase(), unix: join(server.depot, 'headwater.sock') })
  return { status: response.status, text: await response.text() }
}

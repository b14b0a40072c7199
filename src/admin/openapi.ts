/** The OpenAPI 3.1 document of a server: routes of the router, streams, and the record APIs of its depot as far as the caller may know them. */
import { toOpenAPISchema } from '@elysiajs/openapi/openapi'
import { build } from '../lib/build.ts'
import { fail, Refusal } from '../lib/errors.ts'
import type { Principal } from '../lib/principal.ts'
import { RecentMap } from '../lib/recent-map.ts'
import type { SchemaMode } from '../records/json-schema.ts'
import type { RecordAction, RecordApi, RecordCatalog } from '../records/record-api.ts'
import { recordsDocument, type ShownApi } from './openapi-records.ts'
import type { Json, Method, Operation, Paths } from './openapi-shape.ts'
import { streamPaths } from './openapi-streams.ts'
import { adminPaths, controlPaths, knownPaths, systemComponents } from './openapi-system.ts'

type Router = Parameters<typeof toOpenAPISchema>[0]

export interface OpenApiParts {
  /** Its routes are read when a document is made. */
  readonly router: () => Router
  readonly records: {
    readonly catalog: RecordCatalog
    /** Refuses a caller who may not see the schema. */
    schema(api: RecordApi, principal: Principal, mode: SchemaMode): unknown
  }
  readonly streamBasePath: string
  /** Whether several operations of records can be one request. */
  readonly transactions: boolean
}

/** `admin`: also what is for administrators. `operator`: also what only the control socket has. */
export type DocumentScope = 'public' | 'admin' | 'operator'

/** Documents that are remembered: one for each set of schemas that callers may see. */
const documentsMax = 64

export class OpenApi {
  readonly #parts: OpenApiParts
  readonly #documents = new RecentMap<string, string>(documentsMax)

  constructor(parts: OpenApiParts) {
    this.#parts = parts
  }

  /** The document for `principal` as JSON. */
  text(principal: Principal, scope: DocumentScope): string {
    const { records } = this.#parts
    const apis = shownApis(records, principal)
    const id = [records.catalog.version, scope, ...apis.map(({ api, hasSchema }) => `${api.name}${hasSchema ? '+' : ''}`)].join('/')
    const known = this.#documents.get(id)
    if (known !== undefined) return known
    const text = JSON.stringify(documentOf(this.#parts, apis, scope))
    this.#documents.set(id, text)
    return text
  }

  /** `GET /api/openapi.json`. */
  answer(request: Request, principal: Principal): Response {
    if (request.method !== 'GET' && request.method !== 'HEAD') fail('method_not_allowed', { allow: 'GET, HEAD, OPTIONS' })
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'private, no-cache', Vary: 'Authorization, Cookie' }
    return new Response(request.method === 'HEAD' ? null : this.text(principal, 'public'), { headers })
  }
}

/** An API that is granted to nobody is the operator's alone. */
function shownApis(records: OpenApiParts['records'], principal: Principal): readonly ShownApi[] {
  const all = [...records.catalog.apis.values()]
  if (principal.kind === 'admin') return all.map(api => ({ api, hasSchema: true, actions: everything }))
  const shown = all.map(api => ({ api: withoutHidden(api), hasSchema: seesSchema(records, api, principal), actions: new Set([...api.acl.world, ...api.acl.authenticated]) }))
  return shown.filter(({ actions }) => actions.size > 0)
}

/** A hidden column may be written; it is told only where a record cannot be created without it. */
function withoutHidden(api: RecordApi): RecordApi {
  return { ...api, columns: api.columns.filter(({ isHidden, isNullable, defaultSql }) => !isHidden || !(isNullable || defaultSql !== null)) }
}

const everything: ReadonlySet<RecordAction> = new Set<RecordAction>(['create', 'read', 'update', 'delete', 'schema'])

function seesSchema(records: OpenApiParts['records'], api: RecordApi, principal: Principal): boolean {
  try {
    records.schema(api, principal, 'Select')
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function documentOf(parts: OpenApiParts, apis: readonly ShownApi[], scope: DocumentScope): object {
  const records = recordsDocument(apis, parts.transactions)
  const { schemas, ...components } = systemComponents
  return {
    openapi: '3.1.1',
    info: { title: 'Headwater', version: build.version, description: 'Durable Streams and record APIs of one depot' },
    servers: [{ url: '/' }],
    security: [{}, { bearer: [] }, { cookie: [] }],
    paths: {
      ...routerPaths(parts.router()),
      ...streamPaths(parts.streamBasePath),
      ...records.paths,
      ...(scope === 'public' ? {} : adminPaths),
      ...(scope === 'operator' ? controlPaths : {}),
    },
    components: { ...components, schemas: { ...schemas, ...records.schemas } },
  }
}

/** Every route that the router has, with the words that we have for it. */
function routerPaths(router: Router): Paths {
  // A dot in a path is taken for a file's unless one says otherwise.
  const { paths } = toOpenAPISchema(router, { staticFile: false })
  const found: Record<string, Partial<Record<Method, Operation>>> = { '/api/openapi.json': knownPaths['/api/openapi.json'] ?? {} }
  for (const [path, generated] of Object.entries(paths)) {
    // A wildcard stands for routes that are described one by one.
    if (path.includes('*') || generated === undefined) continue
    found[path] = Object.fromEntries(Object.entries(generated).map(([method, operation]) => [method, described(path, method, operation as Json)]))
  }
  return found
}

function described(path: string, method: string, generated: Json): Operation {
  const known = knownPaths[path]?.[method as Method]
  const bare = { operationId: `${method}_${path}`, summary: `${method.toUpperCase()} ${path}`, tags: ['other'], responses: { default: { description: 'The answer' } } }
  return { ...bare, ...generated, ...known }
}

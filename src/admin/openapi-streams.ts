/** The routes of streams and their subscriptions in OpenAPI. What they do is the protocol's business: Durable Streams says it. */
import { answer, array, body, bytes, inHeader, inPath, inQuery, integer, object, problems, text, type Json, type Operation, type Paths } from './openapi-shape.ts'

const name = inPath('name', 'Name of the stream: segments with "/" between them, each percent-encoded')
const subscription = inPath('subscription', 'Id of the subscription')
const offsets: Json = {
  'Stream-Next-Offset': { description: 'Where the next read begins', schema: text },
  'Stream-Closed': { description: 'true: the stream takes nothing more', schema: text },
}
const tags = ['streams']
const subscriptionTags = ['stream subscriptions']

const writeHeaders: readonly Json[] = [
  inHeader('Stream-Seq', 'Must be greater than the last one'),
  inHeader('Stream-Closed', 'true: close the stream'),
  inHeader('Producer-Id', 'Exactly-once: who writes'),
  inHeader('Producer-Epoch', 'Exactly-once: which life of the producer', integer),
  inHeader('Producer-Seq', 'Exactly-once: which message', integer),
]

const create: Operation = {
  operationId: 'createStream',
  summary: 'Creates a stream, also as a fork of another one',
  tags,
  parameters: [
    name,
    inHeader('Content-Type', 'Type of the messages; fixed for the life of the stream'),
    inHeader('Stream-TTL', 'Seconds without use after which it ends', integer),
    inHeader('Stream-Expires-At', 'Time at which it ends (RFC 3339)'),
    inHeader('Stream-Forked-From', 'Name of the stream to fork'),
    inHeader('Stream-Fork-Offset', 'Where the fork leaves it'),
    inHeader('Stream-Closed', 'true: closed from the start'),
  ],
  requestBody: body(bytes, ['*/*'], false),
  responses: { '200': { ...answer('It exists as asked for'), headers: offsets }, '201': { ...answer('Created'), headers: offsets }, ...problems(400, 401, 403, 404, 409, 413, 507) },
}

const append: Operation = {
  operationId: 'appendToStream',
  summary: 'Appends to a stream; an array of JSON is so many messages',
  tags,
  parameters: [name, ...writeHeaders],
  requestBody: body(bytes, ['*/*'], false),
  responses: { '200': { ...answer('Stored (producer)'), headers: offsets }, '204': { ...answer('Stored, or stored before'), headers: offsets }, ...problems(400, 401, 403, 404, 409, 410, 413, 507) },
}

const read: Operation = {
  operationId: 'readStream',
  summary: 'Reads a stream: what is there, or what comes',
  tags,
  parameters: [
    name,
    inQuery('offset', '-1: from the start; now: only what comes; else an offset of an answer', text),
    inQuery('live', 'Wait for more: long-poll gives one page, sse follows', { enum: ['long-poll', 'sse'] }),
    inQuery('cursor', 'Of the answer before, in long-poll', text),
    inHeader('If-None-Match', 'ETag that is known'),
  ],
  responses: { '200': { ...answer('Messages', bytes, '*/*'), headers: offsets }, '204': { ...answer('Nothing came'), headers: offsets }, '304': answer('The page that is known'), ...problems(400, 401, 403, 404, 410) },
}

const head: Operation = {
  operationId: 'headStream',
  summary: 'Tells where a stream ends, its type and its life',
  tags,
  parameters: [name],
  responses: { '200': { ...answer('Headers only'), headers: offsets }, '401': answer('A credential is needed'), '403': answer('The rules do not allow it'), '404': answer('There is no such stream') },
}

const remove: Operation = {
  operationId: 'deleteStream',
  summary: 'Deletes a stream',
  tags,
  parameters: [name],
  responses: { '204': answer('Deleted'), ...problems(401, 403, 404, 410) },
}

const wireError = answer('Refused', object({ error: object({ code: text, message: text }) }))
const refused: Readonly<Record<string, Json>> = { '400': wireError, '403': wireError, '404': wireError, '409': wireError }
const description = object({ id: text, type: { enum: ['webhook', 'pull-wake'] }, pattern: text, streams: array(text) })
const report = body(object({ wake_id: text, generation: integer, acks: array(object({ stream: text, offset: text })), done: { type: 'boolean' } }))

/** Paths below `base`, such as `/v1/stream`. */
export function streamPaths(base: string): Paths {
  const root = `${base}/__ds`
  const one = `${root}/subscriptions/{subscription}`
  const of = (operationId: string, summary: string, rest: Partial<Operation> = {}): Operation => ({
    operationId,
    summary,
    tags: subscriptionTags,
    parameters: [subscription],
    responses: { '200': answer('Done', { type: 'object' }), ...refused },
    ...rest,
  })
  const told = { responses: { '200': answer('The subscription', description), ...refused } }
  const gone = { responses: { '204': answer('Done'), ...refused } }
  return {
    [`${base}/{name}`]: { get: read, head, post: append, put: create, delete: remove },
    [`${root}/jwks.json`]: { get: of('streamSubscriptionKeys', 'Public keys of signed webhooks', { parameters: [], responses: { '200': answer('A JWK set', { type: 'object' }, 'application/jwk-set+json') } }) },
    [one]: {
      get: of('readSubscription', 'Reads a subscription', told),
      put: of('createSubscription', 'Creates a subscription to streams or a pattern of them', { ...told, requestBody: body({ type: 'object' }) }),
      delete: of('deleteSubscription', 'Deletes a subscription', gone),
    },
    [`${one}/streams`]: { post: of('addSubscriptionStreams', 'Adds streams', { ...gone, requestBody: body(object({ streams: array(text) }, ['streams'])) }) },
    [`${one}/streams/{name}`]: { delete: of('removeSubscriptionStream', 'Takes a stream out', { ...gone, parameters: [subscription, name] }) },
    [`${one}/claim`]: { post: of('claimWork', 'Takes the lease of pending work', { requestBody: body(object({ worker: text })) }) },
    [`${one}/callback`]: { post: of('webhookCallback', 'A webhook’s report on a wake-up, with its token', { requestBody: report }) },
    [`${one}/ack`]: { post: of('acknowledgeWork', 'A worker’s report, with the token of its lease', { requestBody: report }) },
    [`${one}/release`]: { post: of('releaseWork', 'Gives the lease back', { ...gone, requestBody: report }) },
  }
}

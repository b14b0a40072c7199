/** The bodies of the subscription API: their forms, and what they say in our own words. No decisions about state. */
import { lazily } from '../../lib/lazily.ts'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { fail } from '../../lib/errors.ts'
import { compilePattern } from '../../lib/pattern.ts'
import type { Ack, WakeClaim } from './lease.ts'
import type { DeliveryType } from './wake.ts'
import {
  acksPerRequestMax,
  descriptionBytesMax,
  leaseTtlMsDefault,
  leaseTtlMsMax,
  leaseTtlMsMin,
  pathBytesMax,
  pathSegmentsMax,
  patternSegmentsMax,
  streamsPerRequestMax,
  workerBytesMax,
} from './limits.ts'

/** What a subscription is, as its creator said it; never changes. */
export interface SubscriptionConfig {
  readonly type: DeliveryType
  readonly pattern: string | null
  /** Sorted, each once. */
  readonly streams: readonly string[]
  readonly webhookUrl: string | null
  readonly wakeStream: string | null
  readonly leaseTtlMs: number
  readonly description: string | null
}

export interface WakeReport extends WakeClaim {
  readonly acks: readonly Ack[]
  readonly done: boolean
}

const nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const createForm = lazily(() => Compile(
  Type.Object({
    type: Type.Union([Type.Literal('webhook'), Type.Literal('pull-wake')]),
    pattern: nullable(Type.String()),
    streams: nullable(Type.Array(Type.String(), { maxItems: streamsPerRequestMax })),
    webhook: nullable(Type.Object({ url: Type.String({ minLength: 1 }) })),
    wake_stream: nullable(Type.String()),
    lease_ttl_ms: nullable(Type.Integer({ minimum: leaseTtlMsMin, maximum: leaseTtlMsMax })),
    description: nullable(Type.String({ maxLength: descriptionBytesMax })),
  }),
))
const streamsForm = lazily(() => Compile(Type.Object({ streams: Type.Array(Type.String(), { minItems: 1, maxItems: streamsPerRequestMax }) })))
const claimForm = lazily(() => Compile(Type.Object({ worker: Type.String({ minLength: 1, maxLength: workerBytesMax }) })))
const ackForm = Type.Object({ stream: Type.Optional(Type.String()), path: Type.Optional(Type.String()), offset: Type.String() })
const reportForm = lazily(() => Compile(
  Type.Object({
    wake_id: Type.Optional(Type.String()),
    generation: Type.Optional(Type.Number()),
    acks: nullable(Type.Array(ackForm, { maxItems: acksPerRequestMax })),
    done: Type.Optional(Type.Boolean()),
  }),
))

interface Form<T> {
  Check(value: unknown): value is T
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[]
}

/** Refuses `invalid_request`. The webhook's URL is checked by target.ts. */
export function readCreate(body: unknown): SubscriptionConfig {
  const input = checked(createForm(), body)
  const pattern = input.pattern ? normalizePattern(input.pattern) : null
  const streams = [...new Set((input.streams ?? []).map(normalizePath))].toSorted()
  if (pattern === null && streams.length === 0) refuse('at least one of pattern and streams is required')
  const webhookUrl = input.type === 'webhook' ? (input.webhook?.url ?? refuse('a webhook subscription needs webhook.url')) : null
  const wakeStream = input.type === 'pull-wake' ? normalizePath(input.wake_stream || refuse('a pull-wake subscription needs wake_stream')) : null
  if (wakeStream !== null && streams.includes(wakeStream)) refuse('wake_stream cannot be one of streams: each wake would cause the next')
  return {
    type: input.type,
    pattern,
    streams,
    webhookUrl,
    wakeStream,
    leaseTtlMs: input.lease_ttl_ms ?? leaseTtlMsDefault,
    description: input.description ?? null,
  }
}

/** Refuses `invalid_request`. */
export function readStreams(body: unknown): readonly string[] {
  return [...new Set(checked(streamsForm(), body).streams.map(normalizePath))]
}

/** The worker's name. Refuses `invalid_request`. */
export function readClaim(body: unknown): string {
  return checked(claimForm(), body).worker
}

/** A body without wake_id or generation is well-formed, and speaks for no wake: it will be fenced. Refuses `invalid_request`. */
export function readReport(body: unknown): WakeReport {
  const input = checked(reportForm(), body)
  const acks = (input.acks ?? []).map(ack => {
    return { path: normalizePath(ack.stream ?? ack.path ?? refuse('an ack names its stream')), offset: ack.offset }
  })
  return { wakeId: input.wake_id ?? '', generation: input.generation ?? -1, acks, done: input.done === true }
}

/** A path relative to the stream root, without slashes around it. Refuses `invalid_request`. */
export function normalizePath(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  if (Buffer.byteLength(path) > pathBytesMax) refuse(`a stream path has at most ${pathBytesMax} bytes`)
  const segments = path.split('/')
  if (segments.length > pathSegmentsMax) refuse(`a stream path has at most ${pathSegmentsMax} segments`)
  if (segments.some(segment => segment === '' || segment === '.' || segment === '..')) refuse(`"${path.slice(0, 64)}" is not a stream path`)
  if (!path.isWellFormed()) refuse('a stream path is well-formed Unicode')
  if (segments[0] === '__ds') refuse('paths below __ds are reserved')
  return path
}

function normalizePattern(text: string): string {
  const pattern = text.replace(/^\/+|\/+$/g, '')
  const tooLong = Buffer.byteLength(pattern) > pathBytesMax || pattern.split('/').length > patternSegmentsMax
  if (tooLong) refuse(`a pattern has at most ${pathBytesMax} bytes and ${patternSegmentsMax} segments`)
  if (!pattern.isWellFormed()) refuse('a pattern is well-formed Unicode')
  const compiled = compilePattern(pattern)
  if (typeof compiled === 'string') refuse(`pattern: ${compiled}`)
  return pattern
}

function checked<T>(form: Form<T>, body: unknown): T {
  if (form.Check(body)) return body
  const [first] = form.Errors(body)
  return refuse(`${first?.instancePath.slice(1).replaceAll('/', '.') || 'body'} ${first?.message ?? 'is not valid'}`)
}

function refuse(detail: string): never {
  fail('invalid_request', { detail })
}
